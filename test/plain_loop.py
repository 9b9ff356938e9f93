"""Episodes of a registered environment in a plain loop: python FILE ID FIRST_SEED EPISODES STEPS > records

A fresh simulator for each episode; actions are what test_simulators.cpp works out, too. Writes,
little-endian, for each episode the first observation (float32), then for each step the action (float32), the
observation (float32), reward and cost (float64), terminated and truncated (uint8).
"""

import sys

import gymnasium
import numpy as np

from r2pac.simulators import array_defaults

env_id, first_seed, episodes, steps = sys.argv[1], *map(int, sys.argv[2:])
out = sys.stdout.buffer
with array_defaults():
    if "Gymnasium" in env_id:
        import safety_gymnasium  # noqa: F401
    else:
        import bullet_safety_gym  # noqa: F401
    gymnasium.make(env_id).close()


def act(observation, step, size):
    """Exact in 32 bits but for one rounding, so that every language gets the same."""
    reaction = np.float32(0.25) * np.clip(np.resize(observation, size), np.float32(-1), np.float32(1))
    drift = np.array([(7 * step + 3 * k) % 13 - 6 for k in range(size)], np.float32) * np.float32(0.125)
    return reaction + drift


for seed in range(first_seed, first_seed + episodes):
    env = gymnasium.make(env_id)
    np.random.seed(seed)
    observation = np.asarray(env.reset(seed=seed)[0], np.float32)
    out.write(observation.astype("<f4").tobytes())
    for step in range(steps):
        action = act(observation, step, env.action_space.shape[0])
        observation, reward, terminated, truncated, info = env.step(action)
        observation = np.asarray(observation, np.float32)
        out.write(action.astype("<f4").tobytes() + observation.astype("<f4").tobytes())
        out.write(np.array([reward, info["cost"]], "<f8").tobytes() + bytes([terminated, truncated]))
        if terminated or truncated:
            break
    env.close()
