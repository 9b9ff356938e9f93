"""Serves a policy of one's own to `r2pac eval`, which asks it for actions (docs/interop.md).

    r2pac eval cmd:"python3 -m r2pac.policy_server my_policy:make" --env BallRun

`python -m r2pac.score my_policy:make --env BallRun` is the same in one command. `make` returns an object with

    act_batch(observations) -> actions      [n, S] -> [n, A], of n episodes side by side
    act(observation) -> action              [S] -> [A], where there is no act_batch

Both get by name what else they ask for: `episodes`, `steps`, `spent`, `earned`, each [n], or for `act`: `episode`,
`step`, `spent`, `earned`. `spent` and `earned` are the sums of costs and rewards of the episode so far.

A `reset` of an object with act_batch is called once, before all. A `reset` of an object with `act` means that it has
state: each episode that runs has such an object for itself, and `reset` is called before its first step. `reset` may
ask for `seed`, `episode` and `cost_limit`.
"""

from __future__ import annotations

import argparse
import inspect
import json
import math
import re
import struct
import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from r2pac.errors import SimulatorError, UsageError
from r2pac.wire import (
    ACTIONS,
    CLOSE,
    DECIDE,
    DESCRIPTION,
    HELLO,
    Connection,
    named_callable,
    serve_parent,
)

VERSION = 1
ABOUT = ("method", "program", "task", "step", "train_seed", "data_fingerprint", "cost_limit")
_HELLO = struct.Struct("<IIIIQd")  # version, S, A, episodes at once, seed, cost limit
_REQUEST = struct.Struct("<II")  # its number, n


class Decisions(NamedTuple):
    """What is asked: an action for each of n unfinished episodes."""

    episodes: np.ndarray  # [n], int64
    steps: np.ndarray  # [n], int32, from 0
    spent: np.ndarray  # [n], float64: cost of the episode so far
    earned: np.ndarray  # [n], float64: its return so far
    observations: np.ndarray  # [n, S], float32


class BatchActor:
    """A policy with act_batch."""

    def __init__(self, policy: Any, action_width: int, context: dict[str, Any]) -> None:
        self._act, self._width = policy.act_batch, action_width
        self._asks = asked_for(self._act, ("episodes", "steps", "spent", "earned"))
        if hasattr(policy, "reset"):
            call_reset(policy.reset, context)

    def act(self, decisions: Decisions) -> np.ndarray:
        extras = {name: getattr(decisions, name) for name in self._asks}
        n = len(decisions.episodes)
        return as_actions(self._act(decisions.observations, **extras), (n, self._width), "act_batch")


class SingleActor:
    """Policies with act, one for each episode if they have state."""

    def __init__(
        self, policy: Any, make: Callable[[], Any], action_width: int, context: dict[str, Any]
    ) -> None:
        self._make, self._width, self._context = make, action_width, context
        self._has_state = hasattr(policy, "reset")
        self._idle, self._policy = [policy], policy
        self._of: dict[int, Any] = {}  # by episode
        self._asks = asked_for(policy.act, ("episode", "step", "spent", "earned"))

    def act(self, decisions: Decisions) -> np.ndarray:
        for ended in set(self._of) - set(decisions.episodes.tolist()):
            self._idle.append(self._of.pop(ended))
        actions = np.empty((len(decisions.episodes), self._width), np.float32)
        for i, (episode, step, spent, earned) in enumerate(
            zip(*(column.tolist() for column in decisions[:4]), strict=True)
        ):
            values = {"episode": episode, "step": step, "spent": spent, "earned": earned}
            policy = self._policy_of(episode, step)
            action = policy.act(decisions.observations[i], **{name: values[name] for name in self._asks})
            actions[i] = as_actions(action, (self._width,), "act")
        return actions

    def _policy_of(self, episode: int, step: int) -> Any:
        if not self._has_state:
            return self._policy
        if step == 0:
            self._of[episode] = self._idle.pop() if self._idle else self._make()
            call_reset(self._of[episode].reset, self._context | {"episode": episode})
        return self._of[episode]


