"""What a driver cares about, and when it changes its mind."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping

import numpy as np


class Mood(enum.Enum):
    CAUTIOUS = 0  # keeps a margin to the limits
    MEDIOCRE = 1  # plans along the limits and misses them now and then
    RECKLESS = 2  # looks at the reward alone


Span = tuple[int, int, Mood]  # steps [first, last) and the mood during them
_SHARES = (0.4, 0.25, 0.35)  # in the order of Mood
_MOODS = tuple(Mood)


def plan(rng: np.random.Generator, steps: int) -> list[Span]:
    """Moods of an episode: one throughout, two or three in turn, or caution with lapses."""
    kind = rng.choice(("one", "turns", "lapses"), p=(0.35, 0.3, 0.35))
    if kind == "lapses":
        return _lapses(rng, steps)
    count = 1 if kind == "one" else int(rng.integers(2, 4))
    cuts = [0, *sorted(int(cut) for cut in rng.integers(1, steps, count - 1)), steps]
    return [(first, last, _MOODS[rng.choice(3, p=_SHARES)]) for first, last in zip(cuts, cuts[1:])]


def _lapses(rng: np.random.Generator, steps: int) -> list[Span]:
    """Caution, and up to five short spells of recklessness, each at most a tenth of the episode."""
    moods = np.full(steps, Mood.CAUTIOUS.value)
    for first in rng.integers(0, steps, int(rng.integers(1, 6))):
        moods[first : first + int(rng.integers(2, max(3, steps // 10)))] = Mood.RECKLESS.value
    cuts = [0, *(int(cut) + 1 for cut in np.flatnonzero(np.diff(moods))), steps]
    return [(first, last, _MOODS[moods[first]]) for first, last in zip(cuts, cuts[1:])]


def schedule(spans: list[Span], draw: Callable[[Mood], float]) -> np.ndarray:
    """[steps]: during each span the number that was drawn for its mood."""
    return np.concatenate([np.full(last - first, draw(mood)) for first, last, mood in spans])


def uniform(rng: np.random.Generator, ranges: Mapping[Mood, tuple[float, float]]) -> Callable[[Mood], float]:
    """Draws between the two numbers that belong to a mood."""
    return lambda mood: float(rng.uniform(*ranges[mood]))
