"""Driving styles, and the steps of an episode during which each holds."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping

import numpy as np


class Style(enum.Enum):
    CAUTIOUS = 0  # keeps a margin to the limits
    MEDIOCRE = 1  # plans along the limits and misses them now and then
    RECKLESS = 2  # looks at the reward alone


Span = tuple[int, int, Style]  # steps [first, last) and the style during them
_SHARES = (0.4, 0.25, 0.35)  # in the order of Style
_STYLES = tuple(Style)


def plan(rng: np.random.Generator, steps: int) -> list[Span]:
    """Styles of an episode: one throughout, two or three in turn, or caution with lapses."""
    kind = rng.choice(("one", "turns", "lapses"), p=(0.35, 0.3, 0.35))
    if kind == "lapses":
        return _lapses(rng, steps)
    count = 1 if kind == "one" else int(rng.integers(2, 4))
    cuts = [0, *sorted(int(cut) for cut in rng.integers(1, steps, count - 1)), steps]
    return [(first, last, _STYLES[rng.choice(3, p=_SHARES)]) for first, last in zip(cuts, cuts[1:])]


def _lapses(rng: np.random.Generator, steps: int) -> list[Span]:
    """Caution, and up to five short spells of recklessness, each at most a tenth of the episode."""
    styles = np.full(steps, Style.CAUTIOUS.value)
    for first in rng.integers(0, steps, int(rng.integers(1, 6))):
        styles[first : first + int(rng.integers(2, max(3, steps // 10)))] = Style.RECKLESS.value
    cuts = [0, *(int(cut) + 1 for cut in np.flatnonzero(np.diff(styles))), steps]
    return [(first, last, _STYLES[styles[first]]) for first, last in zip(cuts, cuts[1:])]


def by_step(spans: list[Span], draw: Callable[[Style], float]) -> np.ndarray:
    """[steps]: during each span the number that was drawn for its style."""
    return np.concatenate([np.full(last - first, draw(style)) for first, last, style in spans])


def uniform(rng: np.random.Generator, ranges: Mapping[Style, tuple[float, float]]) -> Callable[[Style], float]:
    """Draws between the two numbers that belong to a style."""
    return lambda style: float(rng.uniform(*ranges[style]))
