#!/usr/bin/env python3
"""The table of `bench/results.sh DATA OUT quick`: python3 bench/quick_table.py OUT

One row per task and way to train and act, over the training seeds that are there: normalised return, that return as a
share of the best episode of the data within the limit, normalised cost, and episodes within the limit.
"""
import json
import pathlib
import re
import statistics
import sys


def rows(folder):
    best, found = {}, {}
    for path in sorted(folder.glob("quick-*.diagnosis.json")):
        task = path.name.split("-")[2]  # the best episode of its data is the same for each run
        best[task] = json.loads(path.read_text())["safe_return_best"]
    for path in sorted(folder.glob("quick-*.json")):
        match = re.fullmatch(r"(quick-(\w+)-(\w+)-(\d+))--?(.*)", path.stem)
        if path.name.endswith(".diagnosis.json") or not match:
            continue
        _, name, task, _, acting = match.groups()
        e = json.loads(path.read_text())
        width = e["return_std"] / e["normalized_return_std"]  # of the task's bounds
        least = e["return_mean"] - e["normalized_return"] * width
        share = e["normalized_return"] / ((best[task] - least) / width)
        within = sum(row["cost"] <= e["cost_limit"] for row in e["rows"])
        found.setdefault((task, name, acting), []).append(
            (e["normalized_return"], share, e["normalized_cost"], within, len(e["rows"])))
    return found


def main():
    print("| task | trained | acts | seeds | return | share of the best safe episode | cost | within the limit |")
    print("|---|---|---|---:|---:|---:|---:|---:|")
    for (task, name, acting), scores in sorted(rows(pathlib.Path(sys.argv[1], "scores")).items()):
        value, share, cost, within, episodes = zip(*scores)
        mean = statistics.mean
        print(f"| {task} | {name} | {acting} | {len(scores)} | {mean(value):.3f} | {100 * mean(share):.0f} % | "
              f"{mean(cost):.2f} | {sum(within)} of {sum(episodes)} |")


main()
