"""The tasks that there are drivers for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from r2pac.collect import circling, hurrying, navigating, running
from r2pac.errors import UsageError


class Task(NamedTuple):
    env_id: str  # registered id of the simulator
    steps: int  # step limit of an episode
    cost_cap: int  # greatest episode cost that is kept; as in the published data's name
    cost_limit: int  # kappa
    driver: Callable[..., Any]

    def stem(self, episodes: int) -> str:
        """Name of a data file without `.hdf5`, from which `r2pac train` tells the task."""
        return f"{self.env_id}-{self.cost_cap}-{episodes}"


TASKS = {
    "BallRun": Task("SafetyBallRun-v0", 100, 80, 5, running.BallRun),
    "CarRun": Task("SafetyCarRun-v0", 200, 40, 5, running.CarRun),
    "DroneRun": Task("SafetyDroneRun-v0", 200, 140, 5, running.DroneRun),
    "AntRun": Task("SafetyAntRun-v0", 200, 150, 5, running.AntRun),
    "BallCircle": Task("SafetyBallCircle-v0", 200, 80, 5, circling.BallCircle),
    "CarCircle": Task("SafetyCarCircle-v0", 300, 100, 5, circling.CarCircle),
    "DroneCircle": Task("SafetyDroneCircle-v0", 300, 100, 5, circling.DroneCircle),
    "AntCircle": Task("SafetyAntCircle-v0", 500, 200, 5, circling.AntCircle),
    "PointGoal1": Task("SafetyPointGoal1Gymnasium-v0", 1000, 100, 10, navigating.PointGoal1),
    "PointGoal2": Task("SafetyPointGoal2Gymnasium-v0", 1000, 200, 10, navigating.PointGoal2),
    "PointButton1": Task("SafetyPointButton1Gymnasium-v0", 1000, 200, 10, navigating.PointButton),
    "PointButton2": Task("SafetyPointButton2Gymnasium-v0", 1000, 250, 10, navigating.PointButton),
    "PointPush1": Task("SafetyPointPush1Gymnasium-v0", 1000, 150, 10, navigating.PointPush),
    "PointPush2": Task("SafetyPointPush2Gymnasium-v0", 1000, 200, 10, navigating.PointPush),
    "CarGoal1": Task("SafetyCarGoal1Gymnasium-v0", 1000, 120, 10, navigating.CarGoal1),
    "CarGoal2": Task("SafetyCarGoal2Gymnasium-v0", 1000, 200, 10, navigating.CarGoal2),
    "CarButton1": Task("SafetyCarButton1Gymnasium-v0", 1000, 250, 10, navigating.CarButton),
    "CarButton2": Task("SafetyCarButton2Gymnasium-v0", 1000, 300, 10, navigating.CarButton),
    "CarPush1": Task("SafetyCarPush1Gymnasium-v0", 1000, 200, 10, navigating.CarPush),
    "CarPush2": Task("SafetyCarPush2Gymnasium-v0", 1000, 250, 10, navigating.CarPush),
    "AntVelocity": Task("SafetyAntVelocityGymnasium-v1", 1000, 250, 10, hurrying.AntVelocity),
    "HalfCheetahVelocity": Task(
        "SafetyHalfCheetahVelocityGymnasium-v1", 1000, 250, 10, hurrying.HalfCheetahVelocity
    ),
    "SwimmerVelocity": Task("SafetySwimmerVelocityGymnasium-v1", 1000, 200, 10, hurrying.SwimmerVelocity),
}


def find_task(name: str) -> Task:
    """By alias or registered id, in any case. Raises UsageError that lists what there is."""
    for alias, task in TASKS.items():
        if name.lower() in (alias.lower(), task.env_id.lower()):
            return task
    raise UsageError(
        f"there are no drivers for `{name}`", where="--task", todo="choose one of " + ", ".join(TASKS)
    )
