"""Serves a safety environment to `r2pac eval` and `r2pac train --eval-env` (docs/environments.md).

    python -m r2pac.env_server --id SafetyBallRun-v0
    python -m r2pac.env_server --module my_robot:make_env --episode-steps 500

`r2pac` starts this program itself and hands it a socket. A program of one's own calls `serve`:

    from r2pac.env_server import serve
    serve(lambda: MyRobot(), episode_steps=500)

and is named as `r2pac eval RUN --env cmd:"python3 my_program.py"`.

An environment follows Gymnasium. Its step returns one of

    observation, reward, terminated, truncated, info            with info["cost"]
    observation, reward, cost, terminated, truncated, info      as safety-gymnasium
    observation, reward, done, info                             as the older gym, with info["cost"]

and its reset `observation, info` or the observation alone. Observations are arrays (any shape, sent flat as
32-bit floats), actions a box (`r2pac.contract` checks both). `r2pac` keeps actions within [-1, 1], or maps them onto
the box where it is told to. Moving pictures are made of what its `render` returns (`r2pac.pictures`).
"""

from __future__ import annotations

import argparse
import contextlib
import inspect
import random
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from r2pac.contract import ActionBox, Transition, action_box, as_observation, as_transition, observation_width
from r2pac.errors import SimulatorError
from r2pac.pictures import picture
from r2pac.simulators import factory
from r2pac.wire import (
    CLOSE,
    DESCRIPTION,
    HELLO,
    NUMBER,
    OBSERVATION,
    PICTURE,
    RENDER,
    RESET,
    STEP,
    TRANSITION,
    WORKING,
    Connection,
    named_callable,
    serve_parent,
)

VERSION = 3
SILENCE = 0.25  # seconds after which a server that steps several copies says that one is done


class Copy:
    """One copy of an environment: a fresh simulator for each episode, and random streams of its own.

    Some simulators draw from the global streams of `numpy.random` and `random`, whatever seed their reset is
    given, and some carry state over a reset. Here an episode depends on its seed and its actions alone,
    whichever copies share the process. The global streams are seeded before a simulator is made, and again
    before its reset.
    """

    def __init__(self, make_env: Callable[[], Any], reuse: bool) -> None:
        self._make_env, self._reuse = make_env, reuse
        self._env: Any = None
        self._box: ActionBox | None = None
        self._streams = (np.random.get_state(), random.getstate())

    def reset(self, seed: int) -> np.ndarray:
        """Starts the episode of a seed, 0 <= seed < 2^32; the first observation, [S] float32."""
        with self._own_streams():
            _seed_global_streams(seed)
            if self._env is None or not self._reuse:
                self.close()
                self._env = self._make_env()
                self._box = action_box(self._env)
                _seed_global_streams(seed)
            return as_observation(_reset(self._env, seed))

    def step(self, action: np.ndarray) -> Transition:
        """One step; action [A] within the box."""
        with self._own_streams():
            result = self._env.step(action.astype(np.float32).reshape(self._box.shape))
        return as_transition(result)

    def picture(self) -> np.ndarray:
        """What its camera sees, [height, width, 3] uint8; the random streams stay as they are."""
        with self._own_streams():
            streams = self._streams
            drawn = picture(self._env)
        self._streams = streams
        return drawn

    def has(self, box: ActionBox) -> bool:
        """Whether the actions of the episode are those of a box."""
        return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(self._box[:2], box[:2], strict=True))

    def close(self) -> None:
        if self._env is not None:
            self._env.close()
            self._env = None

    @contextlib.contextmanager
    def _own_streams(self) -> Iterator[None]:
        np.random.set_state(self._streams[0])
        random.setstate(self._streams[1])
        yield
        self._streams = (np.random.get_state(), random.getstate())


def serve(
    make_env: Callable[[], Any],
    *,
    episode_steps: int | None = None,
    reuse: bool = False,
    name: str | None = None,
) -> None:
    """Serves environments to the parent process until it hangs up.

    make_env       makes one environment
    episode_steps  step limit, where the environment does not state one (`spec.max_episode_steps`)
    reuse          keep one environment for all episodes of a copy: faster, and right where an episode depends on the seed
                   of its reset alone
    name           what the environment is called; default: its spec's id, else its class

    Whatever is raised goes to the parent, which reports it, and the process ends with status 1.
    """
    serve_parent(
        lambda connection: _serve(connection, make_env, episode_steps, reuse, name),
        "environment",
        "r2pac eval RUN --env ...",
    )


