"""Published values of CDT for each task, and sizes (configuration of OSRL, commit 3e586b7)."""

from __future__ import annotations

from typing import NamedTuple


class TaskValues(NamedTuple):
    episode_steps: int
    degree: int  # of the polynomial through the best returns over cost, which augmentation goes beyond
    max_reward: float  # greatest return that augmentation asks for
    max_decrease: float  # how much less than its neighbour an augmented episode may have earned
    target_return: float  # of the first published pair of targets; its cost target is replaced by the limit


_METADRIVE = {"episode_steps": 1000, "max_reward": 500, "max_decrease": 100, "target_return": 300}
TASKS = {
    "BallRun": TaskValues(100, 2, 1400, 200, 500),
    "CarRun": TaskValues(200, 0, 600, 100, 575),
    "DroneRun": TaskValues(200, 1, 700, 100, 400),
    "AntRun": TaskValues(200, 3, 1000, 150, 700),
    "BallCircle": TaskValues(200, 2, 1000, 200, 700),
    "CarCircle": TaskValues(300, 4, 600, 100, 450),
    "DroneCircle": TaskValues(300, 1, 1000, 100, 700),
    "AntCircle": TaskValues(500, 2, 500, 100, 300),
    "CarButton1": TaskValues(1000, 0, 45, 10, 35),
    "CarButton2": TaskValues(1000, 0, 50, 10, 40),
    "CarCircle1": TaskValues(500, 1, 30, 10, 20),
    "CarCircle2": TaskValues(500, 1, 30, 10, 20),
    "CarGoal1": TaskValues(1000, 1, 50, 5, 40),
    "CarGoal2": TaskValues(1000, 1, 35, 5, 30),
    "CarPush1": TaskValues(1000, 0, 20, 5, 15),
    "CarPush2": TaskValues(1000, 0, 15, 3, 12),
    "PointButton1": TaskValues(1000, 0, 45, 5, 40),
    "PointButton2": TaskValues(1000, 0, 50, 10, 40),
    "PointCircle1": TaskValues(500, 1, 65, 5, 50),
    "PointCircle2": TaskValues(500, 1, 55, 5, 45),
    "PointGoal1": TaskValues(1000, 0, 35, 5, 30),
    "PointGoal2": TaskValues(1000, 1, 35, 5, 30),
    "PointPush1": TaskValues(1000, 0, 20, 5, 15),
    "PointPush2": TaskValues(1000, 0, 15, 3, 12),
    "AntVelocity": TaskValues(1000, 1, 3000, 500, 2800),
    "HalfCheetahVelocity": TaskValues(1000, 1, 3000, 500, 3000),
    "HopperVelocity": TaskValues(1000, 1, 2000, 300, 1750),
    "SwimmerVelocity": TaskValues(1000, 1, 250, 50, 160),
    "Walker2dVelocity": TaskValues(1000, 1, 3600, 800, 2800),
    "easysparse": TaskValues(degree=2, **_METADRIVE),
    "easymean": TaskValues(degree=2, **_METADRIVE),
    "easydense": TaskValues(degree=2, **_METADRIVE),
    "mediumsparse": TaskValues(1000, 0, 300, 100, 300),
    "mediummean": TaskValues(1000, 0, 300, 100, 300),
    "mediumdense": TaskValues(1000, 4, 600, 100, 450),  # the published file has no values of its own for it
    "hardsparse": TaskValues(degree=1, **_METADRIVE),
    "hardmean": TaskValues(degree=1, **_METADRIVE),
    "harddense": TaskValues(degree=1, **_METADRIVE),
}
METADRIVE_STEPS = 200_000
METADRIVE = tuple(name for name in TASKS if name.startswith(("easy", "medium", "hard")))


class Size(NamedTuple):
    width: int  # of the embeddings
    layers: int
    heads: int
    batch: int
    steps: int
    augment: float  # augmented episodes, as a share


SIZES = {
    "tiny": Size(16, 1, 2, 16, 40, 0.0),
    "mini": Size(64, 2, 8, 64, 4_000, 0.2),
    "published": Size(128, 3, 8, 2048, 100_000, 0.2),
}