def asked_for(function: Callable[..., Any], names: Iterable[str]) -> list[str]:
    """Those of `names` that a function has parameters for. Of a compiled one its first line of help tells."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        line = (function.__doc__ or "").partition("\n")[0]
        return [name for name in names if re.search(rf"\b{name}\b", line)]
    every = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    return [name for name in names if every or any(parameter.name == name for parameter in parameters)]


def call_reset(reset: Callable[..., Any], context: dict[str, Any]) -> None:
    reset(**{name: context[name] for name in asked_for(reset, context)})


def as_actions(value: Any, shape: tuple[int, ...], function: str) -> np.ndarray:
    """What a policy returned, float32. The parent checks that the numbers are finite and within [-1, 1]."""
    try:
        array = np.asarray(value)
    except Exception as error:  # of a class of anyone's own
        raise SimulatorError(f"{function} returned {type(value).__name__}, which is no array: {error}") from error
    if array.dtype.kind not in "fiu":
        raise SimulatorError(
            f"{function} returned {type(value).__name__} of {array.dtype}, expected an array of numbers",
            todo=f"let {function} return an array of shape {shape}",
        )
    if array.shape != shape:
        raise SimulatorError(
            f"{function} returned an array of shape {array.shape}, expected {shape}",
            todo="return an action for each observation" if len(shape) == 2 else "return one action",
        )
    with np.errstate(over="ignore"):
        return array.astype("<f4")


def description_of(policy: Any, name: str) -> dict[str, Any]:
    """What eval.json shall say of a policy: its dict `about`, checked. name  the default for `program`"""
    core = sys.modules.get("r2pac._core")
    if core is not None and isinstance(policy, core.Policy):
        about = {key: getattr(policy, key) for key in ("method", "task", "step", "data_fingerprint", "cost_limit")}
        about |= {"program": f"r2pac {core.__version__}", "train_seed": policy.settings["seed"]}
    else:
        about = getattr(policy, "about", {})
    if not isinstance(about, dict) or set(about) - set(ABOUT):
        raise UsageError(
            f"`about` of the policy is {about!r}", todo="let it be a dict with keys among " + ", ".join(ABOUT)
        )
    return {"program": name} | about


def actor_of(policy: Any, make: Callable[[], Any], width: int, context: dict[str, Any]) -> Any:
    if callable(getattr(policy, "act_batch", None)):
        return BatchActor(policy, width, context)
    if callable(getattr(policy, "act", None)):
        return SingleActor(policy, make, width, context)
    raise UsageError(
        f"what was made is of type {type(policy).__name__} and can neither act_batch nor act",
        todo="return an object with act_batch(observations) or act(observation)",
    )


def serve(make: Callable[[], Any], *, name: str = "") -> None:
    """Serves a policy to the parent process until it hangs up.

    make  makes one policy
    name  what it is called where its `about` names no program

    Whatever is raised goes to the parent, which reports it, and the process ends with status 1.
    """
    serve_parent(
        lambda connection: _serve(connection, make, name),
        "policy",
        "r2pac eval cmd:PROGRAM --env ..., or python -m r2pac.score",
    )


def _serve(connection: Connection, make: Callable[[], Any], name: str) -> None:
    kind, payload = connection.receive()
    if kind == CLOSE:
        return
    if kind != HELLO or len(payload) < _HELLO.size:
        raise ValueError(f"the first message is of type {kind} with {len(payload)} bytes, expected a hello")
    version, width, action_width, _, seed, limit = _HELLO.unpack_from(payload)
    if version > VERSION:
        raise SimulatorError(
            f"the program speaks version {version} of the messages to a policy, this server {VERSION}",
            todo="use the server of the program's own version",
        )
    context = {"seed": seed, "cost_limit": None if math.isnan(limit) else limit}
    policy = make()
    actor = actor_of(policy, make, action_width, context)
    try:
        text = json.dumps(description_of(policy, name), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"`about` of the policy cannot be written as JSON: {error}") from error
    connection.send(DESCRIPTION, text.encode())
    while True:
        kind, payload = connection.receive()
        if kind == CLOSE:
            return
        if kind != DECIDE:
            raise ValueError(f"a message of type {kind} with {len(payload)} bytes is not understood")
        actions = actor.act(_decisions(payload, width))
        connection.send(ACTIONS, payload[:4] + np.ascontiguousarray(actions).tobytes())


def _decisions(payload: bytes, width: int) -> Decisions:
    _, n = _REQUEST.unpack_from(payload)
    place, columns = _REQUEST.size, []
    for dtype, size in (("<i8", n), ("<i4", n), ("<f8", n), ("<f8", n), ("<f4", n * width)):
        columns.append(np.frombuffer(payload, dtype, size, place).copy())  # the policy may keep and change it
        place += columns[-1].nbytes
    return Decisions(*columns[:4], columns[4].reshape(n, width))


def assignments(texts: Iterable[str]) -> dict[str, str]:
    """Keywords from `key=value` texts. Raises UsageError."""
    pairs = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not (separator and key.isidentifier()):
            raise UsageError(f"`{text}` is not of the form key=value", "--set", "give for example --set run=runs/a")
        pairs[key] = value
    return pairs


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m r2pac.policy_server", description=__doc__.split("\n")[0])
    parser.add_argument("make", metavar="MODULE:FUNCTION", help="function that makes a policy")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="text that the function gets by name"
    )
    options = parser.parse_args(arguments)
    made: list[Callable[..., Any]] = []

    def make() -> Any:  # imports when first called, so that the parent hears of what goes wrong
        if not made:
            made.append(named_callable(options.make))
        return made[0](**assignments(options.set))

    serve(make, name=options.make)


if __name__ == "__main__":
    main()
