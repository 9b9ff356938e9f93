"""Gaits that `python -m r2pac.collect.search` found: numbers in [0, 1], which `legs` explains.

Each has the command that found it.
"""

from __future__ import annotations

# fmt: off
GAITS: dict[str, list[float]] = {
    # --task HalfCheetahVelocity --drawn 120 --changed 200 --steps 150
    "HalfCheetah": [
        0.7439, 0.5155, 0.1805, 0.2961, 0.6197, 0.0296, 0.7084, 0.6175, 0.8077, 0.3304, 0.71,
        0.0, 0.7325, 0.4698, 0.2377, 0.4965, 1.0, 0.8566, 0.3669, 0.4087, 0.1249,
    ],
    # --task SwimmerVelocity --drawn 25 --changed 40 --steps 400
    "Swimmer": [0.3092, 1.0, 0.3159, 0.1827, 0.8602, 0.8581, 0.6505, 0.9584, 0.9257, 0.7482],
    # --task AntVelocity --drawn 120 --changed 200 --steps 150
    "AntVelocity": [
        0.6293, 0.1809, 0.381, 1.0, 0.0222, 0.3206, 0.0, 0.6667,
        0.7922, 0.3768, 0.0, 0.6022, 0.7154, 0.0613, 1.0,
    ],
}
# fmt: on
