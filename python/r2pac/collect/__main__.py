"""Makes a data set in the DSRL layout from a simulator, driven by scripts.

    python -m r2pac.collect --task BallRun --episodes 900 --seed 0

runs in the simulators' environment (`./setup.sh --simulators`, then `.simulators/bin/python`). Cautious,
mediocre and reckless drivers, whose pace, path, skill and mistakes are drawn at random, make more candidates
than are wanted; those are kept that spread best over cost and return. The same task, numbers and seed give
the same file, whatever --jobs is; it appears only when it is complete.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from r2pac.collect import files
from r2pac.collect.episodes import drive_all
from r2pac.collect.selection import keep
from r2pac.collect.tasks import TASKS, find_task
from r2pac.errors import DataError, Error
from r2pac.processors import thread_count


def positive(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1_000_000:
        raise argparse.ArgumentTypeError("must be from 1 to 1000000")
    return value


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m r2pac.collect", description=__doc__.split("\n")[0])
    parser.add_argument("--task", required=True, help="one of " + ", ".join(TASKS))
    parser.add_argument(
        "--episodes", type=positive, default=600, help="episodes to keep at most (default: 600)"
    )
    parser.add_argument("--candidates", type=positive, help="episodes to drive (default: twice as many)")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers, 0 or more (default: 0)")
    parser.add_argument(
        "--jobs", type=positive, help="processes (default: R2PAC_THREADS, or all processors that it may use)"
    )
    parser.add_argument("-o", "--out", type=Path, help="file to write (default: a name that tells the task)")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    options = parser.parse_args(arguments)
    if options.seed < 0:
        parser.error("--seed must be 0 or more")
    options.jobs = options.jobs or thread_count()
    options.candidates = options.candidates or 2 * options.episodes
    if options.candidates < options.episodes:
        parser.error("--candidates must be at least --episodes")
    return options


def quartiles(values: np.ndarray) -> str:
    return "min {:.5g}, quartiles {:.5g} {:.5g} {:.5g}, max {:.5g}".format(
        *np.quantile(values, np.linspace(0, 1, 5))
    )


def collect(options: argparse.Namespace) -> None:
    task = find_task(options.task)
    files.check_destination(options.out or Path("."))
    episodes = []
    for episode in drive_all(task, options.seed, options.candidates, options.jobs):
        episodes.append(episode)
        if not options.quiet and (len(episodes) % 50 == 0 or len(episodes) == options.candidates):
            print(f"{len(episodes)} of {options.candidates} candidates", file=sys.stderr)
    returns = np.array([episode["rewards"].sum(dtype=np.float64) for episode in episodes])
    costs = np.array([episode["costs"].sum(dtype=np.float64) for episode in episodes])
    rng = np.random.default_rng([options.seed, 2**32])  # no candidate has this number
    kept = keep(returns, costs, task.cost_limit, task.cost_cap, options.episodes, rng)
    if len(kept) == 0:
        raise DataError(f"no candidate costs at most {task.cost_cap}", todo="drive more with --candidates")
    path = options.out or Path(task.stem(len(kept)) + ".hdf5")
    files.write(path, [episodes[i] for i in kept])

    rows = sum(len(episodes[i]["rewards"]) for i in kept)
    print(f"{path}: {len(kept)} episodes of {options.candidates}, {rows} rows, seed {options.seed}")
    print(f"return {quartiles(returns[kept])}")
    print(f"cost {quartiles(costs[kept])}")
    safe = costs[kept] <= task.cost_limit
    best = f", the best of them with return {returns[kept][safe].max():.5g}" if safe.any() else ""
    print(f"{100 * safe.mean():.1f} % of the episodes are within the cost limit of {task.cost_limit}{best}")
    print(f"{sum(os.times()[:4]) / options.candidates:.2g} s of processor time for each candidate")


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    try:
        collect(options)
    except Error as error:
        return error.report()
    return 0


if __name__ == "__main__":
    sys.exit(main())
