"""Which candidates are kept: drivers of one kind end up close together, and the data should not."""

from __future__ import annotations

import numpy as np

_BANDS = 12  # of cost above the limit, and of return
_SAFE_WEIGHT = 4  # as many times the episodes in cells within the limit: the fewer bands there


def keep(
    returns: np.ndarray, costs: np.ndarray, limit: float, cap: float, wanted: int, rng: np.random.Generator
) -> np.ndarray:
    """Indices, ascending, of at most `wanted` of the candidates [N] whose cost is at most `cap`.

    The plane of cost and return is cut into cells: one band of cost within the limit and equal ones above it,
    and equal bands of return, but for the outermost four percent. Candidates are taken in rounds, one from
    each cell (several from those within the limit), so that crowded cells are thinned first.
    """
    eligible = rng.permutation(np.flatnonzero(costs <= cap))
    cost_edges = np.append(np.linspace(limit, cap, _BANDS + 1), np.inf)
    cost_band = np.searchsorted(cost_edges, costs[eligible], side="left")  # 0: within the limit
    low, high = np.quantile(returns[eligible], (0.02, 0.98)) if len(eligible) else (0.0, 0.0)
    return_edges = np.linspace(low, high, _BANDS + 1)[1:-1]
    return_band = np.searchsorted(return_edges, returns[eligible])
    taken: dict[tuple[int, int], int] = {}
    rounds = np.empty(len(eligible))
    for i, cell in enumerate(zip(cost_band.tolist(), return_band.tolist())):
        rounds[i] = taken.get(cell, 0) // (_SAFE_WEIGHT if cell[0] == 0 else 1)
        taken[cell] = taken.get(cell, 0) + 1
    return np.sort(eligible[np.argsort(rounds, kind="stable")[:wanted]])
