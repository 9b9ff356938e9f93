"""R2PAC's data sets, training, policies and built-in robot, in C++; the module has the docstrings."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeAlias, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Path: TypeAlias = str | PathLike[str]
_Floats: TypeAlias = NDArray[np.float32]

__version__: str

class Episode(NamedTuple):
    observations: _Floats
    actions: _Floats
    rewards: _Floats
    costs: _Floats
    terminal: bool

class Dataset:
    def __init__(self, path: _Path) -> None: ...
    @staticmethod
    def from_arrays(
        *,
        observations: ArrayLike,
        actions: ArrayLike,
        next_observations: ArrayLike,
        rewards: ArrayLike,
        costs: ArrayLike,
        terminals: ArrayLike,
        timeouts: ArrayLike,
        name: str = "arrays",
    ) -> Dataset: ...
    @property
    def path(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def episodes(self) -> int: ...
    @property
    def observation_dim(self) -> int: ...
    @property
    def action_dim(self) -> int: ...
    @property
    def warnings(self) -> list[str]: ...
    @property
    def observations(self) -> _Floats: ...
    @property
    def actions(self) -> _Floats: ...
    @property
    def rewards(self) -> _Floats: ...
    @property
    def costs(self) -> _Floats: ...
    @property
    def terminals(self) -> NDArray[np.uint8]: ...
    @property
    def row_indices(self) -> NDArray[np.int64]: ...
    @property
    def episode_starts(self) -> NDArray[np.int64]: ...
    @property
    def episode_lengths(self) -> NDArray[np.int64]: ...
    @property
    def episode_returns(self) -> NDArray[np.float64]: ...
    @property
    def episode_costs(self) -> NDArray[np.float64]: ...
    def episode(self, index: int) -> Episode: ...

class Values(NamedTuple):
    v_r: _Floats
    v_c: _Floats
    safe: NDArray[np.bool_]
    q_r: _Floats | None = None
    q_c: _Floats | None = None

class _Acting(TypedDict, total=False):
    """Settings of the stage acting, the names that some had before, and the cost limit."""

    guidance_scale: float | None
    flow_steps: int | None
    num_candidates: int | None
    selection: Literal["least-cost", "region"] | None
    label: Literal["1", "null"] | None
    region_bound: float | Literal["auto"] | None
    bound_scale: float | None
    budget: Literal["none", "remaining", "half"] | None
    act_with: Literal["actor", "flow"] | None
    cost_limit: float | None
    candidates: int | None
    guidance: float | None
    threshold: float | Literal["auto"] | None

class Policy:
    @staticmethod
    def load(
        path: _Path,
        *,
        threads: int = 0,
        device: str = "cpu",
        precision: Literal["fp32", "tf32", "bf16"] = "fp32",
    ) -> Policy: ...
    def configure(self, **settings: Unpack[_Acting]) -> Self: ...
    def reset(self, seed: int | None = None, *, episode: int | None = None) -> None: ...
    def act(self, observation: ArrayLike, *, spent: float | None = None) -> _Floats: ...
    def act_batch(
        self,
        observations: ArrayLike,
        *,
        episodes: int | Sequence[int] | NDArray[np.integer[Any]] | None = None,
        steps: int | Sequence[int] | NDArray[np.integer[Any]] | None = None,
        spent: ArrayLike | None = None,
    ) -> _Floats: ...
    def chunk(
        self,
        observations: ArrayLike,
        *,
        episodes: int | Sequence[int] | NDArray[np.integer[Any]] | None = None,
        steps: int | Sequence[int] | NDArray[np.integer[Any]] | None = None,
        spent: ArrayLike | None = None,
    ) -> _Floats: ...
    def values(
        self,
        observations: ArrayLike,
        actions: ArrayLike | None = None,
        *,
        spent: ArrayLike | None = None,
    ) -> Values: ...
    @property
    def settings(self) -> dict[str, Any]: ...
    @property
    def task(self) -> str: ...
    @property
    def threshold(self) -> float | None: ...
    @property
    def method(self) -> str: ...
    @property
    def cost_limit(self) -> float: ...
    @property
    def observation_dim(self) -> int: ...
    @property
    def action_dim(self) -> int: ...
    @property
    def chunk_length(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def path(self) -> Path: ...
    @property
    def data_fingerprint(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def candidates(self) -> int: ...
    @property
    def flow_steps(self) -> int: ...
    @property
    def guidance(self) -> float: ...
    @property
    def selection(self) -> Literal["least-cost", "region"]: ...
    @property
    def label(self) -> Literal["1", "null"]: ...

def train(
    config: Mapping[str, Any] | _Path | None,
    dataset: Dataset | _Path,
    *,
    callback: Callable[[dict[str, Any]], bool | None] | None = None,
    out: _Path | None = None,
    resume: _Path = "auto",
    preset: Literal["", "quick", "mini", "osrl", "tiny"] = "",
    threads: int = 0,
    device: str = "cpu",
    precision: Literal["fp32", "tf32", "bf16"] = "fp32",
) -> Policy: ...

class ReachAvoid:
    hazards: ClassVar[tuple[tuple[float, float, float], tuple[float, float, float]]]
    goal: ClassVar[tuple[float, float, float]]
    cost_limit: ClassVar[float]
    def __init__(self, count: int = 1) -> None: ...
    def reset(self, seed: int, first_episode: int = 0) -> _Floats: ...
    def step(
        self, actions: ArrayLike
    ) -> tuple[_Floats, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]: ...
    @property
    def count(self) -> int: ...
    @property
    def observation_dim(self) -> int: ...
    @property
    def action_dim(self) -> int: ...
    @property
    def episode_steps(self) -> int: ...
