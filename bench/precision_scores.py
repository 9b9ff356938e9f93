#!/usr/bin/env python3
"""Trains and acts in bf16 beside fp32, seed by seed, and says whether the scores allow it.

  python3 bench/precision_scores.py DATA_FOLDER OUT_FOLDER [--seeds 0,1,2] [--method safe-chunks] [--preset quick]

On data of the built-in robot, which it makes, and on BallRun and CarCircle of DATA_FOLDER. bf16 passes on a task where
the mean difference of normalised returns over the seeds is at most the standard deviation of fp32's, and the mean cost lies on
the same side of the limit. Ends with status 1 where it does not. What is there already is kept: the same command goes on after a
stop. R2PAC names the program (build/bin/r2pac).
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess

PROGRAM = os.environ.get("R2PAC", str(pathlib.Path(__file__).parent.parent / "build/bin/r2pac"))
EPISODES, FIRST_RESET = 20, 2000


def r2pac(*arguments):
    subprocess.run([PROGRAM, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL)


def score(run, data, task, seed, precision, args):
    """Normalised return and cost of a policy that was trained and acts in the precision."""
    scores = run.with_suffix(".json")
    machine = ["--precision", precision, "--threads", 1]
    if not scores.exists():
        r2pac("train", "--data", data, "--task", task, "--seed", seed, "--method", args.method, "--preset", args.preset,
              "--out", run, "--quiet", *machine)
        r2pac("eval", run, "--episodes", EPISODES, "--seed", FIRST_RESET, "-o", scores, *machine)
    found = json.loads(scores.read_text())
    return found["normalized_return"], found["normalized_cost"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--method", default="safe-chunks")
    parser.add_argument("--preset", default="quick")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    robot = args.out / "reach-avoid.hdf5"
    if not robot.exists():
        r2pac("data", "make", "reach-avoid", "-o", robot, "--episodes", 400)
    files = {"ReachAvoid": robot}
    for task in ("BallRun", "CarCircle"):
        files[task] = next(args.data.glob(f"Safety{task}-*.hdf5"))
    print("| task | seeds | fp32: return | deviation | cost | bf16: return | mean difference | cost | passes |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---|", flush=True)
    all_pass = True
    for task, data in files.items():
        seeds = args.seeds.split(",")
        pairs = [[score(args.out / f"{task}-{seed}-{precision}", data, task, seed, precision, args)
                  for precision in ("fp32", "bf16")] for seed in seeds]
        (returns, costs), (rounded_returns, rounded_costs) = ([list(column) for column in zip(*side)] for side in zip(*pairs))
        deviation = statistics.stdev(returns)
        difference = statistics.mean(b - a for a, b in zip(returns, rounded_returns))
        cost, rounded_cost = statistics.mean(costs), statistics.mean(rounded_costs)
        passes = abs(difference) <= deviation and (cost <= 1) == (rounded_cost <= 1)
        all_pass &= passes
        print(f"| {task} | {len(seeds)} | {statistics.mean(returns):.3f} | {deviation:.3f} | {cost:.2f} | "
              f"{statistics.mean(rounded_returns):.3f} | {difference:+.3f} | {rounded_cost:.2f} | {'yes' if passes else 'no'} |",
              flush=True)
    raise SystemExit(0 if all_pass else 1)


main()
