"""A Gymnasium-style environment without Gymnasium, served by r2pac.env_server: python FILE FORM.

FORM: 4, 5 or 6 for the length of what step returns, or another entry of STEPS or SPACES; or `raises`, `wide`,
`draws`, `carries`, `slow`. The observation is (start, steps taken); the start is drawn from the seed. The reward is
the first action, the cost 1 on odd steps; an episode is cut after 5 steps.
"""

import random
import sys
import time

import numpy as np

from r2pac.env_server import serve


class Box:
    def __init__(self, shape, low=-1.0, high=1.0):
        self.shape = shape
        self.low, self.high = np.full(shape, low, np.float32), np.full(shape, high, np.float32)


class Shape:
    shape = (2,)


class MultiDiscrete:
    shape, nvec = (2,), np.array([3, 3])

    def __repr__(self):
        return "MultiDiscrete([3 3])"


STEPS = {
    "4": lambda o, r, c, over: (o, r, over, {"cost": c, "TimeLimit.truncated": over}),
    "5": lambda o, r, c, over: (o, r, False, over, {"cost": c}),
    "6": lambda o, r, c, over: (o, r, c, False, over, {}),
    "arrays": lambda o, r, c, over: (o[None], np.array([r]), np.array([[c]]), np.array([False]), np.bool_(over), {}),
    "both": lambda o, r, c, over: (o, r, c, False, over, {"cost": np.float32(c)}),
    "no-cost": lambda o, r, c, over: (o, r, False, over, {}),
    "costs": lambda o, r, c, over: (o, r, False, over, {"costs": c, "time": 3}),
    "cost-last": lambda o, r, c, over: (o, r, False, over, c, {}),
    "cost-fourth": lambda o, r, c, over: (o, r, c, over, {}),
    "two-costs": lambda o, r, c, over: (o, r, c, False, over, {"cost": c + 1}),
    "wide-cost": lambda o, r, c, over: (o, r, False, over, {"cost": np.array([c, c])}),
    "bool-cost": lambda o, r, c, over: (o, r, False, over, {"cost": c > 0}),
    "text-observation": lambda o, r, c, over: ("left", r, False, over, {"cost": c}),
}
SPACES = {
    "large": Box((2,), -2, 2),
    "infinite": Box((2,), -np.inf, np.inf),
    "unknown": Shape(),
    "discrete": MultiDiscrete(),
}


class Robot:
    observation_space = Box((2,), -np.inf, np.inf)

    def __init__(self, form):
        self.form, self.carried = form, 0
        self.action_space = SPACES.get(form, Box((2,)))

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
        assert action.shape == (2,) and action.dtype == np.float32
        self.steps += 1
        self.carried += 1
        if self.form == "raises" and self.steps == 3:
            raise ZeroDivisionError("the wheel came off")
        if self.form == "draws":
            self.place = np.random.uniform() + random.random()
        if self.form == "slow":
            time.sleep(0.4)
        result = STEPS.get(self.form, STEPS["5"])
        return result(self.observation(), float(action[0]), float(self.steps % 2), self.steps == 5)

    def close(self):
        pass


if __name__ == "__main__":
    serve(lambda: Robot(sys.argv[1]), episode_steps=5, name="robot")
