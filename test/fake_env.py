"""A Gymnasium-style environment without Gymnasium, served by r2pac.env_server: python FILE FORM.

FORM: 4, 5 or 6 for the length of what step returns; or `raises`, `no-cost`, `wide`, `draws`, `carries`. The
observation is (start, steps taken); the start is drawn from the seed. The reward is the first action, the
cost 1 on odd steps; an episode is cut after 5 steps.
"""

import random
import sys

import numpy as np

from r2pac.env_server import serve


class Box:
    def __init__(self, *shape):
        self.shape = shape


class Robot:
    observation_space, action_space = Box(2), Box(2)

    def __init__(self, form):
        self.form, self.carried = form, 0

    def reset(self, seed=None):
        self.steps = 0
        self.place = float(np.random.default_rng(seed).uniform())
        if self.form == "draws":  # from the global streams, whatever the seed is
            self.place = np.random.uniform() + random.random()
        if self.form == "carries":
            self.place += self.carried
        return self.observation() if self.form == "4" else (self.observation(), {})

    def observation(self):
        return np.array([self.place, self.steps] + [0] * (self.form == "wide" and self.steps > 0), np.float64)

    def step(self, action):
        assert action.shape == (2,) and action.dtype == np.float32 and np.abs(action).max() <= 1
        self.steps += 1
        self.carried += 1
        if self.form == "raises" and self.steps == 3:
            raise ZeroDivisionError("the wheel came off")
        if self.form == "draws":
            self.place = np.random.uniform() + random.random()
        cost, reward, over = float(self.steps % 2), float(action[0]), self.steps == 5
        if self.form == "4":
            return self.observation(), reward, over, {"cost": cost, "TimeLimit.truncated": over}
        if self.form == "6":
            return self.observation(), reward, cost, False, over, {}
        return self.observation(), reward, False, over, {} if self.form == "no-cost" else {"cost": cost}

    def close(self):
        pass


if __name__ == "__main__":
    serve(lambda: Robot(sys.argv[1]), episode_steps=5, name="robot")
