"""Drivers of Safety-Gymnasium's Goal, Button and Push tasks: from goal to goal; a cost for each step inside a
hazard, and for each touch of what else a task forbids.

The observation of the point robot: accelerometer (3), velocimeter (3), gyroscope (3), magnetometer (3), and
16 lidar readings for each kind of object. The car has its rear ball's angular velocity (3) and rotation (9)
before the lidar. A reading is 1 - distance / 3 m of what is nearest in a sector of 22.5 degrees, counted
anticlockwise from the robot's x axis; 0 where nothing is near. A neighbour of the sector in which an object is
has the same reading times the share of the sector that lies between the object and its other end.
"""

from __future__ import annotations

import numpy as np

from r2pac.collect.driver import wrapped
from r2pac.collect.styles import Style, by_step, plan, uniform

_RANGE = 3.0  # m, of the lidar
_WIDTH = np.pi / 8  # of a sector
_SECTORS = (np.arange(16) + 0.5) * _WIDTH  # their middles, from the x axis
_CAUTION = {Style.CAUTIOUS: (1.5, 4.0), Style.MEDIOCRE: (0.3, 1.5), Style.RECKLESS: (0.0, 0.2)}

Readings = dict[str, np.ndarray]  # by kind of object, [16]


def place(readings: np.ndarray, ahead: float) -> np.ndarray | None:
    """Where a single object is, in m ahead of the robot and to its left, by its readings [16]; None when
    nothing is near. `ahead` is counted from the x axis."""
    sector = int(np.argmax(readings))
    if readings[sector] <= 0:
        return None
    angle = _WIDTH * (sector + readings[(sector + 1) % 16] / readings[sector]) - ahead
    return _RANGE * (1 - readings[sector]) * np.array([np.cos(angle), np.sin(angle)])


class _Point:
    """Pushes and turns."""

    actions, steadiness = 2, 1.3
    first_lidar = 12  # column
    ahead = 0.0  # where the robot drives, anticlockwise from its x axis

    def speed(self, observation: np.ndarray) -> float:
        """Speed straight ahead, m/s."""
        return observation[3]

    def drive(self, push: float, turn: float) -> np.ndarray:
        """The action [2] that pushes ahead and turns anticlockwise, each in [-1, 1]."""
        return np.array([push, turn])


class _Car:
    """Two wheels, which drive along -y when both turn ahead."""

    actions, steadiness = 2, 1.3
    first_lidar, ahead = 24, -np.pi / 2

    def speed(self, observation: np.ndarray) -> float:
        return -observation[4]

    def drive(self, push: float, turn: float) -> np.ndarray:
        return np.array([push + turn, push - turn])


class _Navigator:
    """Of all courses the one that best agrees with the goal and least with what is avoided."""

    lidars: tuple[str, ...]  # kinds of object, in the order of the columns
    avoided: tuple[str, ...]  # kinds that cost something
    courses = np.arange(-18, 18) * np.pi / 18  # what a driver chooses from, anticlockwise from ahead

    def __init__(self, rng: np.random.Generator, steps: int) -> None:
        self._rng = rng
        spans = plan(rng, steps)
        slowest = 0.5 if rng.random() < 0.5 else 0.05
        self._caution = by_step(spans, uniform(rng, _CAUTION))
        self._push = by_step(spans, lambda style: rng.uniform(slowest, 1.0))
        self._reach = rng.uniform(0.5, 1.0)  # m; what is nearer is avoided
        self._steering = rng.uniform(0.6, 2.5)
        self._brake = rng.uniform(0.2, 1.0)
        self._lost_course = rng.uniform(-1, 1)
        self._wanders = rng.random() < 0.1  # does not look for the goal

    def act(self, observation: np.ndarray, step: int) -> np.ndarray:
        readings = dict(zip(self.lidars, observation[self.first_lidar :].reshape(-1, 16), strict=True))
        near = self.obstacles(readings, step)
        sectors = _SECTORS - self.ahead
        danger = np.clip(1 - _RANGE * (1 - near) / self._reach, 0, 1) * (near > 0)
        towards = np.maximum(0, np.cos(self.courses[:, None] - sectors))  # [courses, sectors]
        blocked = self._caution[step] * (towards**2 @ danger)
        agreement = np.cos(self.courses - self._goal_course(readings))
        course = float(self.courses[np.argmax(agreement - blocked)])
        ahead = self._caution[step] * float(np.max(danger * np.maximum(0, np.cos(sectors))))
        push = self._push[step] * max(0.0, np.cos(course)) * max(0.0, 1 - ahead)
        return self.drive(
            push - self._brake * min(1.0, ahead) * self.speed(observation), self._steering * course
        )

    def obstacles(self, readings: Readings, step: int) -> np.ndarray:
        """Readings [16] of the nearest of what is avoided."""
        return np.maximum.reduce([readings[kind] for kind in self.avoided])

    def target(self, readings: Readings) -> float | None:
        """Where to go, anticlockwise from ahead; None when nothing is seen of it."""
        goal = readings["goal"]
        return np.angle(np.sum(goal * np.exp(1j * (_SECTORS - self.ahead)))) if goal.max() > 0 else None

    def _goal_course(self, readings: Readings) -> float:
        """The target; without one, somewhere."""
        target = None if self._wanders else self.target(readings)
        if target is not None:
            return wrapped(target)
        if self._rng.random() < 0.02:
            self._lost_course = self._rng.uniform(-1, 1)
        return self._lost_course


