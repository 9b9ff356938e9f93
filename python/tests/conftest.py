"""A small data set of the built-in robot and a policy trained on it, which several test files use."""

from pathlib import Path

import numpy as np
import pytest

TINY = {"hidden": [24, 24], "batch": 32, "steps": 30, "log_every": 10, "flow_steps": 4, "num_candidates": 3}
"""Settings of a run that takes a second."""
CLONING = {key: value for key, value in TINY.items() if key != "num_candidates"} | {"method": "cloning"}
"""The same of a method without critics, which has one candidate."""


def drive(episodes: int, seed: int) -> dict[str, np.ndarray]:
    """The arrays of a data set: episodes of the robot with a random, lasting acceleration each."""
    from r2pac._core import ReachAvoid

    robot = ReachAvoid(episodes)
    draw = np.random.default_rng(seed)
    columns: dict[str, list[np.ndarray]] = {}
    observation = robot.reset(seed)
    for _ in range(robot.episode_steps):
        action = np.clip(draw.normal([0.6, 0.0], 0.7, (episodes, 2)), -1, 1).astype(np.float32)
        following, reward, cost, terminal, timeout = robot.step(action)
        row = {
            "observations": observation,
            "actions": action,
            "next_observations": following,
            "rewards": reward.astype(np.float32),
            "costs": cost.astype(np.float32),
            "terminals": terminal,
            "timeouts": timeout,
        }
        for name, values in row.items():
            columns.setdefault(name, []).append(values)
        observation = following
    # [step, episode, ...] becomes one row after another of each episode.
    return {
        name: np.swapaxes(np.stack(steps), 0, 1).reshape(-1, *steps[0].shape[1:])
        for name, steps in columns.items()
    }


@pytest.fixture(scope="session")
def robot_arrays() -> dict[str, np.ndarray]:
    pytest.importorskip("r2pac._core", reason="the extension is not installed")
    return drive(episodes=12, seed=3)


@pytest.fixture(scope="session")
def robot_data(robot_arrays):
    import r2pac

    return r2pac.Dataset.from_arrays(**robot_arrays, name="reach-avoid")


@pytest.fixture(scope="session")
def robot_run(robot_data, tmp_path_factory) -> Path:
    """The folder of a finished tiny run."""
    import r2pac

    folder = tmp_path_factory.mktemp("robot") / "run"
    r2pac.train(TINY, robot_data, out=folder, threads=1)
    return folder


@pytest.fixture(scope="session")
def cloned_run(robot_data, tmp_path_factory) -> Path:
    """The same of method cloning."""
    import r2pac

    folder = tmp_path_factory.mktemp("cloned") / "run"
    r2pac.train(CLONING, robot_data, out=folder, threads=1)
    return folder


@pytest.fixture
def robot_policy(robot_run):
    import r2pac

    return r2pac.Policy.load(robot_run, threads=1)
