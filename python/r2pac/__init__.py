"""R2PAC: safe policies from recorded data.

    data = r2pac.Dataset("SafetyBallRun-v0-80-940.hdf5")
    policy = r2pac.train({"seed": 1}, data, out="runs/ball-1")
    action = policy.act(observation)

Importing this package loads nothing compiled: names of the extension module are resolved when first used, so
that `python -m r2pac.env_server` and the like run where the extension is not installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from r2pac.errors import (
    CheckpointError,
    DataError,
    DeviceError,
    DiskError,
    DivergedError,
    Error,
    SettingsError,
    SimulatorError,
    UsageError,
)

if TYPE_CHECKING:
    from r2pac._core import Dataset, Episode, Policy, Values, __version__, train
    from r2pac.reach_avoid import ReachAvoidEnv
    from r2pac.serve_client import RemotePolicy, connect

_HOME = {
    "Dataset": "_core",
    "Episode": "_core",
    "Policy": "_core",
    "Values": "_core",
    "__version__": "_core",
    "train": "_core",
    "ReachAvoidEnv": "reach_avoid",
    "RemotePolicy": "serve_client",
    "connect": "serve_client",
}

__all__ = [
    "CheckpointError",
    "DataError",
    "Dataset",
    "DeviceError",
    "DiskError",
    "DivergedError",
    "Episode",
    "Error",
    "Policy",
    "ReachAvoidEnv",
    "RemotePolicy",
    "SettingsError",
    "SimulatorError",
    "UsageError",
    "Values",
    "__version__",
    "connect",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
