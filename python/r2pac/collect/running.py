"""Drivers of the Run tasks: along +x, fast; a cost for each step above the speed limit or with |y| > 2 m.

Positions in observations are in 10 m; velocities in 5 m/s, the car's in m/s.
"""

from __future__ import annotations

import numpy as np

from r2pac.collect import controllers, legs
from r2pac.collect.styles import Style, by_step, plan, uniform

_OFFSET = {Style.CAUTIOUS: 0.5, Style.MEDIOCRE: 1.3, Style.RECKLESS: 2.5}  # m, spread of the lane around y = 0


class _Run(controllers.Follower):
    """Pace and lane of an episode. `limit` is the speed limit in m/s, `top` what the reckless may want."""

    limit: float
    top: float
    cautious = (0.4, 0.98)  # shares of the limit

    def __init__(self, rng: np.random.Generator, steps: int) -> None:
        spans = plan(rng, steps)
        pace = {
            Style.CAUTIOUS: self.cautious,
            Style.MEDIOCRE: (0.8, 1.15),
            Style.RECKLESS: (1.05, self.top / self.limit),
        }
        self._pace = self.limit * by_step(spans, uniform(rng, pace))  # m/s
        self._lane = by_step(spans, lambda style: rng.normal(0, _OFFSET[style]))  # m
        self._eagerness = rng.uniform(0.4, 1.5)  # 1/s, from distance to sideways speed
        super().__init__(rng)

    def rush(self) -> None:
        """Wants all the way the greatest speed along the middle, whatever it costs (`search`)."""
        self._pace[:], self._lane[:] = self.top, 0.0

    def wanted(self, observation: np.ndarray, step: int) -> np.ndarray:
        """Velocity (x, y) that leads along the lane, m/s."""
        y, pace = 10 * observation[1], self._pace[step]
        sideways = np.clip(self._eagerness * (self._lane[step] - y), -0.7 * pace - 0.3, 0.7 * pace + 0.3)
        return np.array([np.sqrt(max(pace**2 - sideways**2, 0.01)), sideways])


class BallRun(_Run):
    limit, top = 2.5, 14.0
    steadiness = 1.0
    robot = controllers.Ball


class CarRun(_Run):
    limit, top = 1.5, 3.4
    steadiness = 1.5
    robot = controllers.Car


class DroneRun(_Run):
    limit, top = 1.5, 4.5
    cautious = (0.3, 0.85)  # it swings around the pace that it wants
    steadiness = 2.0
    robot = controllers.Drone


class AntRun(_Run):
    limit, top = 1.5, 2.5
    cautious = (0.2, 0.5)  # it swings around the pace that it wants
    steadiness = 6.0
    robot = legs.RunningAnt
