"""Trains on a DSRL file and scores the policy in BallRun, in a plain loop over the simulator.

    python ball_run.py SafetyBallRun-v0-80-940.hdf5

It prints the return and the cost of five episodes, after minutes of training. It needs bullet-safety-gym beside r2pac, for
example the environment that ./setup.sh --simulators makes. Its exit status is that of the command `r2pac`.
"""

import sys

import numpy as np
import r2pac
from r2pac.simulators import factory

SETTINGS = {"steps": 10000, "hidden": [256, 256, 256], "batch": 256, "schedule": "joint"}


def main(file: str) -> None:
    make, scores = factory("SafetyBallRun-v0"), []
    policy = r2pac.train(SETTINGS, file, callback=lambda i: print(f"step {i['step']} of {i['total']}"))
    for episode in range(5):
        np.random.seed(episode)  # where this simulator draws its start from
        env, score, over = make(), np.zeros(2), False
        observation, _ = env.reset()
        policy.reset(seed=0, episode=episode)
        while not over:
            observation, reward, terminated, truncated, info = env.step(policy.act(observation))
            score, over = score + (reward, info["cost"]), terminated or truncated
        scores.append(score)
    print("return {:.1f}, cost {:.1f} (limit {:g})".format(*np.mean(scores, axis=0), policy.cost_limit))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print(__doc__, end="", file=sys.stderr)
        sys.exit(r2pac.UsageError.exit_code)
    try:
        main(sys.argv[1])
    except r2pac.Error as error:
        sys.exit(error.report())
