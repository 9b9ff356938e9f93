"""Reads a policy file with the stock safetensors package; docs/formats.md describes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from r2pac.errors import CheckpointError
from r2pac.network_layout import Network, parse_networks
from r2pac.toml_reader import tomllib

FORMAT, OLD_FORMAT = "r2pac-policy-2", "r2pac-policy-1"
NULL, GOOD = 0, 2  # rows of the label table
INPUTS = {  # what acting gives each network; in this order where the file does not say (OLD_FORMAT)
    "velocity": ("observation", "label", "chunk", "time"),
    "one_step": ("observation", "bound"),
    "q_r": ("observation", "chunk"),
    "q_c": ("observation", "chunk"),
    "v_r": ("observation",),
    "v_c": ("observation",),
}
BUDGET = "budget"  # what it may give a network besides, after the observation


@dataclass(frozen=True)
class PolicyFile:
    """A policy's tensors and what its metadata say. S, A, h: observation, action, chunk length."""

    path: Path
    metadata: dict[str, str]
    settings: dict[str, Any]
    tensors: dict[str, np.ndarray]  # by the names of docs/formats.md
    networks: dict[str, Network]
    observation_dim: int
    action_dim: int
    chunk_length: int

    @property
    def method(self) -> str:
        return self.metadata.get("method", "r2pac")  # early versions knew no other

    @property
    def chunk_dim(self) -> int:
        return self.chunk_length * self.action_dim

    def hidden(self, name: str) -> list[int]:
        """Widths of a network's hidden layers; the actor's may be others."""
        of_actor = self.settings.get("actor_hidden") if name in ("velocity", "one_step") else None
        return of_actor or self.settings["hidden"]

    def layers(self, name: str) -> int:
        """Dense layers of a network."""
        return len(self.hidden(name)) + 1

    @property
    def one_step(self) -> bool:
        """Whether one pass of the network `one_step` acts, without noise, candidates and choice."""
        return "one_step" in self.networks and self.settings.get("act_with", "actor") == "actor"

    @property
    def candidates(self) -> int:
        """Chunks that the policy chooses from."""
        return 1 if self.one_step else self.settings["num_candidates"]

    @property
    def has_critics(self) -> bool:
        """Whether there are q_r, q_c, v_r, v_c and `threshold`, to score candidates and choose one."""
        return "q_c" in self.networks

    @property
    def region_bound(self) -> np.float32:
        """What a choice by region calls safe at most, in the precision in which the program compares."""
        bound = self.settings.get("region_bound", "auto")
        if bound == "auto":
            limit = float(self.metadata.get("value_limit", "inf"))  # early versions knew none
            bound = min(float(self.tensors["threshold"][0]), limit)
        return np.float32(bound * self.settings.get("bound_scale", 1.0))

    @property
    def sees_budget(self) -> bool:
        """Whether what a decision may use is an input of networks."""
        return BUDGET in self.networks["velocity"].inputs

    @property
    def greatest_budget(self) -> np.float32:
        """The greatest of such inputs, as a cost value, in the precision in which the program computes."""
        return np.float32(self.tensors["greatest_budget"][0])

    @property
    def budget(self) -> str:
        """ "none", "remaining" or "half": what a decision may use of what the episode may still cost."""
        counts = self.one_step or self.selection == "region" or self.sees_budget
        return self.settings.get("budget", "none") if counts else "none"

    @property
    def share_of_rest(self) -> float:
        """V_c and Q_c that one unit of the episode's remaining cost allows."""
        return float(self.metadata["cost_scale"]) * (0.5 if self.budget == "half" else 1.0)

    @property
    def selection(self) -> str:
        """ "least-cost" or "region"; early versions knew the first alone. Where one step acts, nothing is chosen."""
        return "least-cost" if self.one_step else self.settings.get("selection", "least-cost")

    @property
    def labels(self) -> tuple[int, ...]:
        """Rows of the label table that the flow follows: null, then good unless it only imitates the data."""
        return (NULL,) if self.settings.get("label", "1") == "null" else (NULL, GOOD)

    def network(self, name: str, member: int = 0) -> list[dict[str, np.ndarray]]:
        """Layers of a network: `weight` [in, out], `bias` and, if normalised, `norm.gain`, `norm.bias`.

        member: which of several networks of that name.
        """

        several = self.networks[name].count > 1
        layers = []
        for i in range(self.layers(name)):
            keys = {part: f"{name}.{i}.{part}" for part in ("weight", "bias", "norm.gain", "norm.bias")}
            found = {part: self.tensors[key] for part, key in keys.items() if key in self.tensors}
            layers.append({part: tensor[member] if several else tensor for part, tensor in found.items()})
        return layers


