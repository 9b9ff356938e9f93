"""What an environment has to give, and the errors that say what it gives instead.

The space of its actions is a box of real numbers. What its step returns is read by position and by type: numbers
are numbers and not flags, flags are flags and not numbers. So values in another order are refused, and not scored.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from r2pac.errors import SimulatorError

_POSITIONS = {
    4: ("observation", "reward", "done", "info"),
    5: ("observation", "reward", "terminated", "truncated", "info"),
    6: ("observation", "reward", "cost", "terminated", "truncated", "info"),
}
_ORDERS = "return " + "; or ".join(
    f"({', '.join(_POSITIONS[length])})" + (' with info["cost"]' if length < 6 else "") for length in (5, 6, 4)
)
_FLAGS = ("terminated", "truncated", "done")
_MOST_KEYS = 20
_short = reprlib.Repr()
_short.maxother = 80


class Transition(NamedTuple):
    observation: np.ndarray  # [S], float32
    reward: float
    cost: float
    terminated: bool
    truncated: bool


class ActionBox(NamedTuple):
    """Bounds of actions, [A] float64; NaN where the space does not state them."""

    low: np.ndarray
    high: np.ndarray
    shape: tuple[int, ...]  # of the array that step takes


def action_box(env: Any) -> ActionBox:
    """The space of actions of an environment. Raises SimulatorError where it is no box of real numbers.

    A space of one's own needs a shape alone; then nobody knows its bounds.
    """
    space = getattr(env, "action_space", None)
    shape, dtype = getattr(space, "shape", None), getattr(space, "dtype", None)
    if shape is None or any(hasattr(space, one) for one in ("n", "nvec", "spaces")):
        raise _not_a_box(space, "is")
    if isinstance(dtype, np.dtype) and dtype.kind != "f":
        raise _not_a_box(space, f"is of {dtype}:")
    size = math.prod(shape)
    bounds = [_bound(space, name, tuple(shape)) for name in ("low", "high")]
    if np.isnan(bounds).any() and not np.isnan(bounds).all():
        raise _not_a_box(space, "has a bound that is not a number:")
    low, high = (bound.reshape(size) for bound in bounds)
    for i in np.flatnonzero(low > high):
        raise _not_a_box(space, f"has bounds [{low[i]}, {high[i]}] in component {i}:")
    return ActionBox(low, high, tuple(shape))


def observation_width(env: Any) -> int:
    """How many numbers an observation has. Raises SimulatorError where its space tells no shape."""
    space = getattr(env, "observation_space", None)
    shape = getattr(space, "shape", None)
    if not shape:
        raise SimulatorError(
            f"the environment's observation_space is {_short.repr(space)}, expected a space of arrays",
            todo="wrap the environment, so that observations are arrays of a fixed shape",
        )
    return math.prod(shape)


def as_observation(value: Any) -> np.ndarray:
    """[S] float32 of an observation of any shape. Raises SimulatorError."""
    array = None if isinstance(value, (Mapping, tuple)) else _array(value)
    if array is None or array.dtype.kind not in "fiub":
        raise SimulatorError(
            f"the observation is {_described(value)}, expected an array of numbers",
            todo="flatten it (gymnasium.wrappers)",
        )
    with np.errstate(over="ignore"):  # what 32 bits cannot hold becomes infinite, and the parent refuses it
        return array.astype(np.float32).reshape(-1)


def as_transition(result: Any) -> Transition:
    """What a step returned, in one of the three known orders. Raises SimulatorError, naming position and type."""
    if not isinstance(result, tuple) or len(result) not in _POSITIONS:
        raise SimulatorError(f"step returned {_described(result)}, expected a tuple of 4, 5 or 6", todo=_ORDERS)
    values = dict(zip(_POSITIONS[len(result)], result, strict=True))
    places = {
        name: f"position {i} of the {len(result)} that step returned (counted from 0), `{name}`,"
        for i, name in enumerate(values)
    }
    read = {name: _number(values[name], places[name]) for name in ("reward", "cost") if name in values}
    flags = {name: _flag(value, places[name]) for name, value in values.items() if name in _FLAGS}
    info = values["info"]
    if not isinstance(info, Mapping):
        raise _refusal(places["info"], info, "a dict")
    if "cost" not in read:
        read["cost"] = _number(_cost_of(info), 'info["cost"]')
    elif "cost" in info and not _same(read["cost"], other := _number(info["cost"], 'info["cost"]')):
        raise SimulatorError(
            f'{places["cost"]} is {read["cost"]}, but info["cost"] is {other}',
            todo="return one cost, at one place or at both; " + _ORDERS,
        )
    if "done" in flags:
        limit = _flag(info.get("TimeLimit.truncated", False), 'info["TimeLimit.truncated"]')
        flags = {"terminated": flags["done"] and not limit, "truncated": flags["done"] and limit}
    return Transition(as_observation(values["observation"]), **read, **flags)


def _cost_of(info: Mapping) -> Any:
    if "cost" in info:
        return info["cost"]
    names = [str(name) for name in info]
    keys = ", ".join(repr(name) for name in names[:_MOST_KEYS]) + (", ..." if len(names) > _MOST_KEYS else "")
    near = [name for name in names if "cost" in name.lower()]
    raise SimulatorError(
        'info has no "cost", so there is nothing to keep below a limit; '
        + (f"its keys are {keys}" if names else "it is empty"),
        todo=f'set info["cost"], for example to info[{near[0]!r}]' if near else _ORDERS,
    )


def _number(value: Any, place: str) -> float:
    """A number, or an array of one; a flag is none."""
    array = _array(value)
    if array is None or array.size != 1 or array.dtype.kind not in "fiu":
        raise _refusal(place, value, "one number")
    return float(array.reshape(-1)[0])


def _flag(value: Any, place: str) -> bool:
    array = _array(value)
    if array is None or array.size != 1 or array.dtype.kind != "b":
        raise _refusal(place, value, "a bool")
    return bool(array.reshape(-1)[0])


def _array(value: Any) -> np.ndarray | None:
    """The value as an array; nothing where it cannot be one."""
    try:
        return np.asarray(value)
    except Exception:  # of a class of anyone's own
        return None


def _same(a: float, b: float) -> bool:
    """Whether two costs are one: either may have been kept in 32 bits."""
    return np.float32(a) == np.float32(b) or (math.isnan(a) and math.isnan(b))


def _bound(space: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return np.broadcast_to(np.asarray(getattr(space, name, math.nan), np.float64), shape)
    except (TypeError, ValueError) as error:
        raise _not_a_box(space, f"has a {name} that does not fit its shape:") from error


def _not_a_box(space: Any, what: str) -> SimulatorError:
    return SimulatorError(
        f"the environment's action_space {what} {_short.repr(space)}; expected a Box of real numbers",
        todo="wrap the environment, so that its actions are arrays of real numbers within bounds",
    )


def _refusal(place: str, value: Any, expected: str) -> SimulatorError:
    return SimulatorError(f"{place} is {_described(value)}, expected {expected}", todo=_ORDERS)


def _described(value: Any) -> str:
    kind = type(value).__name__
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    if isinstance(value, (tuple, list, dict)):
        return f"of type {kind} and length {len(value)}"
    return f"of type {kind} ({_short.repr(value)})"
