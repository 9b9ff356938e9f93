"""Trains the Constrained Decision Transformer by its published code, and acts by it.

    ./setup.sh --baselines
    export PYTHONPATH=python
    .baselines/bin/python3 -m r2pac.baselines.cdt --data SafetyBallRun-v0-80-940.hdf5 --size mini --out runs/cdt
    .baselines/bin/python3 -m r2pac.score r2pac.baselines.cdt:make --set run=runs/cdt --env BallRun -o cdt.json

Network, loss, optimiser, augmentation and draws are those of osrl-lib 0.1.0, with its published settings; `--size`
chooses smaller networks and fewer steps. The state is saved every --save-every steps and where a signal stops the
training (exit status 75); the same command goes on to the same bits. Exit status 7: it diverged.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from r2pac.baselines.cdt_tasks import METADRIVE, METADRIVE_STEPS, SIZES, TASKS, TaskValues
from r2pac.errors import CheckpointError, DataError, DivergedError, Error, SettingsError, UsageError
from r2pac.score import r2pac_program

os.environ.setdefault("TQDM_DISABLE", "1")  # osrl draws bars
try:
    import h5py
    import torch
    from osrl.algorithms import CDTTrainer
    from osrl.common import SequenceDataset
    from torch.utils.data import DataLoader

    from r2pac.baselines.cdt_policy import (
        CONTEXT,
        FORMAT,
        POLICY,
        REWARD_SCALE,
        make,
        network,
        read_file,
        write_file,
    )
except ImportError as missing:
    if (missing.name or "").startswith("r2pac"):
        raise  # a fault of this package
    error = UsageError(
        f"the published code is not installed ({missing})",
        todo="make its environment with `./setup.sh --baselines`, and use .baselines/bin/python3",
    )
    if __name__ != "__main__":
        raise error from missing
    sys.exit(error.report())

__all__ = ["make", "main"]
PROGRAM = "osrl-lib 0.1.0"
CHECKPOINT = "checkpoint.safetensors"
RESUMABLE = 75
_COLUMNS = ("observations", "next_observations", "actions", "rewards", "costs", "terminals", "timeouts")


def task_of(name: str) -> str:
    """Alias of the task that a file or name tells; "" if none."""
    for alias in TASKS:
        pattern = rf"(Safety|Offline|Safe)?(MetaDrive-)?{alias}((Gymnasium)?-v\d.*)?"
        if re.fullmatch(pattern, Path(name).name.removesuffix(".hdf5"), re.IGNORECASE):
            return alias
    return ""


def read_columns(path: str) -> dict[str, np.ndarray]:
    """The arrays of a DSRL file. Raises DataError."""
    try:
        with h5py.File(path) as file:
            data = {name: np.asarray(file[name]) for name in _COLUMNS}
    except (OSError, KeyError) as error:
        raise DataError(f"the data cannot be read: {error}", path, "see `r2pac data check FILE`") from error
    rows = len(data["observations"])
    if rows == 0 or any(len(column) != rows for column in data.values()):
        raise DataError("the arrays are empty or of different lengths", path, "see `r2pac data check FILE`")
    if not all(np.isfinite(column).all() for column in data.values()):
        raise DataError("a number is not finite", path, "see `r2pac data check FILE`")
    return data


def fingerprint_of(path: str) -> str:
    """As `r2pac data info` tells it; "" without the command."""
    try:
        told = subprocess.run(
            [r2pac_program(), "data", "info", path, "--json"], capture_output=True, text=True, check=True
        )
        return json.loads(told.stdout)["fingerprint"]
    except (Error, OSError, subprocess.CalledProcessError, ValueError, KeyError):
        return ""


def values_of(task: str, data: dict[str, np.ndarray]) -> TaskValues:
    """The published ones; of a task without any what the data have."""
    if task in TASKS:
        return TASKS[task]
    ends = np.flatnonzero((data["terminals"] != 0) | (data["timeouts"] != 0))
    if len(ends) == 0:
        raise DataError("no episode ends", todo="see `r2pac data check FILE`")
    starts = np.concatenate([[0], ends[:-1] + 1])
    returns = np.add.reduceat(data["rewards"][: ends[-1] + 1].astype(np.float64), starts)
    best, spread = float(returns.max()), float(np.ptp(returns))
    return TaskValues(int((ends - starts + 1).max()), 1, best + 0.2 * spread, 0.2 * spread, best)


class Losses:
    """The logger of the published trainer; keeps the last numbers."""

    def __init__(self) -> None:
        self.last: dict[str, float] = {}

    def store(self, tab: str = "", **numbers: float) -> None:
        self.last.update(numbers)


class Training:
    """Network, optimisers and draws at some step."""

    def __init__(self, options: argparse.Namespace) -> None:
        torch.set_num_threads(options.threads)
        self.size = SIZES[options.size]
        data = read_columns(options.data)
        self.task = options.task if options.task is not None else task_of(options.data)
        values = values_of(self.task, data)
        steps = METADRIVE_STEPS if options.size == "published" and self.task in METADRIVE else self.size.steps
        self.steps, self.step = options.steps or steps, 0
        self.seed, self.size_name = options.seed, options.size
        self.shape = {
            "observation": data["observations"].shape[1],
            "action": data["actions"].shape[1],
            "episode_steps": values.episode_steps,
            **self.size._asdict(),
        }
        self.about = {
            "method": "CDT",
            "program": PROGRAM,
            "task": self.task,
            "train_seed": options.seed,
            "data_fingerprint": fingerprint_of(options.data),
        }
        self.values = values
        random.seed(options.seed)
        np.random.seed(options.seed % 2**32)
        torch.manual_seed(options.seed)
        self.model = network(self.shape)
        self.losses = Losses()
        self.trainer = CDTTrainer(
            self.model, None, logger=self.losses, learning_rate=1e-4, weight_decay=1e-4, clip_grad=0.25,
            lr_warmup_steps=500, reward_scale=REWARD_SCALE, cost_scale=1, loss_cost_weight=0.02,
        )  # fmt: skip
        self.batches = iter(DataLoader(self._sequences(data, options.data), batch_size=self.size.batch))

    def _sequences(self, data: dict[str, np.ndarray], where: str) -> SequenceDataset:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                sequences = SequenceDataset(
                    data, seq_len=CONTEXT, reward_scale=REWARD_SCALE, cost_scale=1, deg=self.values.degree,
                    max_rew_decrease=self.values.max_decrease, beta=1.0, augment_percent=self.size.augment,
                    max_reward=self.values.max_reward, min_reward=1.0, cost_sample=True,
                    cost_transform=lambda cost: 70 - cost,
                )  # fmt: skip
        except (ValueError, IndexError, TypeError) as error:
            raise DataError(
                f"the published augmentation cannot use these data: {error}", where, "give more episodes, or --size tiny"
            ) from error
        if not sequences.dataset:
            raise DataError("no episode ends", where, "see `r2pac data check FILE`")
        if not np.isfinite(sequences.sample_prob).all():
            raise DataError(
                "every episode costs 70 or more", where, "the published code draws none of these; give other data"
            )
        longest = max(len(episode["rewards"]) for episode in sequences.dataset)
        if longest > self.values.episode_steps:
            raise DataError(
                f"an episode has {longest} steps, and the task {self.values.episode_steps}", where,
                "give data of the task, or --task '' for values from the data",
            )  # fmt: skip
        return sequences

    def identity(self) -> dict[str, Any]:
        """What a run that goes on must have in common."""
        about = {key: self.about[key] for key in ("task", "train_seed", "data_fingerprint")}
        return {"size": self.size_name, "steps": self.steps, **about}

    def advance(self) -> None:
        """One gradient step. Raises DivergedError."""
        states, actions, returns, costs_to_go, times, mask, episode_cost, costs = next(self.batches)
        self.trainer.train_one_step(states, actions, returns, costs_to_go, times, mask, episode_cost, costs)
        self.step += 1
        if not math.isfinite(self.losses.last["all_loss"]):
            raise DivergedError(f"the loss is not finite at step {self.step}", todo="train with another --seed")

    def policy(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Tensors and account of the policy's file."""
        tensors = {f"model/{name}": value.numpy() for name, value in self.model.state_dict().items()}
        return tensors, {
            "format": FORMAT,
            "shape": self.shape,
            "about": {**self.about, "step": self.step},
            "identity": self.identity(),
            "target_return": self.values.target_return,
        }

    def save(self, folder: Path) -> None:
        """Writes the state, from which load() goes on."""
        tensors, account = self.policy()
        tensors["log_temperature"] = self.model.log_temperature.detach().numpy()
        for kind, optimiser in self._optimisers().items():
            for i, state in optimiser.state_dict()["state"].items():
                tensors |= {f"{kind}/{i}/{key}": np.asarray(value) for key, value in state.items()}
        name, words, place, has_gauss, gauss = np.random.get_state()
        tensors |= {"draws/torch": torch.get_rng_state().numpy(), "draws/numpy": words}
        tensors["draws/random"] = np.array(random.getstate()[1], np.uint32)
        account["numpy"] = [name, place, has_gauss, gauss]
        write_file(folder / CHECKPOINT, tensors, account)

    def load(self, path: Path) -> None:
        """Goes on from a saved state. Raises CheckpointError, SettingsError."""
        tensors, account = read_file(path)
        try:
            if account["identity"] != self.identity():
                raise SettingsError(
                    f"the folder's training is another one: {account['identity']}", str(path), "give another --out"
                )
            self.model.load_state_dict(
                {name.removeprefix("model/"): tensors[name] for name in tensors if name.startswith("model/")}
            )
            with torch.no_grad():
                self.model.log_temperature.copy_(tensors["log_temperature"])
            for kind, optimiser in self._optimisers().items():
                state: dict[int, dict[str, torch.Tensor]] = {}
                for name, value in tensors.items():
                    part, _, rest = name.partition("/")
                    if part == kind:
                        i, _, key = rest.partition("/")
                        state.setdefault(int(i), {})[key] = value
                optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
            self.step = account["about"]["step"]
            scheduler = self.trainer.scheduler
            scheduler.last_epoch, scheduler._step_count = self.step, self.step + 1
            for group, rate, factor in zip(
                self.trainer.optim.param_groups, scheduler.base_lrs, scheduler.lr_lambdas, strict=True
            ):
                group["lr"] = rate * factor(self.step)
            name, place, has_gauss, gauss = account["numpy"]
            np.random.set_state((name, tensors["draws/numpy"].numpy(), place, has_gauss, gauss))
            random.setstate((3, tuple(tensors["draws/random"].tolist()), None))
            torch.set_rng_state(tensors["draws/torch"])
        except (KeyError, ValueError, RuntimeError, TypeError) as error:
            raise CheckpointError(f"the state cannot be used: {error}", str(path), "remove it to begin anew") from error

    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"weights": self.trainer.optim, "temperature": self.trainer.log_temperature_optimizer}


