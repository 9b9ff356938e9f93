"""Gaits: numbers in [0, 1], which `legs` explains.

Each has the arguments of `python -m r2pac.collect.search` that found it, or says that it was set by hand.
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
    # set by hand: a trot of 1.3 Hz, legs that are opposite together
    "AntRun": [
        0.3837, 0.7516, 0.8752, 0.5, 0.75, 0.5, 0.75, 0.9,
        0.45, 0.9, 0.45, 0.0, 0.13, 0.5, 0.63,
    ],
    # set by hand: the same of 2.2 Hz
    "AntCircle": [
        0.7692, 0.7762, 0.5405, 0.5, 0.5714, 0.5, 0.5714, 0.9,
        0.45, 0.9, 0.45, 0.0, 0.13, 0.5, 0.63,
    ],
}
# fmt: on
