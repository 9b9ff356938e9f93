"""Drivers of the Circle tasks: clockwise on a circle of 7 m, with a cost for each step with |x| > 6 m.

Positions in observations are in 10 m. The circle lies partly outside the allowed strip, so that a driver
either cuts it off along the border or pays.
"""

from __future__ import annotations

import numpy as np

from r2pac.collect import controllers, legs
from r2pac.collect.styles import Style, by_step, plan, uniform

_BORDER = {Style.CAUTIOUS: (4.5, 5.8), Style.MEDIOCRE: (5.6, 6.5), Style.RECKLESS: (6.5, 20.0)}  # m, of |x|


class _Circle(controllers.Follower):
    """`top` is about the greatest speed that can be kept, in m/s."""

    top: float

    def __init__(self, rng: np.random.Generator, steps: int) -> None:
        spans = plan(rng, steps)
        skilled = rng.random() < 0.6
        radius, pace = ((6.2, 7.5), (0.6, 1.1)) if skilled else ((2.0, 8.5), (0.05, 1.0))
        self._border = by_step(spans, uniform(rng, _BORDER))  # m
        self._radius = by_step(spans, lambda style: rng.uniform(*radius))  # m
        self._pace = self.top * by_step(spans, lambda style: rng.uniform(*pace))  # m/s
        self._pull = rng.uniform(0.3, 1.2)  # 1/m, back to the circle
        self._respect = rng.uniform(0.5, 2.0)  # 1/s, speed towards the border for each metre that is left
        super().__init__(rng)

    def rush(self) -> None:
        """Wants all the way the greatest speed on the circle, whatever it costs (`search`)."""
        self._pace[:], self._radius[:], self._border[:] = self.top, 7.0, 20.0

    def wanted(self, observation: np.ndarray, step: int) -> np.ndarray:
        return self._course(10 * observation[:2], step)

    def _course(self, position: np.ndarray, step: int) -> np.ndarray:
        """Velocity (x, y) along the circle and, where that leads out, along the border, m/s."""
        distance = max(float(np.hypot(*position)), 1e-3)
        outward = position / distance
        clockwise = np.array([outward[1], -outward[0]])
        course = clockwise + np.clip(self._pull * (self._radius[step] - distance), -1.5, 1.5) * outward
        velocity = self._pace[step] * course / np.hypot(*course)
        side = np.sign(position[0])
        approach = min(side * velocity[0], self._respect * (self._border[step] - abs(position[0])))
        return np.array([side * approach, velocity[1]])


class BallCircle(_Circle):
    top = 8.5
    steadiness = 1.3
    robot = controllers.Ball


class CarCircle(_Circle):
    top = 4.0
    steadiness = 1.3
    robot = controllers.Car


class DroneCircle(_Circle):
    top = 4.0
    steadiness = 2.0
    robot = controllers.TurnedDrone
    lag = 0.5  # s, until a wanted velocity is reached

    def wanted(self, observation: np.ndarray, step: int) -> np.ndarray:
        """The velocity for where the drone will be when it has reached it."""
        return self._course(10 * observation[:2] + self.lag * 5 * observation[3:5], step)


class AntCircle(_Circle):
    top = 0.8
    steadiness = 10.0
    robot = legs.CirclingAnt
