"""What a policy answers, in NumPy and double precision: the other side of the parity check.

Written from docs/formats.md without the graphs, so that a mistake would have to be made twice.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from r2pac.export_onnx.policy_file import GOOD, NULL, PolicyFile

_erf = np.vectorize(math.erf, otypes=[np.float64])


class Answer(NamedTuple):
    candidates: np.ndarray  # [n, N, hA], in [-1, 1]
    q_r: np.ndarray  # [n, N], least of the critics
    q_c: np.ndarray  # [n, N], greatest of the critics
    v_r: np.ndarray  # [n]
    v_c: np.ndarray  # [n]


class Reference:
    def __init__(self, policy: PolicyFile) -> None:
        self._policy = policy
        self._tensors = {name: tensor.astype(np.float64) for name, tensor in policy.tensors.items()}

    def flow_step(self, observation: np.ndarray, x: np.ndarray, time: np.ndarray) -> np.ndarray:
        """[n, hA] from observation [n, S], x [n, hA], time [n, 1]."""
        return x + self._guided(self._see(observation), x, time) / self._policy.settings["flow_steps"]

    def answer(self, observation: np.ndarray, noise: np.ndarray) -> Answer:
        """From observation [n, S] and noise [n, N, hA]."""
        n, many, chunk = noise.shape
        steps = self._policy.settings["flow_steps"]
        rows = np.repeat(observation.astype(np.float64), many, axis=0)
        x = noise.reshape(-1, chunk).astype(np.float64)
        for k in range(steps):
            x = self.flow_step(rows, x, np.full((len(x), 1), k / steps))
        x = np.clip(x, -1, 1)
        pairs = np.hstack([self._see(rows), x])
        scores = {
            name: np.array([self._net(name, pairs, k)[:, 0] for k in range(self._policy.critics)])
            for name in ("q_r", "q_c")
        }
        seen = self._see(observation)
        return Answer(
            x.reshape(noise.shape),
            scores["q_r"].min(0).reshape(n, many),
            scores["q_c"].max(0).reshape(n, many),
            self._net("v_r", seen)[:, 0],
            self._net("v_c", seen)[:, 0],
        )

    def best(self, answer: Answer, row: int, threshold: float) -> int:
        """The candidate that the policy's rule chooses for one observation, given l."""
        q_r, q_c = answer.q_r[row], answer.q_c[row]
        if self._policy.selection == "region" and answer.v_c[row] <= threshold:
            inside = [i for i in range(len(q_c)) if q_c[i] <= threshold]
            if inside:
                return max(inside, key=lambda i: q_r[i])
        return int(np.argmin(q_c))

    def _see(self, observation: np.ndarray) -> np.ndarray:
        return (observation - self._tensors["observation_mean"]) * self._tensors["observation_scale"]

    def _guided(self, seen: np.ndarray, x: np.ndarray, time: np.ndarray) -> np.ndarray:
        def velocity(label: int) -> np.ndarray:
            row = np.tile(self._tensors["label_table"][label], (len(x), 1))
            return self._net("velocity", np.hstack([seen, row, x, time]))

        null = velocity(NULL)
        return null + self._policy.settings["guidance_scale"] * (velocity(GOOD) - null)

    def _net(self, name: str, x: np.ndarray, member: int | None = None) -> np.ndarray:
        twin = name in ("q_r", "q_c") and self._policy.critics == 2

        def tensor(part: str) -> np.ndarray:
            value = self._tensors[f"{name}.{part}"]
            return value[member] if twin else value

        for i in range(self._policy.layers):
            x = x @ tensor(f"{i}.weight") + tensor(f"{i}.bias")
            if i + 1 == self._policy.layers:
                break
            if self._policy.settings["activation"] == "gelu_tanh":
                x = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
            else:
                x = 0.5 * x * (1 + _erf(x / math.sqrt(2)))
            if f"{name}.{i}.norm.gain" in self._tensors:
                deviation = x - x.mean(axis=1, keepdims=True)
                x = deviation / np.sqrt((deviation**2).mean(axis=1, keepdims=True) + 1e-5)
                x = x * tensor(f"{i}.norm.gain") + tensor(f"{i}.norm.bias")
        return x
