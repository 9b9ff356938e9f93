"""Drivers of Safety-Gymnasium's Goal tasks: from goal to goal; a cost for each step inside a hazard.

The observation of the point robot: accelerometer (3), velocimeter (3), gyroscope (3), magnetometer (3), and
16 lidar readings each of goal, hazards and vases. The car has its rear ball's angular velocity (3) and
rotation (9) before the lidar. A reading is 1 - distance / 3 m of what is nearest in a sector of 22.5 degrees,
counted anticlockwise from the robot's x axis; 0 where nothing is near.
"""

from __future__ import annotations

import numpy as np

from r2pac.collect.driver import wrapped
from r2pac.collect.styles import Style, by_step, plan, uniform

_SECTORS = (np.arange(16) + 0.5) * np.pi / 8  # their middles, from the x axis
_COURSES = np.arange(-18, 18) * np.pi / 18  # what a driver chooses from
_CAUTION = {Style.CAUTIOUS: (1.5, 4.0), Style.MEDIOCRE: (0.3, 1.5), Style.RECKLESS: (0.0, 0.2)}


class _Goal:
    """Of all courses the one that best agrees with the goal and least with hazards."""

    actions, steadiness = 2, 1.3
    first_lidar: int  # column of the goal's readings; those of hazards and vases follow
    ahead: float  # where the robot drives, anticlockwise from its x axis
    vases_cost = False  # whether a vase that is touched costs something, too

    def speed(self, observation: np.ndarray) -> float:
        """Speed straight ahead, m/s."""
        raise NotImplementedError

    def drive(self, push: float, turn: float) -> np.ndarray:
        """The action [2] that pushes ahead and turns anticlockwise, each in [-1, 1]."""
        raise NotImplementedError

    def __init__(self, rng: np.random.Generator, steps: int) -> None:
        self._rng = rng
        spans = plan(rng, steps)
        slowest = 0.5 if rng.random() < 0.5 else 0.05
        self._caution = by_step(spans, uniform(rng, _CAUTION))
        self._push = by_step(spans, lambda style: rng.uniform(slowest, 1.0))
        self._reach = rng.uniform(0.5, 1.0)  # m; hazards that are nearer count
        self._steering = rng.uniform(0.6, 2.5)
        self._brake = rng.uniform(0.2, 1.0)
        self._lost_course = rng.uniform(-1, 1)
        self._wanders = rng.random() < 0.1  # does not look for the goal

    def act(self, observation: np.ndarray, step: int) -> np.ndarray:
        goal, hazards, vases = observation[self.first_lidar :].reshape(3, 16)
        if self.vases_cost:
            hazards = np.maximum(hazards, vases)
        sectors = _SECTORS - self.ahead
        danger = np.clip(1 - 3 * (1 - hazards) / self._reach, 0, 1) * (hazards > 0)
        towards = np.maximum(0, np.cos(_COURSES[:, None] - sectors))  # [courses, sectors]
        blocked = self._caution[step] * (towards**2 @ danger)
        course = float(_COURSES[np.argmax(np.cos(_COURSES - self._goal_course(goal)) - blocked)])
        ahead = self._caution[step] * float(np.max(danger * np.maximum(0, np.cos(sectors))))
        push = self._push[step] * max(0.0, np.cos(course)) * max(0.0, 1 - ahead)
        return self.drive(
            push - self._brake * min(1.0, ahead) * self.speed(observation), self._steering * course
        )

    def _goal_course(self, goal: np.ndarray) -> float:
        """Where the goal is, anticlockwise from ahead; when nothing is seen of it, somewhere."""
        if self._wanders or goal.max() <= 0:
            if self._rng.random() < 0.02:
                self._lost_course = self._rng.uniform(-1, 1)
            return self._lost_course
        return wrapped(np.angle(np.sum(goal * np.exp(1j * (_SECTORS - self.ahead)))))


class PointGoal(_Goal):
    """Pushes and turns."""

    first_lidar, ahead = 12, 0.0

    def speed(self, observation: np.ndarray) -> float:
        return observation[3]

    def drive(self, push: float, turn: float) -> np.ndarray:
        return np.array([push, turn])


class PointGoal2(PointGoal):
    """The same, among vases that cost something."""

    vases_cost = True


class CarGoal(_Goal):
    """Two wheels, which drive along -y when both turn ahead."""

    first_lidar, ahead = 24, -np.pi / 2

    def speed(self, observation: np.ndarray) -> float:
        return -observation[4]

    def drive(self, push: float, turn: float) -> np.ndarray:
        return np.array([push + turn, push - turn])
