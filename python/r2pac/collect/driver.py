"""What every driver is, and the one that does not look."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Driver(Protocol):
    """One behaviour during one episode, drawn from `rng` when it is made as Driver(rng, steps)."""

    actions: int  # A
    steadiness: float  # divides its ActionNoise

    def act(self, observation: np.ndarray, step: int) -> np.ndarray:
        """The action meant in observation [S] at a step in [0, steps), [A]."""


class Blind:
    """Random actions, each held for a while."""

    def __init__(self, rng: np.random.Generator, actions: int) -> None:
        self._rng, self._size = rng, actions
        self._hold = int(rng.integers(1, 25))
        self._action = np.zeros(actions)

    def act(self, observation: np.ndarray, step: int) -> np.ndarray:
        if step % self._hold == 0:
            self._action = self._rng.uniform(-1, 1, self._size)
        return self._action


def wrapped(angle: float) -> float:
    """The same angle in [-pi, pi)."""
    return float((angle + np.pi) % (2 * np.pi) - np.pi)