def _serve(
    connection: Connection,
    make_env: Callable[[], Any],
    episode_steps: int | None,
    reuse: bool,
    name: str | None,
) -> None:
    kind, payload = connection.receive()
    if kind == CLOSE:
        return
    if kind != HELLO or len(payload) != 8:
        raise ValueError(f"the first message is of type {kind} with {len(payload)} bytes, expected a hello")
    version, count = struct.unpack("<II", payload)
    if version > VERSION:
        raise SimulatorError(
            f"the program needs version {version} of the protocol or a later one, this server speaks {VERSION}",
            todo="use the server of the program's own version",
        )
    env = make_env()
    width, box = observation_width(env), action_box(env)
    limit = _step_limit(env) or episode_steps or 0
    title = name or getattr(getattr(env, "spec", None), "id", None) or type(env).__name__
    env.close()
    action_width = box.low.size
    numbers = struct.pack("<IIII", VERSION, width, action_width, limit)
    bounds = np.concatenate([box.low, box.high]).astype("<f8").tobytes()
    connection.send(DESCRIPTION, numbers + bounds + str(title).encode("utf-8", "replace"))

    copies = [Copy(make_env, reuse) for _ in range(count)]
    while True:
        kind, payload = connection.receive()
        if kind == CLOSE:
            break
        number, content = payload[: NUMBER.size], payload[NUMBER.size :]
        if kind == RESET and len(payload) == NUMBER.size + 4 * count:
            for one, seed in zip(copies, np.frombuffer(content, "<u4"), strict=True):
                observation = _fit(one.reset(int(seed)), width)
                if not one.has(box):
                    raise SimulatorError(
                        "the bounds of actions are not those that the first environment had",
                        todo="let every episode have the same action_space",
                    )
                connection.send(OBSERVATION, number + observation.astype("<f4").tobytes())
        elif kind == STEP and len(payload) == NUMBER.size + count * (1 + 4 * action_width):
            active = np.frombuffer(content, np.uint8, count)
            actions = np.frombuffer(content, "<f4", offset=count).reshape(count, action_width)
            transition = _step(copies, active, actions, width, lambda: _say_working(connection, number))
            connection.send(TRANSITION, number + transition)
        elif kind == RENDER and len(content) == 4 and (copy := struct.unpack("<I", content)[0]) < count:
            drawn = copies[copy].picture()
            height, width_drawn = drawn.shape[:2]
            connection.send(PICTURE, number + struct.pack("<II", width_drawn, height) + drawn.tobytes())
        else:
            raise ValueError(f"a message of type {kind} with {len(payload)} bytes is not understood")
    for one in copies:
        one.close()


def _say_working(connection: Connection, number: bytes) -> None:
    """Tells a parent that has heard nothing for a while that a copy is done."""
    if time.monotonic() - connection.last_sent > SILENCE:
        connection.send(WORKING, number)


def _step(
    copies: list[Copy], active: np.ndarray, actions: np.ndarray, width: int, between: Callable[[], None]
) -> bytes:
    """Steps the active copies, and calls `between` after each; rows of the others are zeros."""
    count = len(copies)
    observations = np.zeros((count, width), "<f4")
    rewards, costs = np.zeros(count, "<f8"), np.zeros(count, "<f8")
    terminated, truncated = np.zeros(count, np.uint8), np.zeros(count, np.uint8)
    for i in np.flatnonzero(active):
        transition = copies[i].step(actions[i])
        observations[i] = _fit(transition.observation, width)
        rewards[i], costs[i] = transition.reward, transition.cost
        terminated[i], truncated[i] = transition.terminated, transition.truncated
        between()
    return b"".join(array.tobytes() for array in (observations, rewards, costs, terminated, truncated))


def _seed_global_streams(seed: int) -> None:
    np.random.seed(seed)
    random.seed(seed)


def _reset(env: Any, seed: int) -> Any:
    """What the environment's reset returns, given the seed in the way that it understands."""
    parameters = inspect.signature(getattr(env, "unwrapped", env).reset).parameters.values()
    if any(p.name == "seed" or p.kind is p.VAR_KEYWORD for p in parameters):
        result = env.reset(seed=seed)
    else:
        if hasattr(env, "seed"):
            env.seed(seed)
        result = env.reset()
    is_pair = isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)
    return result[0] if is_pair else result


def _fit(observation: np.ndarray, width: int) -> np.ndarray:
    if observation.size != width:
        raise SimulatorError(
            f"an observation has {observation.size} numbers, but the environment's space has {width}",
            todo="let reset and step return arrays of observation_space.shape",
        )
    return observation


def _step_limit(env: Any) -> int | None:
    return getattr(getattr(env, "spec", None), "max_episode_steps", None)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m r2pac.env_server", description=__doc__.split("\n")[0])
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--id", help="registered id of a simulator, for example SafetyBallRun-v0")
    which.add_argument("--module", metavar="MODULE:FUNCTION", help="function that makes an environment")
    parser.add_argument(
        "--episode-steps", type=int, help="step limit, where the environment does not state one"
    )
    parser.add_argument(
        "--reuse", action="store_true", help="keep one environment for all episodes of a copy"
    )
    options = parser.parse_args(arguments)
    made: list[Callable[[], Any]] = []

    def make_env() -> Any:  # imports when first called, so that the parent hears of what goes wrong
        if not made:
            made.append(factory(options.id) if options.id else named_callable(options.module))
        return made[0]()

    serve(make_env, episode_steps=options.episode_steps, reuse=options.reuse, name=options.id)


if __name__ == "__main__":
    main()
