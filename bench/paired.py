#!/usr/bin/env python3
"""Speed and memory of two builds of the program beside each other, as ratios with their uncertainty.

usage: bench/paired.py OLD NEW [--pairs 30] [--suites step,action] [--threads 1,2] [--trials 31] [--filter TEXT]

OLD and NEW are build folders or programs. Each pair is one run of `r2pac bench SUITE` of both, one after the other,
each in turn the first, so that both meet the same machine; a row's ratio is that of their medians, NEW / OLD: less than 1 is
faster. Printed are the median ratio of the pairs and its 95 % interval (percentile bootstrap, 10,000 resamples), then
the peak resident memory of a short training and of acting. A pair of both suites takes four minutes for each number
of threads on an idle processor without AVX-512, and half a minute with five trials. Needs only the standard library.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

# How a row begins that the new program calls otherwise.
RENAMED = {"flow step:": "actor step:", "action: 8 obs,": "action, 8 observations: 8 obs,"}
RESAMPLES = 10000


def program_of(text):
    for path in (pathlib.Path(text, "bin", "r2pac"), pathlib.Path(text, "r2pac"), pathlib.Path(text)):
        if path.is_file() and os.access(path, os.X_OK):
            return str(path.resolve())
    raise argparse.ArgumentTypeError(f"there is no program in {text}")


def numbers(text):
    return [int(part) for part in text.split(",")]


def todays_name(row):
    for old, new in RENAMED.items():
        if row.startswith(old):
            return new + row[len(old):]
    return row


def bench(program, suite, threads, flags):
    """Row and shape -> milliseconds."""
    out = subprocess.run([program, "bench", suite, "--threads", str(threads), "--json", *flags], check=True,
                         stdout=subprocess.PIPE).stdout
    return {todays_name(f"{row['name']}: {row['shape']}"): row["median_ms"] for row in json.loads(out)["rows"]}


def known_flags(program, flags):
    """Those that are given and that the program has: version 0.1 has none, takes 31 trials and measures all rows."""
    text = subprocess.run([program, "bench", "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [word for flag, value in flags.items() if value and flag in text for word in (flag, str(value))]


def interval(ratios, draw):
    medians = sorted(statistics.median(draw.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    return medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES) - 1]


def measure_pairs(programs, flags, suite, threads, pairs, draw):
    """Of the rows that both programs have."""
    times = {}  # row -> [(old, new)]
    for pair in range(pairs):
        order = (0, 1) if pair % 2 == 0 else (1, 0)
        found = {which: bench(programs[which], suite, threads, flags[which]) for which in order}
        rows = [row for row in found[0] if row in found[1]]
        if not rows:
            sys.exit(f"paired: no row in common: {sorted(found[0])} and {sorted(found[1])}")
        for row in rows:
            times.setdefault(row, []).append((found[0][row], found[1][row]))
        print(f"\rpair {pair + 1} of {pairs}: {suite}, {threads} threads ", end="", file=sys.stderr, flush=True)
    print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    for row, both in times.items():
        ratios = [new / old for old, new in both]
        low, high = interval(ratios, draw)
        old, new = (statistics.median(side) for side in zip(*both))
        print(f"| {row} | {threads} | {old:.3f} | {new:.3f} | {statistics.median(ratios):.4f} [{low:.4f}, {high:.4f}] |",
              flush=True)


def peak_memory(arguments):
    """Of a finished process, in MiB."""
    child = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"paired: exit status {child.returncode} of {' '.join(arguments)}")
    return usage.ru_maxrss / 1024


def measure_memory(programs):
    print("\n| peak resident memory, MiB | OLD | NEW | NEW / OLD |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        data, observations = folder + "/data.hdf5", folder + "/observations"
        subprocess.run([programs[0], "data", "make", "reach-avoid", "-o", data, "--episodes", "200"], check=True,
                       stdout=subprocess.DEVNULL)
        pathlib.Path(observations).write_text("[0,0,0,0,0,0,0]\n")
        small = ["--task", "reach-avoid", "--steps", "3", "--threads", "1", "--quiet"]
        peaks = {}
        for schedule in ("joint", "sequential"):
            peaks[f"training, full size, {schedule}"] = [
                peak_memory([program, "train", "--data", data, "--schedule", schedule, "--out",
                             f"{folder}/{schedule}{i}", *small]) for i, program in enumerate(programs)]
        peaks["acting, full size"] = [
            peak_memory([program, "sample", f"{folder}/joint{i}", "--obs", observations, "--threads", "1"])
            for i, program in enumerate(programs)]
    for name, (old, new) in peaks.items():
        print(f"| {name} | {old:.1f} | {new:.1f} | {new / old:.4f} |")


def main():
    parser = argparse.ArgumentParser(description="Speed and memory of two builds beside each other.")
    parser.add_argument("old", type=program_of, help="build folder or program")
    parser.add_argument("new", type=program_of, help="the same of the build to judge")
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--suites", default="step,action", help="of `r2pac bench`; empty: memory only")
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--trials", type=int, default=31, help="of a row in one run, where the program can be told")
    parser.add_argument("--filter", default="", help="rows to measure, where the program can be told")
    parser.add_argument("--seed", type=int, default=0, help="of the resampling")
    options = parser.parse_args()
    programs, draw = (options.old, options.new), random.Random(options.seed)
    flags = [known_flags(program, {"--trials": options.trials, "--filter": options.filter}) for program in programs]
    print(f"{options.pairs} pairs; median of the ratios, [95 % interval]\n\n"
          "| row | threads | OLD ms | NEW ms | NEW / OLD |\n|---|---:|---:|---:|---:|")
    for threads in options.threads:
        for suite in filter(None, options.suites.split(",")):
            measure_pairs(programs, flags, suite, threads, options.pairs, draw)
    measure_memory(programs)


main()