def read_policy(path: Path) -> PolicyFile:
    """Reads a policy file, or `policy.safetensors` of a run folder. Raises CheckpointError."""
    from safetensors import SafetensorError, safe_open

    if path.is_dir():
        path = path / "policy.safetensors"
    try:
        with safe_open(str(path), framework="np") as file:
            metadata = file.metadata() or {}
            found = metadata.get("format", "none")
            if found not in (FORMAT, OLD_FORMAT):
                raise _refuse(path, f"this is not a policy of the format {FORMAT} (its format: {found})")
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        raise _refuse(path, f"this is not a policy: {_line(error)}") from error
    try:
        return _checked(path, metadata, tensors)
    except (LookupError, TypeError, ValueError, tomllib.TOMLDecodeError) as error:
        raise _refuse(path, f"this is a damaged policy: {_line(error)}") from error


def _checked(path: Path, metadata: dict[str, str], tensors: dict[str, np.ndarray]) -> PolicyFile:
    settings = tomllib.loads(metadata["settings"])
    if metadata["format"] == FORMAT and "velocity" not in parse_networks(metadata["networks"]):
        raise CheckpointError("it acts by a network without a flow, but only flows are exported and redone in Python",
                              str(path), "let `r2pac sample` or `r2pac.Policy` act with it")
    dims = [
        _whole(int(metadata[key]), key, 100_000) for key in ("observation_dim", "action_dim", "chunk_length")
    ]
    policy = PolicyFile(path, metadata, settings, tensors, _networks(metadata, tensors, *dims), *dims)
    for key, most in (("flow_steps", 100_000), ("num_candidates", 65_536)):
        _whole(settings[key], key, most)
    int(metadata["step"])
    numbers = {key: float(metadata[key]) for key in ("cost_limit", "reward_scale", "cost_scale")}
    for key, value in (numbers | {key: settings[key] for key in ("guidance_scale", "discount")}).items():
        if not math.isfinite(value):
            raise ValueError(f"`{key}` is not a finite number")
    for key in ("task", "version", "data_fingerprint"):
        metadata[key]  # a KeyError says which is missing
    if not math.isfinite(float(metadata.get("value_limit", "0"))):
        raise ValueError("`value_limit` is not a finite number")
    if settings["activation"] not in ("gelu_erf", "gelu_tanh"):
        raise ValueError(f"the activation `{settings['activation']}` is not known")
    if policy.selection not in ("least-cost", "region"):
        raise ValueError(f"the selection `{policy.selection}` is not known")
    if settings.get("budget", "none") not in ("none", "remaining", "half"):
        raise ValueError(f"the budget `{settings['budget']}` is not known")
    if settings.get("label", "1") not in ("1", "null"):
        raise ValueError(f"the label `{settings['label']}` is not known")
    if settings.get("act_with", "actor") not in ("actor", "flow"):
        raise ValueError(f"`act_with` is `{settings['act_with']}`, which is not known")
    if not policy.has_critics and settings["num_candidates"] > 1:
        raise ValueError(f"method `{policy.method}` has no critics that could choose among candidates")
    for name, shape in _shapes(policy).items():
        tensor = tensors[name]
        if tensor.shape != shape:
            raise ValueError(f"`{name}` has the shape {list(tensor.shape)}, not {list(shape)}")
        if (
            tensor.dtype != (np.float64 if name in ("threshold", "greatest_budget") else np.float32)
            or not np.isfinite(tensor).all()
        ):
            raise ValueError(f"`{name}` is not made of finite numbers in single precision")
    if policy.sees_budget and not policy.greatest_budget > 0:
        raise ValueError("`greatest_budget` is not above 0")
    if policy.has_critics and not np.isfinite(policy.region_bound):
        raise ValueError("`region_bound` is not a finite number")
    return policy


