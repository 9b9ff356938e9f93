"""The simulators that papers score in, by their registered names.

`factory(env_id)` imports the package that an id belongs to and returns a function that makes one simulator.

Quirks that are dealt with here and in `r2pac.env_server` (docs/environments.md tells them all):

* safety-gymnasium 0.4 gives dataclass fields arrays as defaults, which Python 3.11 and later refuse.
* Its navigation tasks decode 24 MB of pictures of the sky twice at every reset.
* DSRL's MetaDrive tasks are registered with the older `gym`.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import difflib
import importlib
import os
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

from r2pac.errors import SimulatorError

BULLET_TASKS = tuple(
    f"Safety{robot}{task}-v0" for task in ("Run", "Circle") for robot in ("Ball", "Car", "Drone", "Ant")
)
NAVIGATION_TASKS = tuple(
    f"Safety{robot}{task}{level}Gymnasium-v0"
    for robot in ("Point", "Car")
    for task in ("Goal", "Button", "Push", "Circle")
    for level in (1, 2)
)
VELOCITY_TASKS = tuple(
    f"Safety{robot}VelocityGymnasium-v1" for robot in ("Ant", "HalfCheetah", "Hopper", "Swimmer", "Walker2d")
)

_BULLET = re.compile(r"Safety(Ball|Car|Drone|Ant)(Run|Circle|Reach|Gather)-v\d+")
_SAFETY_GYMNASIUM = re.compile(r"Safety\w+Gymnasium-v\d+")
_METADRIVE = re.compile(r"OfflineMetadrive-\w+-v\d+")

_SKY = (
    '<texture type="skybox" builtin="gradient" rgb1=".6 .75 .9" rgb2=".9 .95 1" width="32" height="32"></texture>'
)

_SETUP = "./setup.sh --simulators"
_SETUP_METADRIVE = (
    "pip install gym==0.26.2 dsrl==0.1.0"
    " 'metadrive-simulator @ git+https://github.com/HenryLHH/metadrive_clean.git@main'"
)


def factory(env_id: str) -> Callable[[], Any]:
    """A function without arguments that makes a fresh simulator of a registered id.

    Ids of bullet-safety-gym, safety-gymnasium (those with `Gymnasium` in them) and DSRL's MetaDrive; any
    other id is looked up by Gymnasium, which also knows `module:Id`. Raises SimulatorError: a package is
    missing, or nobody knows the id.
    """
    if _METADRIVE.fullmatch(env_id):
        return _metadrive_factory(env_id)
    if _SAFETY_GYMNASIUM.fullmatch(env_id):
        os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
        with array_defaults():
            _load("safety_gymnasium", "safety-gymnasium", _SETUP)
            _leave_out_the_sky(importlib.import_module("safety_gymnasium.world"))
    elif _BULLET.fullmatch(env_id):
        _load("bullet_safety_gym", "bullet-safety-gym", _SETUP)
    gymnasium = _load("gymnasium", "gymnasium", _SETUP)
    try:
        gymnasium.spec(env_id)
    except (gymnasium.error.Error, ImportError) as error:
        known = [*gymnasium.registry, *BULLET_TASKS, *NAVIGATION_TASKS, *VELOCITY_TASKS]
        near = difflib.get_close_matches(env_id, known, n=1)
        todo = f"did you mean `{near[0]}`?" if near else "see docs/environments.md for the names"
        raise SimulatorError(f"no simulator is registered as `{env_id}`", todo=todo) from error

    def make() -> Any:
        with array_defaults():  # a package may import its tasks when it makes the first one
            return gymnasium.make(env_id, disable_env_checker=True)

    return make


def _load(module: str, package: str, install: str) -> Any:
    """The imported module; SimulatorError where the package is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = "" if error.name == module else f" (there is no module `{error.name}`)"
        raise SimulatorError(
            f"{package} is not installed{missing}", todo=f"install it with `{install}`"
        ) from error


def _leave_out_the_sky(world: Any) -> None:
    """Decoding the pictures of the sky takes nearly all of the time of a reset; a gradient does as well."""
    if isinstance(world.xmltodict, types.ModuleType):
        sky = re.compile(r'<texture type="skybox"[^>]*></texture>')
        unparse = world.xmltodict.unparse
        world.xmltodict = types.SimpleNamespace(
            parse=world.xmltodict.parse, unparse=lambda document: sky.sub(_SKY, unparse(document))
        )


def _metadrive_factory(env_id: str) -> Callable[[], Any]:
    """DSRL's MetaDrive tasks: they need the fork of MetaDrive that DSRL uses, `dsrl` and the older `gym`."""
    _load("metadrive", "MetaDrive", _SETUP_METADRIVE)
    with array_defaults():
        _load("dsrl.offline_metadrive", "dsrl", _SETUP_METADRIVE)
    gym = _load("gym", "gym", _SETUP_METADRIVE)
    return lambda: gym.make(env_id, disable_env_checker=True)


@contextlib.contextmanager
def array_defaults() -> Iterator[None]:
    """Within, dataclasses may have unhashable defaults, of which each instance gets a copy."""
    original = dataclasses.dataclass

    def dataclass(cls: type | None = None, /, **options: Any) -> Any:
        if cls is None:
            return lambda later: dataclass(later, **options)
        for name in cls.__dict__.get("__annotations__", {}):
            default = cls.__dict__.get(name)
            if default.__class__.__hash__ is None and not isinstance(default, (list, dict, set)):
                setattr(cls, name, dataclasses.field(default_factory=_Copies(default)))
        return original(cls, **options)

    dataclasses.dataclass = dataclass
    try:
        yield
    finally:
        dataclasses.dataclass = original


class _Copies:
    """Called, it returns a new copy of a value."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __call__(self) -> Any:
        return copy.deepcopy(self._value)
