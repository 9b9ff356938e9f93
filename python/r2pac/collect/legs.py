"""Robots that swing their joints: sines of one frequency, which position controllers follow.

A gait is a list of numbers in [0, 1], as `gaits` has them and `search` finds them. A driver scales the swings
until the speed is what it wants. Positions of joints are in halves of the range, from its middle: [-1, 1].
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from r2pac.collect import gaits
from r2pac.collect.driver import wrapped


class Swings(NamedTuple):
    """What joints [n] swing around (`middle`), how far, and when, in cycles."""

    middle: np.ndarray
    reach: np.ndarray
    phase: np.ndarray

    def at(self, cycles: float, scale: float) -> np.ndarray:
        """Wanted positions [n]."""
        return self.middle + scale * self.reach * np.sin(2 * np.pi * (cycles + self.phase))


def _between(low: float, high: float, share: float) -> float:
    """low for share 0, high for 1, with equal ratios between."""
    return low * (high / low) ** share


class Legged:
    """A controller (`controllers.Controller`) that follows a wanted velocity by a gait."""

    gait: str  # its name in `gaits`
    actions: int
    swinging: int  # joints whose swings the gait has
    frequency: tuple[float, float]  # cycles a step, least and greatest
    stiffness = (0.2, 4.0)  # action for each half range that is missing
    damping = (0.005, 0.3)  # s, action for each rad/s
    lean = 0.7  # farthest middle of a swing
    more = 0  # numbers of a gait that a robot explains itself

    def __init__(self, rng: np.random.Generator, gait: list[float] | None = None) -> None:
        """gait: numbers in [0, 1], `numbers()` of them; default: the robot's own in `gaits`."""
        numbers = np.asarray(gaits.GAITS[self.gait] if gait is None else gait)
        self._frequency = _between(*self.frequency, numbers[0])
        self._stiffness = _between(*self.stiffness, numbers[1])
        self._damping = _between(*self.damping, numbers[2])
        middle, reach, phase = numbers[3 : 3 + 3 * self.swinging].reshape(3, -1)
        self._swings = self.arrange(Swings(self.lean * (2 * middle - 1), reach, phase))
        self._own = numbers[3 + 3 * self.swinging :]
        self._haste = rng.uniform(0.01, 0.04)  # change of the scale in a step, for each share of speed missing
        self._cycles, self._scale, self._speed = rng.random(), 0.5, 0.0

    @classmethod
    def numbers(cls) -> int:
        return 3 + 3 * cls.swinging + cls.more

    def joints(self, observation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions [A] and rates [A] in rad/s, in the order of the actions."""
        raise NotImplementedError

    def velocity(self, observation: np.ndarray) -> np.ndarray:
        """(x, y) in m/s."""
        raise NotImplementedError

    def arrange(self, swings: Swings) -> Swings:
        """The swings of all joints from those that the gait has."""
        return swings

    def target(self, observation: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Wanted positions [A]."""
        return self._swings.at(self._cycles, self._scale)

    def follow(self, observation: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        pace = max(float(np.hypot(*wanted)), 1e-3)
        self._speed += 0.1 * (float(self.velocity(observation) @ wanted) / pace - self._speed)
        error = float(np.clip(1 - self._speed / pace, -1, 1))
        self._scale = float(np.clip(self._scale + self._haste * error, 0.0, 1.0))
        self._cycles += self._frequency
        position, rate = self.joints(observation)
        return self._stiffness * (self.target(observation, wanted) - position) - self._damping * rate


class HalfCheetah(Legged):
    """Observation: height, pitch, joints (6); velocity ahead and up, pitch rate, joint rates (6)."""

    gait, actions, swinging = "HalfCheetah", 6, 6
    frequency = (0.03, 0.25)
    _low = np.array([-0.52, -0.785, -0.4, -1.0, -1.2, -0.5])  # rad
    _high = np.array([1.05, 0.785, 0.785, 0.7, 0.87, 0.5])

    def joints(self, observation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        half = (self._high - self._low) / 2
        return (observation[2:8] - self._low) / half - 1, observation[11:17]

    def velocity(self, observation: np.ndarray) -> np.ndarray:
        return np.array([observation[8], 0.0])


class Swimmer(Legged):
    """Observation: angle of the head, joints (2); velocity (x, y), angular rate of the head, joint rates (2).

    It steers by bending to one side; the gait's last number says how much, and to which one.
    """

    gait, actions, swinging, more = "Swimmer", 2, 2, 1
    frequency = (0.01, 0.12)
    lean = 0.0  # bent, it would swim in circles

    def joints(self, observation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return observation[1:3] / np.deg2rad(100), observation[6:8]

    def velocity(self, observation: np.ndarray) -> np.ndarray:
        return observation[3:5]

    def target(self, observation: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        heading = observation[0] + np.deg2rad(100) * np.sum(observation[1:3]) / 3  # of the whole body, about
        return super().target(observation, wanted) + (2 * self._own[0] - 1) * heading


class _Ant(Legged):
    """Four legs, counted anticlockwise from ahead on the left; each has a hip, which turns anticlockwise, and an
    ankle, which bends down for positive numbers. Since the legs are alike, a gait in which each leg does what
    its neighbour did leads a quarter turn further; between two such directions, both gaits are mixed.

    A gait has the two left legs. The right ones do the mirror image, half a cycle later.
    """

    actions, swinging = 8, 4
    legs = (0, 1, 2, 3)  # in the order of the actions
    quaternion: list[int]  # columns of w, x, y, z
    _ANKLES = np.array([1, -1, -1, 1])  # the sense of an ankle's joint when it bends down, by leg

    def arrange(self, swings: Swings) -> Swings:
        middle, reach, phase = (values.reshape(2, 2) for values in swings)
        mirror = np.array([-1, 1])  # of hip and ankle
        return Swings(
            np.vstack([middle, mirror * middle[::-1]]),
            np.vstack([reach, mirror * reach[::-1]]),
            np.vstack([phase, phase[::-1] + 0.5]),
        )

    def yaw(self, observation: np.ndarray) -> float:
        w, x, y, z = observation[self.quaternion]
        return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y**2 + z**2)))

    def by_leg(self, joints: np.ndarray) -> np.ndarray:
        """Hips and ankles [4, 2], by leg, from joints in the order of the legs [8]."""
        legs = joints.reshape(4, 2).copy()
        legs[:, 1] *= self._ANKLES
        return legs

    def target(self, observation: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        quarters = (np.arctan2(wanted[1], wanted[0]) - self.yaw(observation)) / (np.pi / 2) % 4
        first = int(quarters)
        weights = np.array([np.cos(np.pi / 2 * (quarters - first)), np.sin(np.pi / 2 * (quarters - first))])
        share = weights / weights.sum()
        middle = share @ [np.roll(self._swings.middle, first + k, 0).ravel() for k in (0, 1)]
        full = self._swings.at(self._cycles, self._scale) - self._swings.middle
        swing = weights @ [np.roll(full, first + k, 0).ravel() for k in (0, 1)]
        return self.by_leg(middle + swing)[list(self.legs)].ravel()

    def joints(self, observation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return tuple(values.reshape(4, 2)[list(self.legs)].ravel() for values in self.leg_joints(observation))

    def leg_joints(self, observation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions [8] and rates [8] in the order of the legs."""
        raise NotImplementedError


class BulletAnt(_Ant):
    """Observation: position / 10 m (3), velocity / (10 / 3) m/s (3), quaternion (4, w last), angular rate (3), then for
    each joint by leg half its position and rate / 20 rad/s (16), contacts of the feet (4).

    It weighs 182 kg, and legs that push unequally turn it. So it always walks ahead, and steers: the hips of one side
    swing farther than those of the other.
    """

    quaternion = [9, 6, 7, 8]
    _SIDES = np.array([[-1, 0], [-1, 0], [1, 0], [1, 0]])  # a turn to the left takes hips on the right farther

    def __init__(self, rng: np.random.Generator, gait: list[float] | None = None) -> None:
        super().__init__(rng, gait)
        self._steering = rng.uniform(0.7, 1.2)  # share of the swings for each rad

    def target(self, observation: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        turn = self._steering * wrapped(np.arctan2(wanted[1], wanted[0]) - self.yaw(observation))
        share = np.clip(1 + self._SIDES * np.clip(turn, -1.5, 1.5), -1.2, 1.2)
        middle = self._swings.middle
        return self.by_leg(middle + share * (self._swings.at(self._cycles, self._scale) - middle)).ravel()

    def leg_joints(self, observation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 2 * observation[13:29:2], 20 * observation[14:29:2]

    def velocity(self, observation: np.ndarray) -> np.ndarray:
        return observation[3:5] / 0.3


class RunningAnt(BulletAnt):
    """Steered 30 times a second. Above the speed that is wanted it lets its legs go limp: its body sways, and what
    counts is the speed of each step.
    """

    gait = "AntRun"
    frequency = (0.02, 0.15)
    stiffness = (0.2, 8.0)

    def __init__(self, rng: np.random.Generator, gait: list[float] | None = None) -> None:
        super().__init__(rng, gait)
        self._margin = rng.uniform(0.3, 0.5)  # m/s
        self._scale = 0.2

    def follow(self, observation: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        action = super().follow(observation, wanted)
        fast = np.hypot(*self.velocity(observation)) > np.hypot(*wanted) + self._margin
        return -self._damping * self.joints(observation)[1] if fast else action


class CirclingAnt(BulletAnt):
    """Steered every 0.1 s, which is seldom for legs of this strength: smaller swings hardly carry it along."""

    gait = "AntCircle"
    frequency = (0.03, 0.4)
    stiffness = (0.05, 4.0)
    damping = (0.002, 0.3)

    def __init__(self, rng: np.random.Generator, gait: list[float] | None = None) -> None:
        super().__init__(rng, gait)
        self._scale = 1.0


class MujocoAnt(_Ant):
    """Observation: height, quaternion (4, w first), joints (8) by leg; velocity (3), angular rate (3), rates (8).

    The actions begin with the fourth leg.
    """

    gait = "AntVelocity"
    frequency = (0.02, 0.2)
    legs = (3, 0, 1, 2)
    quaternion = [1, 2, 3, 4]

    def leg_joints(self, observation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        middle = np.deg2rad(self.by_leg(np.tile([0.0, 50.0], 4))).ravel()
        half = np.deg2rad(np.tile([30.0, 20.0], 4))
        return (observation[5:13] - middle) / half, observation[19:27]

    def velocity(self, observation: np.ndarray) -> np.ndarray:
        return observation[13:15]