def _networks(
    metadata: dict[str, str], tensors: dict[str, np.ndarray], observation: int, action: int, length: int
) -> dict[str, Network]:
    """The networks that acting needs."""
    widths = {"observation": observation, "chunk": action * length, "time": 1, "bound": 1, BUDGET: 1}
    widths["label"] = tensors["label_table"].shape[-1]
    outputs = {name: widths["chunk"] if name in ("velocity", "one_step") else 1 for name in INPUTS}
    if metadata["format"] == OLD_FORMAT:
        twins = {"q_r", "q_c"} if tensors["q_c.0.weight"].ndim == 3 else set()
        return {
            name: Network({key: widths[key] for key in inputs}, outputs[name], 2 if name in twins else 1)
            for name, inputs in INPUTS.items()
            if name != "one_step"
        }
    found = parse_networks(metadata["networks"])
    needed = [name for name in INPUTS if name in found or name != "one_step"] if "q_c" in found else ["velocity"]
    for name in needed:
        reads = found[name].inputs
        if set(reads) - {BUDGET} != set(INPUTS[name]) or reads != {key: widths[key] for key in reads}:
            raise ValueError(f"`{name}` reads {found[name].inputs}, which is not what acting gives it")
        if found[name].outputs != outputs[name]:
            raise ValueError(f"`{name}` has {found[name].outputs} outputs, not {outputs[name]}")
    return {name: found[name] for name in needed}


def _shapes(policy: PolicyFile) -> dict[str, tuple[int, ...]]:
    """Every tensor that acting needs."""
    s, labels = policy.observation_dim, policy.networks["velocity"].inputs["label"]
    shapes: dict[str, tuple[int, ...]] = {
        "observation_mean": (s,),
        "observation_scale": (s,),
        "label_table": (3, labels),
        "example.observation": (s,),
        "example.noise": (policy.candidates, policy.chunk_dim),
        "example.chunk": (policy.chunk_length, policy.action_dim),
        "example.action": (policy.action_dim,),
    }
    if "observation_values" in policy.tensors:
        points = policy.tensors["observation_values"].shape[-1]
        shapes |= {name: (s, points) for name in ("observation_values", "observation_scores")}
    if policy.has_critics:
        shapes |= {name: (1,) for name in ("threshold", "example.q_c", "example.v_r", "example.v_c")}
    if policy.sees_budget:
        shapes["greatest_budget"] = (1,)
    for name, network in policy.networks.items():
        lead = (network.count,) if network.count > 1 else ()
        hidden = [_whole(width, "hidden", 1 << 20) for width in policy.hidden(name)]
        widths = [sum(network.inputs.values()), *hidden, network.outputs]
        for i, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
            shapes[f"{name}.{i}.weight"] = (*lead, fan_in, fan_out)
            shapes[f"{name}.{i}.bias"] = (*lead, fan_out)
            if f"{name}.{i}.norm.gain" in policy.tensors:
                shapes[f"{name}.{i}.norm.gain"] = shapes[f"{name}.{i}.norm.bias"] = (*lead, fan_out)
    return shapes


def _whole(value: Any, key: str, most: int) -> int:
    if not isinstance(value, int) or not 1 <= value <= most:
        raise ValueError(f"`{key}` is {value!r}, not a whole number from 1 to {most}")
    return value


def _line(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"`{error.args[0]}` is missing"
    return " ".join(str(error).split())[:300] or type(error).__name__


def _refuse(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        what,
        where=str(path),
        todo="give a run folder or its policy.safetensors; `r2pac inspect` shows what a file holds",
    )
