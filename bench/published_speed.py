#!/usr/bin/env python3
"""Steps per second of the published code (osrl-lib) and of this program, beside each other.

    ./setup.sh --baselines
    .baselines/bin/python3 bench/published_speed.py DATA_FILE [--rounds 5] [--seconds 10] [--threads 1]

Both train BC, CPQ and COptiDICE on one DSRL file with the sizes of the preset osrl. The rounds alternate between the two
programs, so that both meet the same machine. The published code gets batches that were drawn beforehand: its loader,
with eight processes of its own, is not part of its time. Ours draws its batches, checks numbers and writes its files.
Printed are medians with the least and the greatest of the rounds. A row with the dead terms of CPQ compares like with
like: the published code always computes them.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python"))

import h5py  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from check_oracle import METHODS, Data  # noqa: E402

BATCHES = 64  # that the published code gets in turn
ROWS = {  # name in the table -> method, further settings of ours
    "BC": ("bc", {}),
    "CPQ": ("cpq", {}),
    "CPQ, with its dead terms": ("cpq", {"dead_terms": "true"}),
    "COptiDICE": ("coptidice", {}),
}
COLUMNS = {"bc": ("observations", "actions"),
           "cpq": ("observations", "next_observations", "actions", "rewards", "costs", "done")}
COLUMNS["coptidice"] = (*COLUMNS["cpq"], "initial")


def settings_of(program, method):
    shown = subprocess.run([program, "config", "show", "--method", method, "--preset", "osrl"], check=True,
                           capture_output=True, text=True).stdout
    return tomllib.loads(shown)


class Published:
    def __init__(self, method, settings, path):
        with h5py.File(path) as file:
            columns = {name: np.asarray(file[name], dtype=np.float32) for name in COLUMNS["cpq"][:-1]}
            columns["done"] = np.maximum(file["terminals"][:], file["timeouts"][:]).astype(np.float32)
        columns["initial"] = np.roll(columns["done"], 1)
        widths = (columns[name].shape[1] for name in ("observations", "actions"))
        data = Data(path)
        data.observation_deviation, data.action_deviation = (
            deviation.astype(np.float32) for deviation in (data.observation_deviation, data.action_deviation))
        self.baseline = METHODS[method](settings, *widths, data)
        draw = np.random.default_rng(0)
        self.batches = []
        for _ in range(BATCHES):
            rows = draw.integers(len(columns["done"]), size=settings["batch"])
            batch = [torch.from_numpy(columns[name][rows]) for name in COLUMNS[method]]
            self.batches.append([batch] if method == "coptidice" else batch)
        self.done = 0

    def rate(self, seconds):
        started = time.perf_counter()
        steps = 0
        while (spent := time.perf_counter() - started) < seconds or not steps:
            self.baseline.trainer.train_one_step(*self.batches[self.done % BATCHES])
            self.done += 1
            steps += 1
        return steps / spent


def our_rate(program, method, settings, path, threads, steps):
    arguments = [f"--set={key}={value}" for key, value in {**settings, "steps": steps}.items()]
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder, "run")
        subprocess.run([program, "train", "--data", path, "--method", method, "--preset", "osrl", "--quiet",
                        "--threads", str(threads), "--out", run, *arguments], check=True, stdout=subprocess.DEVNULL)
        effort = json.loads((run / "manifest.json").read_text())["effort"]
    return steps / effort["seconds"]


def spread(rates):
    return f"{statistics.median(rates):.0f} [{min(rates):.0f}, {max(rates):.0f}]"


def processor():
    names = [line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    return names[0] if names else "unknown processor"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="DSRL file (HDF5)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10, help="of each program, method and round")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--program", default=ROOT / "build" / "bin" / "r2pac")
    arguments = parser.parse_args()
    blas = {"OPENBLAS_NUM_THREADS": str(arguments.threads)}  # read once, when the library is loaded
    if os.environ.get("OPENBLAS_NUM_THREADS") != blas["OPENBLAS_NUM_THREADS"]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}  # what slows it
        os.execve(sys.executable, [sys.executable, *sys.argv], kept | blas)
    torch.set_num_threads(arguments.threads)
    published = {method: Published(method, settings_of(arguments.program, method), arguments.data)
                 for method in COLUMNS}
    theirs, ours = ({name: [] for name in ROWS} for _ in range(2))
    steps = {}  # of ours that take about the time
    for turn in range(arguments.rounds + 1):  # the first only warms up, and tells how many steps fit the time
        for name, (method, settings) in ROWS.items():
            their_rate = published[method].rate(arguments.seconds if turn else 1)
            our_steps = steps.get(name, 100)
            rate = our_rate(arguments.program, method, settings, arguments.data, arguments.threads, our_steps)
            if turn == 0:
                steps[name] = max(100, round(rate * arguments.seconds))
                continue
            theirs[name].append(their_rate)
            ours[name].append(rate)
            print(f"round {turn} of {arguments.rounds}: {name}", file=sys.stderr)
    version = subprocess.run([arguments.program, "--version"], capture_output=True, text=True).stdout.splitlines()[0]
    print(f"{processor()}, {os.cpu_count()} cores, threads: {arguments.threads}; {version}; PyTorch {torch.__version__}\n")
    print("| method | osrl-lib, steps/s | this program, steps/s | ratio of medians |\n|---|---:|---:|---:|")
    for name in ROWS:
        ratio = statistics.median(ours[name]) / statistics.median(theirs[name])
        print(f"| {name} | {spread(theirs[name])} | {spread(ours[name])} | {ratio:.1f} |")


if __name__ == "__main__":
    main()