def train(options: argparse.Namespace) -> int:
    folder, stopped = options.out, []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.append(True))
    training = Training(options)
    if (folder / POLICY).exists():
        found = read_file(folder / POLICY)[1].get("identity")
        if found != training.identity():
            raise SettingsError(f"the folder's training is another one: {found}", str(folder), "give another --out")
        print(f"{folder}: done before")
        return 0
    if (folder / CHECKPOINT).exists():
        training.load(folder / CHECKPOINT)
        print(f"continuing at step {training.step}", flush=True)
    begin, first = time.monotonic(), training.step
    while training.step < training.steps:
        if stopped:
            training.save(folder)
            print(f"stopped at step {training.step}; the same command goes on", flush=True)
            return RESUMABLE
        training.advance()
        if training.step % options.save_every == 0 and training.step < training.steps:
            training.save(folder)
            rate = (training.step - first) / (time.monotonic() - begin)
            loss = training.losses.last["all_loss"]
            print(f"step {training.step} of {training.steps}, loss {loss:.4g}, {rate:.3g} steps/s", flush=True)
    write_file(folder / POLICY, *training.policy())
    (folder / CHECKPOINT).unlink(missing_ok=True)
    print(f"{training.steps} steps -> {folder / POLICY}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m r2pac.baselines.cdt", description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="DSRL file (HDF5)")
    parser.add_argument("--out", required=True, type=Path, help="folder of the run")
    parser.add_argument("--size", choices=SIZES, default="published", help="(default: published)")
    parser.add_argument("--task", help="whose published values count; '' for none (default: the file's name tells)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and draws (default: 0)")
    parser.add_argument("--steps", type=int, help="gradient steps (default: those of the size)")
    parser.add_argument("--save-every", type=int, default=1000, help="steps between saved states (default: 1000)")
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch; results may depend on it (default: 1)")
    options = parser.parse_args(arguments)
    for name, least in (("seed", 0), ("save_every", 1), ("threads", 1)):
        if getattr(options, name) < least:
            parser.error(f"--{name.replace('_', '-')} must be at least {least}")
    if options.steps is not None and options.steps < 1:
        parser.error("--steps must be at least 1")
    try:
        return train(options)
    except Error as error:
        return error.report()


if __name__ == "__main__":
    sys.exit(main())
