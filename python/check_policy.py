#!/usr/bin/env python3
"""Loads a policy with the stock safetensors package and redoes its example with NumPy alone.

    python check_policy.py runs/ball/policy.safetensors

What any other loader has to do, in double precision: the guided flow from the stored noise, the critics, the
choice, the values. Exit status: 0 the example is reproduced, 1 it is not, 77 a package is missing.
"""

import math
import sys
import tomllib

try:
    import numpy as np
    from safetensors import safe_open
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

NULL, GOOD = 0, 2  # rows of the label table
erf = np.vectorize(math.erf)


class Policy:
    def __init__(self, path):
        with safe_open(path, framework="np") as file:
            self.metadata = file.metadata()
            self.tensors = {name: file.get_tensor(name).astype(np.float64) for name in file.keys()}
        self.settings = tomllib.loads(self.metadata["settings"])
        self.layers = len(self.settings["hidden"]) + 1

    def gelu(self, x):
        if self.settings["activation"] == "gelu_tanh":
            return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        return 0.5 * x * (1 + erf(x / np.sqrt(2)))

    def net(self, name, x, k=None):
        """Rows of x through a perceptron; k picks one of an ensemble."""
        t = lambda part: self.tensors[f"{name}.{part}"] if k is None else self.tensors[f"{name}.{part}"][k]
        for i in range(self.layers):
            x = x @ t(f"{i}.weight") + t(f"{i}.bias")
            if i + 1 < self.layers:
                x = self.gelu(x)
                if f"{name}.{i}.norm.gain" in self.tensors:
                    x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
                    x = x * t(f"{i}.norm.gain") + t(f"{i}.norm.bias")
        return x

    def see(self, observation):
        return (observation - self.tensors["observation_mean"]) * self.tensors["observation_scale"]

    def value(self, name, observation):
        return self.net(name, self.see(observation)[None])[0, 0]

    def candidates(self, observation, noise):
        """[candidates, hA] from noise [candidates, hA]."""
        n, x = len(noise), noise.copy()
        seen = np.repeat(self.see(observation)[None], n, axis=0)
        steps, scale = self.settings["flow_steps"], self.settings["guidance_scale"]

        def velocity(label, time):
            row = np.repeat(self.tensors["label_table"][label][None], n, axis=0)
            return self.net("velocity", np.concatenate([seen, row, x, np.full((n, 1), time)], axis=1))

        for step in range(steps):
            null, good = velocity(NULL, step / steps), velocity(GOOD, step / steps)
            x = x + (null + scale * (good - null)) / steps
        return np.clip(x, -1, 1)

    def critics(self, name, observation, chunks):
        """[critics, candidates]: what each of the critics "q_r" or "q_c" says of chunks [candidates, hA]."""
        pairs = np.concatenate([np.repeat(self.see(observation)[None], len(chunks), axis=0), chunks], axis=1)
        members = [None] if self.tensors[f"{name}.0.weight"].ndim == 2 else [0, 1]
        return np.array([self.net(name, pairs, k)[:, 0] for k in members])

    def choose(self, observation, costs, rewards):
        """By which score, "q_r" or "q_c", one of the candidates with these scores [candidates] is chosen, and
        its index."""
        threshold = min(self.tensors["threshold"][0], float(self.metadata.get("value_limit", "inf")))
        admissible = costs <= threshold
        by_reward = self.settings.get("selection") == "region" and admissible.any()
        if by_reward and self.value("v_c", observation) <= threshold:
            return "q_r", np.where(admissible, rewards, -np.inf).argmax()
        return "q_c", costs.argmin()


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: check_policy.py POLICY.safetensors")
    policy = Policy(sys.argv[1])
    example = {n.removeprefix("example."): t for n, t in policy.tensors.items() if n.startswith("example.")}
    chunks = policy.candidates(example["observation"], example["noise"])
    scores = {
        "q_c": policy.critics("q_c", example["observation"], chunks).max(axis=0),
        "q_r": policy.critics("q_r", example["observation"], chunks).min(axis=0),
    }
    decisive, chosen = policy.choose(example["observation"], scores["q_c"], scores["q_r"])
    stored = example["chunk"].ravel()
    nearest = np.abs(chunks - stored).max(axis=1).argmin()
    # The program computes in single precision: 32 steps through trained nets leave some 1e-6 in chunks and
    # values, and the bound a hundred times that. Two candidates of nearly equal scores may change places, so
    # the score that decides is compared, and the chunk with the candidate next to it.
    bound = 1e-4
    checks = {
        "v_r": (policy.value("v_r", example["observation"]), example["v_r"][0]),
        "v_c": (policy.value("v_c", example["observation"]), example["v_c"][0]),
        f"{decisive} of the choice": (scores[decisive][chosen], example[decisive][0]),
    }
    for name in ("q_c", "q_r"):
        if name in example:  # policies of early versions have no q_r
            checks[f"{name} of the stored chunk"] = (scores[name][nearest], example[name][0])
    failed = False
    for name, (mine, theirs) in checks.items():
        bad = not abs(mine - theirs) <= bound * (1 + abs(theirs))
        failed |= bad
        print(f"{'DIFFERS' if bad else 'equal':<8} {name}: {mine:.6f} here, {theirs:.6f} in the file")
    distance = np.abs(chunks[nearest] - stored).max()
    bad = not distance <= bound
    failed |= bad
    print(f"{'DIFFERS' if bad else 'equal':<8} chunk: greatest distance {distance:.2e}")
    action = example["action"]
    bad = not np.array_equal(action, stored[: len(action)])
    failed |= bad
    print(f"{'DIFFERS' if bad else 'equal':<8} action: the chunk's first")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