class _Goal1(_Navigator):
    lidars, avoided = ("goal", "hazards", "vases"), ("hazards",)


class _Goal2(_Goal1):
    """The same, among vases that cost something."""

    avoided = ("hazards", "vases")


class _Reversing(_Navigator):
    """Goes back for a while where it has come to a halt."""

    def __init__(self, rng: np.random.Generator, steps: int) -> None:
        super().__init__(rng, steps)
        self._patience = int(rng.integers(20, 80))  # steps
        self._halted, self._back, self._turn, self._mean_speed = 0, 0, 0.0, 0.0

    def act(self, observation: np.ndarray, step: int) -> np.ndarray:
        action = super().act(observation, step)
        self._mean_speed += 0.05 * (self.speed(observation) - self._mean_speed)
        self._halted = self._halted + 1 if abs(self._mean_speed) < 0.08 else 0
        if self._halted > self._patience:
            self._halted, self._back, self._turn = 0, 40, self._rng.uniform(-0.5, 0.5)
        if self._back == 0:
            return action
        self._back -= 1
        return self.drive(-0.7, self._turn)


class _Button(_Reversing):
    """The goal is a button; what moves around costs something, and every other button, too."""

    lidars, avoided = ("buttons", "goal", "hazards", "gremlins"), ("hazards", "gremlins")

    def obstacles(self, readings: Readings, step: int) -> np.ndarray:
        buttons = readings["buttons"]
        wrong = np.where(buttons > readings["goal"] + 0.01, buttons, 0)  # the goal's button has its readings
        return np.maximum(super().obstacles(readings, step), wrong)


class _Push(_Reversing):
    """Pushes a box into the goal: goes round the box until the goal is behind it, and then ahead."""

    lidars, avoided = ("goal", "hazards", "pillars", "box"), ("hazards", "pillars")
    courses = np.arange(-90, 90) * np.pi / 90  # a box slips off where the course is rough

    def __init__(self, rng: np.random.Generator, steps: int) -> None:
        super().__init__(rng, steps)
        self._heeds_hazards = self._caution > _CAUTION[Style.RECKLESS][1]
        self._caution = np.maximum(self._caution, 1.0)  # a pillar stops everybody
        self._clearance = rng.uniform(0.35, 0.6)  # m, from the middle of the box, on the way round
        self._accuracy = rng.uniform(0.2, 0.5)  # rad, between box and goal, within which it pushes

    def obstacles(self, readings: Readings, step: int) -> np.ndarray:
        return super().obstacles(readings, step) if self._heeds_hazards[step] else readings["pillars"]

    def target(self, readings: Readings) -> float | None:
        box, goal = (place(readings[kind], self.ahead) for kind in ("box", "goal"))
        if box is None:
            return None
        to_box = np.arctan2(box[1], box[0])
        if goal is None:
            return to_box
        off = wrapped(np.arctan2(*(goal - box)[::-1]) - to_box)  # 0: the goal is straight behind the box
        if abs(off) < self._accuracy:
            return to_box - 0.8 * off  # pushes on the far side
        distance = float(np.hypot(*box))
        tangent = np.arcsin(min(1.0, self._clearance / max(distance, 1e-3)))
        return to_box - np.sign(off) * tangent


class PointGoal1(_Point, _Goal1):
    pass


class PointGoal2(_Point, _Goal2):
    pass


class PointButton(_Point, _Button):
    pass


class PointPush(_Point, _Push):
    pass


class CarGoal1(_Car, _Goal1):
    pass


class CarGoal2(_Car, _Goal2):
    pass


class CarButton(_Car, _Button):
    pass


class CarPush(_Car, _Push):
    """Pushes with its rear bumper, which is twice as wide as the one in front."""

    ahead = np.pi / 2

    def speed(self, observation: np.ndarray) -> float:
        return -super().speed(observation)

    def drive(self, push: float, turn: float) -> np.ndarray:
        return super().drive(-push, turn)
