"""The drivers as policies: what they earn and cost where a learned policy is scored.

    python -m r2pac.score r2pac.collect.policy:make --set task=PointGoal1 --env PointGoal1 --episodes 20

scores the drivers as they are drawn, each for one episode; `--set driver=198` one of them for all episodes.
Their actions are as meant, without the noise that recorded ones have.
"""

from __future__ import annotations

import numpy as np

from r2pac.collect.episodes import candidate_rng
from r2pac.collect.tasks import find_task
from r2pac.errors import UsageError


class DriverPolicy:
    """Acts as the driver of candidate `driver` of a data set of the same seed; as that of the episode's number
    if there is none."""

    def __init__(self, task: str, seed: int, driver: int | None) -> None:
        self._task, self._seed, self._number = find_task(task), seed, driver

    def reset(self, episode: int) -> None:
        number = episode if self._number is None else self._number
        self._driver = self._task.driver(candidate_rng(self._seed, number), self._task.steps)

    def act(self, observation: np.ndarray, step: int) -> np.ndarray:
        """[S] -> [A], within [-1, 1]."""
        return np.clip(self._driver.act(observation, min(step, self._task.steps - 1)), -1, 1)


def make(task: str = "", seed: str = "0", driver: str | None = None) -> DriverPolicy:
    """Takes texts, as `--set` gives them. Raises UsageError for what is no task with drivers or no number."""
    for name, text in (("seed", seed), ("driver", driver or "0")):
        if not text.isdecimal():
            raise UsageError(f"`{text}` is no number", where=f"--set {name}", todo="give 0 or more")
    return DriverPolicy(task, int(seed), None if driver is None else int(driver))
