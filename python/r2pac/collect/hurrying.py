"""Drivers of the Velocity tasks: along +x, fast; a cost for each step above a speed limit."""

from __future__ import annotations

import numpy as np

from r2pac.collect import controllers, legs
from r2pac.collect.styles import Style, by_step, plan, uniform


class _Hurry(controllers.Follower):
    """Pace of an episode. `limit` is the speed limit in m/s, `top` what the reckless may want."""

    limit: float
    top: float
    steadiness = 3.0

    def __init__(self, rng: np.random.Generator, steps: int) -> None:
        pace = {
            Style.CAUTIOUS: (0.2, 0.9),
            Style.MEDIOCRE: (0.7, 1.1),
            Style.RECKLESS: (1.0, self.top / self.limit),
        }
        self._pace = self.limit * by_step(plan(rng, steps), uniform(rng, pace))  # m/s
        super().__init__(rng)

    def rush(self) -> None:
        """Wants all the way the greatest speed, whatever it costs (`search`)."""
        self._pace[:] = self.top

    def wanted(self, observation: np.ndarray, step: int) -> np.ndarray:
        return np.array([self._pace[step], 0.0])


class AntVelocity(_Hurry):
    limit, top = 2.6222, 4.0
    robot = legs.MujocoAnt


class HalfCheetahVelocity(_Hurry):
    limit, top = 3.2096, 6.0
    robot = legs.HalfCheetah


class SwimmerVelocity(_Hurry):
    limit, top = 0.2282, 0.5
    robot = legs.Swimmer
