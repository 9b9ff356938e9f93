#!/usr/bin/env python3
"""Checks CDT beside the program, with the published code: its acting, its resuming, and its refusals.

    PYTHONPATH=python .baselines/bin/python3 python/check_cdt.py DATA.hdf5 FOLDER

A policy must act as the published evaluation does, and a training that went on must end with the same bytes as one that
did not stop. FOLDER is empty. Exit status: 0 all right, 1 a difference, 77 a package is missing.
"""

import os
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np

os.environ.setdefault("TQDM_DISABLE", "1")  # osrl draws bars
try:
    import torch
    from osrl.algorithms import CDTTrainer
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

from r2pac.baselines import cdt
from r2pac.baselines.cdt_policy import REWARD_SCALE, Policy, read_file, write_file

# The published evaluation subtracts rewards one by one in single precision, this one their sum in double.
TOLERANCE = 1e-4


class Drift:
    """An environment of 60 steps whose state goes where actions push it; costs and rewards follow the state."""

    def __init__(self, width, actions):
        self.push = np.random.default_rng(1).normal(0, 0.5, (actions, width))
        self.actions = []

    def reset(self):
        self.state, self.steps = np.linspace(-1, 1, self.push.shape[1]), 0
        return self.state.astype(np.float32), {}

    def outcome(self, action):
        self.actions.append(np.array(action))
        self.state = np.tanh(self.state + 0.2 + action @ self.push)
        self.steps += 1
        return float(10 * self.state[0]), float(self.state[1] > 0)

    def step(self, action):
        reward, cost = self.outcome(action)
        # As the published wrapper of environments gives rewards: scaled.
        return self.state.astype(np.float32), reward * REWARD_SCALE, self.steps == 60, False, {"cost": cost}


def check_acting(run):
    policy = Policy(str(run), target_return=40.0)
    policy.reset(cost_limit=5.0)
    model = policy._model
    theirs, ours = (Drift(model.state_dim, model.action_dim) for _ in range(2))
    CDTTrainer(model, theirs).rollout(model, theirs, 40.0 * REWARD_SCALE, 5.0)
    observation, _ = ours.reset()
    spent = earned = 0.0
    for step in range(60):
        # A neighbour of another episode, which must make no difference.
        rows = {"steps": [step, step], "spent": [spent, 0.0], "earned": [earned, 1.0], "episodes": [3, 4]}
        pair = np.stack([observation, -observation])
        action = policy.act_batch(pair, **{name: np.array(row) for name, row in rows.items()})[0]
        reward, cost = ours.outcome(action)
        observation, spent, earned = ours.state.astype(np.float32), spent + cost, earned + reward
    difference = np.abs(np.array(theirs.actions) - np.array(ours.actions)).max()
    varied = np.ptp(np.array(ours.actions), axis=0).max()
    print(f"acting: greatest difference {difference:.2g} of actions that vary by {varied:.2g}")
    return len(theirs.actions) == 60 and difference < TOLERANCE < varied / 10


def options(data, **changes):
    return Namespace(**{"data": data, "size": "tiny", "task": None, "seed": 1, "steps": 40, "threads": 1} | changes)


def check_resuming(data, folder):
    whole = cdt.Training(options(data))
    while whole.step < 40:
        whole.advance()
    first = cdt.Training(options(data))
    while first.step < 23:
        first.advance()
    first.save(folder)
    again = cdt.Training(options(data))
    again.load(folder / cdt.CHECKPOINT)
    if again.step != 23:
        return False
    while again.step < 40:
        again.advance()
    for name, training in (("whole", whole), ("again", again), ("first", first)):
        write_file(folder / name, *training.policy())
    same = (folder / "whole").read_bytes() == (folder / "again").read_bytes() != (folder / "first").read_bytes()
    same = same and torch.equal(whole.model.log_temperature, again.model.log_temperature)
    print(f"resuming: {'the same bytes' if same else 'OTHER BYTES'}")
    return same


def check_refusals(data, folder):
    """Each with its exit status."""
    def status(call):
        try:
            call()
        except cdt.Error as error:
            return error.exit_code
        return 0

    def use(change):
        tensors, account = read_file(folder / "whole")
        arrays = {name: value.numpy() for name, value in tensors.items()}
        change(arrays, account)
        write_file(folder / "changed", arrays, account)
        return lambda: Policy(str(folder / "changed"), None)

    (folder / "torn").write_bytes((folder / "whole").read_bytes()[:-100])
    name = "model/state_emb.weight"
    found = {
        "right": (0, status(use(lambda arrays, account: None))),
        "other seed": (4, status(lambda: cdt.Training(options(data, seed=2)).load(folder / cdt.CHECKPOINT))),
        "torn": (5, status(lambda: Policy(str(folder / "torn"), None))),
        "missing": (5, status(lambda: Policy(str(folder / "nowhere"), None))),
        "other file": (5, status(use(lambda arrays, account: account.update(format="r2pac-policy-3")))),
        "no tensor": (5, status(use(lambda arrays, account: arrays.pop(name)))),
        "other shape": (5, status(use(lambda arrays, account: arrays.update({name: arrays[name][:, 1:]})))),
        "no shape": (5, status(use(lambda arrays, account: account.update(shape={})))),
        "no data": (3, status(lambda: cdt.Training(options(str(folder / "whole"))))),
    }
    wrong = {name: pair for name, pair in found.items() if pair[0] != pair[1]}
    print(f"refusals: {len(found)} cases, wrong: {wrong}")
    return not wrong


def main():
    data, folder = sys.argv[1], Path(sys.argv[2])
    checks = [check_resuming(data, folder), check_acting(folder / "whole"), check_refusals(data, folder)]
    return 0 if all(checks) else 1


if __name__ == "__main__":
    sys.exit(main())
