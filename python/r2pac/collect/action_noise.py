"""Noise and faults between the action that a driver means and the one that it takes."""

from __future__ import annotations

import numpy as np


class ActionNoise:
    """Tremor, drift, slips and, rarely, an actuator that is weak or dead.

    Tremor is white, drift a first-order autoregression; a slip repeats one random action for some steps. All
    levels are drawn once for an episode, so that some drivers are precise and some are not.
    """

    def __init__(self, rng: np.random.Generator, actions: int, steadiness: float = 1.0) -> None:
        """actions: A; steadiness > 0: the noise is divided by it, for simulators that forgive little."""
        self._rng = rng
        clumsiness = rng.choice((0.02, 0.1, 0.3, 0.6), p=(0.3, 0.35, 0.25, 0.1)) / steadiness
        self._tremor = clumsiness * rng.uniform(0.5, 1.2)
        self._drift_scale = clumsiness * rng.uniform(0.0, 1.2)
        self._persistence = rng.uniform(0.85, 0.97)
        self._drift = np.zeros(actions)
        self._slip_chance = rng.choice((0.0, 0.008, 0.03), p=(0.55, 0.3, 0.15)) / steadiness
        self._slip_steps = 0
        self._slip_action = np.zeros(actions)
        faulty = rng.random(actions) < 0.03
        self._gains = np.where(faulty, rng.choice((0.0, 0.4, 0.7), actions), 1.0)

    def __call__(self, meant: np.ndarray) -> np.ndarray:
        """The action taken, [A] in [-1, 1], float32."""
        rng, size = self._rng, len(self._drift)
        fresh = np.sqrt(1 - self._persistence**2) * rng.standard_normal(size)
        self._drift = self._persistence * self._drift + self._drift_scale * fresh
        if self._slip_steps == 0 and rng.random() < self._slip_chance:
            self._slip_steps = int(rng.integers(2, 10))
            self._slip_action = rng.uniform(-1, 1, size)
        if self._slip_steps > 0:
            self._slip_steps -= 1
            meant = self._slip_action
        taken = self._gains * meant + self._drift + self._tremor * rng.standard_normal(size)
        return np.clip(taken, -1, 1).astype(np.float32)
