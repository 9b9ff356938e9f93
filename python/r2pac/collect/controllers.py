"""Velocity controllers of the robots of bullet-safety-gym.

Gains are drawn once for an episode: some drivers are sluggish, some overshoot.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from r2pac.collect.driver import wrapped


class Controller(Protocol):
    """Made as Controller(rng), which draws its gains."""

    actions: int  # A

    def follow(self, observation: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Action [A] towards velocity `wanted` [2], m/s, in observation [S]."""


class Follower:
    """A driver whose robot follows the velocity that the driver wants.

    A constructor draws what it wants from `rng` first, and then calls this one.
    """

    robot: type[Controller]

    def __init__(self, rng: np.random.Generator) -> None:
        self._controller = self.robot(rng)

    @property
    def actions(self) -> int:
        return self.robot.actions

    def wanted(self, observation: np.ndarray, step: int) -> np.ndarray:
        """Velocity [2], m/s."""
        raise NotImplementedError

    def act(self, observation: np.ndarray, step: int) -> np.ndarray:
        return self._controller.follow(observation, self.wanted(observation, step))


class Ball:
    """Two forces. Observation: position / 10 m (2), velocity / 5 m/s (2), spin (3)."""

    actions = 2

    def __init__(self, rng: np.random.Generator) -> None:
        self._gain = rng.uniform(0.3, 1.6)
        self._rolling = rng.uniform(0.0, 0.08)  # force against friction for each m/s

    def follow(self, observation: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Action [2] towards velocity `wanted` [2], m/s."""
        return self._gain * (wanted - 5 * observation[2:4]) + self._rolling * wanted


class Car:
    """Wheel speed and steering angle. Observation: position / 10 m (2), velocity / 1 m/s (2), sine and cosine
    of yaw, yaw rate. The car is built the wrong way round: it drives ahead on negative wheel speed, with a
    yaw of pi where it looks along +x, and positive steering turns it clockwise.
    """

    actions = 2

    _METRES_PER_SECOND = 3.8  # at full wheel speed, about

    def __init__(self, rng: np.random.Generator) -> None:
        self._steering = rng.uniform(0.7, 2.8)
        self._correction = rng.uniform(0.0, 1.2)
        self._slowing = rng.uniform(0.0, 0.5)  # share of the speed that a full turn takes away

    def follow(self, observation: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Action [2] towards velocity `wanted` [2], m/s."""
        heading = np.arctan2(-observation[4], -observation[5])
        ahead = observation[2] * np.cos(heading) + observation[3] * np.sin(heading)
        turn = wrapped(np.arctan2(wanted[1], wanted[0]) - heading)
        speed = np.hypot(*wanted) * (1 - self._slowing * min(1.0, abs(turn)))
        wheels = speed / self._METRES_PER_SECOND + self._correction * (speed - ahead)
        return np.array([-wheels, -self._steering * turn])


class Drone:
    """Four rotors at +x, -y, -x and +y, around the speeds that hover. Observation: position / 10 m (3),
    velocity / 5 m/s (3), quaternion (4, w last), angular rate / 10 rad/s (3), rotor speeds (4).

    The wild lean far and damp little; some of them turn over, which ends the episode.
    """

    actions = 4

    def __init__(self, rng: np.random.Generator) -> None:
        wild = rng.random() < 0.2
        self._height = rng.uniform(0.3, 1.8)  # m
        self._lean = rng.uniform(0.4, 1.3) if wild else rng.uniform(0.15, 0.5)  # rad, at most
        self._damping = rng.uniform(0.0, 0.4) if wild else rng.uniform(0.6, 1.2)
        self._stiffness = rng.uniform(1.5, 5.0)
        self._eagerness = rng.uniform(0.15, 0.5)  # rad for each m/s that is missing

    def follow(self, observation: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Action [4] towards horizontal velocity `wanted` [2], m/s, at the driver's height."""
        missing = wanted - 5 * observation[3:5]
        lean = np.clip(self._eagerness * missing, -self._lean, self._lean)  # towards +x and +y
        qx, qy, qz, qw = observation[6:10]
        roll = np.arctan2(2 * (qw * qx + qy * qz), 1 - 2 * (qx**2 + qy**2))
        pitch = np.arcsin(np.clip(2 * (qw * qy - qz * qx), -1, 1))
        rate = 10 * observation[10:13]
        about_y = self._stiffness * (lean[0] - pitch) - self._damping * rate[1]
        about_x = self._stiffness * (-lean[1] - roll) - self._damping * rate[0]
        climb = 1.2 * (self._height - 10 * observation[2]) - 4.5 * observation[5]
        lift = climb + 2.5 * float(lean @ lean)  # what leaning takes from the lift
        return np.array([lift - about_y, lift - about_x, lift + about_y, lift + about_x])


class TurnedDrone(Drone):
    """A drone that looks anywhere, and that is steered every 0.1 s instead of 60 times a second."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self._stiffness *= 0.6
        self._eagerness *= 0.4

    def follow(self, observation: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Turns all that is horizontal into the frame in which the drone looks along +x."""
        qx, qy, qz, qw = observation[6:10]
        yaw = np.arctan2(2 * (qw * qz + qx * qy), 1 - 2 * (qy**2 + qz**2))
        turn = np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]])
        own = observation.copy()
        own[3:5], own[10:12] = turn @ observation[3:5], turn @ observation[10:12]
        return super().follow(own, turn @ wanted)
