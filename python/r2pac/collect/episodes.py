"""Candidates: episodes of drivers, each a function of seed and number alone, in several processes."""

from __future__ import annotations

import functools
import multiprocessing
from collections.abc import Iterator

import numpy as np

from r2pac.collect.driver import Blind
from r2pac.collect.action_noise import ActionNoise
from r2pac.collect.tasks import Task
from r2pac.env_server import Copy
from r2pac.simulators import factory

Episode = dict[str, np.ndarray]  # the seven arrays of the DSRL layout, of T rows each
_BLIND_SHARE = 0.03
_factory = functools.cache(factory)  # imports a simulator's package once in each process


def candidate_rng(seed: int, number: int) -> np.random.Generator:
    """All random numbers of a candidate, those of its driver first."""
    return np.random.default_rng([seed, number])


def drive(task: Task, seed: int, number: int) -> Episode:
    """One episode in a fresh simulator, as evaluation uses them. The same arguments give the same episode."""
    rng = candidate_rng(seed, number)
    driver = task.driver(rng, task.steps)
    noise = ActionNoise(rng, driver.actions, driver.steadiness)
    if rng.random() < _BLIND_SHARE:
        driver = Blind(rng, driver.actions)
    copy = Copy(_factory(task.env_id), reuse=False)
    observations, actions, rewards, costs = [copy.reset(int(rng.integers(2**31)))], [], [], []
    ended = False
    while not ended:
        actions.append(noise(driver.act(observations[-1], min(len(actions), task.steps - 1))))
        transition = copy.step(actions[-1])
        observations.append(transition.observation)
        rewards.append(transition.reward)
        costs.append(transition.cost)
        ended = transition.terminated or transition.truncated
    copy.close()
    seen = np.asarray(observations, np.float32)
    flags = np.zeros((2, len(actions)), bool)
    flags[0 if transition.terminated else 1, -1] = True
    return {
        "observations": seen[:-1],
        "next_observations": seen[1:],
        "actions": np.asarray(actions, np.float32),
        "rewards": np.asarray(rewards, np.float32),
        "costs": np.asarray(costs, np.float32),
        "terminals": flags[0],
        "timeouts": flags[1],
    }


def drive_all(task: Task, seed: int, count: int, jobs: int) -> Iterator[Episode]:
    """Episodes 0, ..., count - 1 in this order, whatever the number of processes."""
    one = functools.partial(drive, task, seed)
    _factory(task.env_id)  # what is missing is said once, and here
    if jobs == 1:
        yield from map(one, range(count))
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(one, range(count), chunksize=4)
