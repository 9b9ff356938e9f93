"""Finds the gait of a robot with legs, and prints its line of `gaits`.

    python -m r2pac.collect.search --task AntVelocity --seed 0

A seeded random search for the greatest return of a driver that hurries all the way: gaits that are drawn at
random, and then changes of the best ones, which become smaller. The same arguments give the same gait.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

import numpy as np

from r2pac.collect.gaits import GAITS
from r2pac.collect.tasks import TASKS, Task, find_task
from r2pac.env_server import Copy
from r2pac.errors import Error
from r2pac.simulators import factory

_ELITE = 6  # gaits of which changes are tried

Score = Callable[[list[float], int], float]  # of a gait in episode 0, 1, ...


def episode_score(task: Task, steps: int) -> Score:
    """Return of the first steps of an episode."""
    copy = Copy(factory(task.env_id), reuse=True)

    def score(gait: list[float], number: int) -> float:
        GAITS[task.driver.robot.gait] = gait
        driver = task.driver(np.random.default_rng(number), steps)
        driver.rush()
        observation, total = copy.reset(number), 0.0
        for step in range(steps):
            action = np.clip(driver.act(observation, step), -1, 1).astype(np.float32)
            transition = copy.step(action)
            observation, total = transition.observation, total + transition.reward
            if transition.terminated or transition.truncated:
                break
        return total

    return score


def search(
    score: Score,
    first: list[float] | int,
    drawn: int,
    changed: int,
    rng: np.random.Generator,
    progress: Callable[[str], None],
) -> tuple[float, list[float]]:
    """The best of `drawn` + `changed` gaits by the lesser of two episodes, and this score.

    first: the gait to try first, or how many numbers a gait has.
    """
    numbers = first if isinstance(first, int) else len(first)
    elite: list[tuple[float, list[float]]] = []
    for trial in range(drawn + changed):
        if trial == 0 and not isinstance(first, int):
            gait = np.asarray(first)
        elif trial < drawn:
            gait = rng.random(numbers)
        else:
            left = 1 - (trial - drawn) / changed
            which = rng.random(numbers) < 0.4
            gait = np.asarray(elite[rng.integers(len(elite))][1])
            gait = np.clip(gait + which * rng.normal(0, 0.03 + 0.17 * left, numbers), 0, 1)
        gait = [round(float(number), 4) for number in gait]
        worst = elite[-1][0] if len(elite) == _ELITE else -np.inf
        value = score(gait, 0)
        if value > worst:
            value = min(value, score(gait, 1))
        if value > worst:
            elite = sorted([*elite, (value, gait)], key=lambda one: -one[0])[:_ELITE]
        if (trial + 1) % 50 == 0:
            progress(f"{trial + 1} of {drawn + changed} gaits, best return {elite[0][0]:.5g}")
    return elite[0]


def main(arguments: list[str] | None = None) -> int:
    walkers = [name for name, task in TASKS.items() if hasattr(getattr(task.driver, "robot", None), "gait")]
    parser = argparse.ArgumentParser(prog="python -m r2pac.collect.search", description=__doc__.split("\n")[0])
    parser.add_argument("--task", required=True, choices=walkers)
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers, 0 or more (default: 0)")
    parser.add_argument("--first", choices=sorted(GAITS), help="gait of a robot alike, to be tried first")
    parser.add_argument("--drawn", type=int, default=250, help="gaits drawn at random (default: 250)")
    parser.add_argument("--changed", type=int, default=450, help="changes of the best ones (default: 450)")
    parser.add_argument("--steps", type=int, default=200, help="of an episode (default: 200)")
    options = parser.parse_args(arguments)
    if min(options.drawn, options.changed, options.steps) < 1 or options.seed < 0:
        parser.error("--drawn, --changed and --steps must be at least 1, and --seed at least 0")
    task = find_task(options.task)
    robot = task.driver.robot
    first = GAITS[options.first] if options.first else robot.numbers()
    if isinstance(first, list) and len(first) != robot.numbers():
        parser.error(f"--first {options.first}: it has {len(first)} numbers, {robot.numbers()} are needed")
    try:
        score = episode_score(task, options.steps)
        best, gait = search(
            score,
            first,
            options.drawn,
            options.changed,
            np.random.default_rng(options.seed),
            lambda line: print(line, file=sys.stderr),
        )
    except Error as error:
        return error.report()
    print(f"return of {options.steps} steps: {best:.5g}", file=sys.stderr)
    print(f'    "{robot.gait}": {gait},')
    return 0


if __name__ == "__main__":
    sys.exit(main())
