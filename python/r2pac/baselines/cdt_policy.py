"""The network of CDT, its files, and how it acts; `r2pac.baselines.cdt` trains it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from osrl.algorithms import CDT
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from r2pac.errors import CheckpointError, DiskError, UsageError

FORMAT = "r2pac-cdt-1"
KEY = "r2pac"  # of the metadata
POLICY = "policy.safetensors"
REWARD_SCALE = 0.1
CONTEXT = 10  # time steps that the network sees


def network(shape: dict[str, int]) -> CDT:
    """shape  observation and action widths, episode steps, and those of a Size, as the file of a policy has them"""
    return CDT(
        state_dim=shape["observation"], action_dim=shape["action"], max_action=1.0, seq_len=CONTEXT,
        episode_len=shape["episode_steps"], embedding_dim=shape["width"], num_layers=shape["layers"],
        num_heads=shape["heads"], attention_dropout=0.1, residual_dropout=0.1, embedding_dropout=0.1, time_emb=True,
        use_rew=True, use_cost=True, cost_transform=True, stochastic=True, init_temperature=0.1,
        target_entropy=-shape["action"],
    )  # fmt: skip


def write_file(path: Path, tensors: dict[str, np.ndarray], account: dict[str, Any]) -> None:
    """Atomically, the account as one text of JSON: safetensors writes several in any order. Raises DiskError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: np.ascontiguousarray(value).reshape(value.shape) for name, value in tensors.items()},
                  beside, {KEY: json.dumps(account)})  # fmt: skip
        os.replace(beside, path)
    except (OSError, SafetensorError) as error:
        beside.unlink(missing_ok=True)
        raise DiskError(f"the file cannot be written: {error}", str(path)) from error


def read_file(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Tensors and account. Raises CheckpointError."""
    try:
        with safe_open(path, framework="np") as file:
            account = json.loads((file.metadata() or {}).get(KEY, "{}"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"the file cannot be read: {error}", str(path), "train it anew") from error
    if not isinstance(account, dict) or account.get("format") != FORMAT:
        raise CheckpointError("the file is no policy of CDT", str(path), "give a folder that this program made")
    # PyTorch 1.13 knows no uint32.
    wide = {name: array.astype(np.int64) if array.dtype == np.uint32 else array for name, array in arrays.items()}
    return {name: torch.from_numpy(np.array(array)) for name, array in wide.items()}, account


class Policy:
    """Acts as the published evaluation does, one episode at a time: see make()."""

    def __init__(self, run: str, target_return: float | None) -> None:
        path = Path(run) / POLICY if Path(run).is_dir() else Path(run)
        tensors, account = read_file(path)
        try:
            shape = account["shape"]
            self.about = account["about"]
            self._target_return = float(account["target_return"]) if target_return is None else target_return
            self._limit = shape["episode_steps"]
            self._model = network(shape).eval()
            self._model.load_state_dict(
                {name.removeprefix("model/"): value for name, value in tensors.items() if name.startswith("model/")}
            )
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise CheckpointError(f"the policy cannot be used: {error}", str(path), "train it anew") from error
        self._of: dict[int, list[torch.Tensor]] = {}  # by episode: states, actions, returns and costs to go
        self._target_cost = 0.0

    def reset(self, *, cost_limit: float | None) -> None:
        if cost_limit is None:
            raise UsageError("the cost to aim at is unknown", todo="give --cost-limit")
        self._target_cost = cost_limit

    def act_batch(
        self,
        observations: np.ndarray,
        *,
        episodes: np.ndarray,
        steps: np.ndarray,
        spent: np.ndarray,
        earned: np.ndarray,
    ) -> np.ndarray:
        """Each row by itself, so that an episode does not depend on its neighbours."""
        for ended in set(self._of) - set(episodes.tolist()):
            del self._of[ended]
        rows = zip(observations, episodes.tolist(), steps.tolist(), spent.tolist(), earned.tolist(), strict=True)
        return np.stack([self._act(*row) for row in rows])

    @torch.no_grad()
    def _act(self, observation: np.ndarray, episode: int, step: int, spent: float, earned: float) -> np.ndarray:
        if step >= self._limit:
            raise UsageError(f"the policy knows episodes of {self._limit} steps, and this is step {step}")
        state = torch.from_numpy(observation)[None]
        to_go = torch.tensor([(self._target_return - earned) * REWARD_SCALE])
        cost_to_go = torch.tensor([self._target_cost - spent])
        now = [state, torch.zeros(1, self._model.action_dim), to_go, cost_to_go]
        before = self._of.get(episode) if step > 0 else None
        seen = now if before is None else [torch.cat(pair)[-CONTEXT:] for pair in zip(before, now, strict=True)]
        times = torch.arange(step + 1 - len(seen[0]), step + 1)
        target = torch.tensor([self._target_cost])
        distribution = self._model(*(part[None] for part in seen), times[None], None, target)[0]
        action = distribution.mean[0, -1].clamp(-1, 1)
        seen[1][-1] = action
        self._of[episode] = seen
        return action.numpy()


def make(run: str, target_return: str | None = None) -> Policy:
    """A policy for r2pac.score.

    run            a folder of a training, or its policy.safetensors
    target_return  undiscounted return to aim at; None: the published one of the task, or the best of the data
    The cost to aim at is the limit by which it is scored.
    """
    torch.set_num_threads(1)
    return Policy(run, None if target_return is None else float(target_return))
