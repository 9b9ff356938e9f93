"""Trains on a DSRL file and scores the policy in BallRun: python ball_run.py SafetyBallRun-v0-80-940.hdf5

Needs bullet-safety-gym beside r2pac, for example the environment that ./setup.sh --simulators makes.
"""

import sys

import numpy as np
import r2pac
from r2pac.simulators import factory

if len(sys.argv) != 2:
    sys.exit(__doc__)
settings = {"steps": 10000, "hidden": [256, 256, 256], "batch": 256, "schedule": "joint"}
policy = r2pac.train(settings, sys.argv[1], callback=lambda i: print(f"step {i['step']} of {i['total']}"))

make, scores = factory("SafetyBallRun-v0"), []
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
