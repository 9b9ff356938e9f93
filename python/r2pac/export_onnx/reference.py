"""What a policy answers, in NumPy and double precision: the other side of every parity check.

Written from docs/formats.md without program and graphs, so that a mistake would have to be made twice.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from r2pac.export_onnx.policy_file import BUDGET, PolicyFile

BOUND = 1e-4
"""Greatest |difference| / (1 + |expected|) that passes. The other side computes in single precision, which
leaves some 1e-6 in chunks and values after 32 steps through trained networks; a wrong formula is off by far
more than this.
"""

Errors = dict[str, float]  # greatest error by what was compared

_erf = np.vectorize(math.erf, otypes=[np.float64])


def error(actual: np.ndarray, expected: np.ndarray) -> float:
    """Greatest |difference| / (1 + |expected|); infinite where something is not finite."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    if actual.shape != expected.shape or not np.isfinite(actual).all():
        return float("inf")
    return float(np.max(np.abs(actual - expected) / (1 + np.abs(expected)), initial=0.0))


class Scores(NamedTuple):
    q_r: np.ndarray  # [n, N], least of the critics
    q_c: np.ndarray  # [n, N], greatest of the critics
    v_r: np.ndarray  # [n]
    v_c: np.ndarray  # [n]


class Answer(NamedTuple):
    candidates: np.ndarray  # [n, N, hA], in [-1, 1]
    scores: Scores | None  # None without critics

    def nearest(self, row: int, chunk: np.ndarray) -> int:
        """The candidate next to a chunk [hA], by the greatest difference of a component."""
        return int(np.abs(self.candidates[row] - chunk).max(axis=1).argmin())


class Reference:
    def __init__(self, policy: PolicyFile) -> None:
        self._policy = policy
        self._tensors = {name: tensor.astype(np.float64) for name, tensor in policy.tensors.items()}

    def flow_step(
        self, observation: np.ndarray, x: np.ndarray, time: np.ndarray, spent: np.ndarray
    ) -> np.ndarray:
        """[n, hA] from observation [n, S], x [n, hA], time [n, 1], spent [n]."""
        state = self._see(observation, spent)
        return x + self._guided(state, x, time) / self._policy.settings["flow_steps"]

    def one_step(self, observation: np.ndarray, spent: np.ndarray) -> np.ndarray:
        """[n, hA] from observation [n, S] and what each episode has cost so far [n], by one pass."""
        unit = float(self._tensors["threshold"][0])
        share = [[min(max(self.bound(cost) / unit, 0.0), 1.0) if unit > 0 else 0.0] for cost in spent]
        return np.tanh(self._net("one_step", 0, **self._see(observation, spent), bound=np.array(share)))

    def answer(self, observation: np.ndarray, noise: np.ndarray, spent: np.ndarray | None = None) -> Answer:
        """From observation [n, S], noise [n, N, hA] and spent [n], each episode's cost so far, by default nothing."""
        n, many, chunk = noise.shape
        spent = np.zeros(n) if spent is None else spent
        steps = self._policy.settings["flow_steps"]
        rows = np.repeat(observation.astype(np.float64), many, axis=0)
        if self._policy.one_step:
            x = self.one_step(rows, spent)
        else:
            x = noise.reshape(-1, chunk).astype(np.float64)
            for k in range(steps):
                x = self.flow_step(rows, x, np.full((len(x), 1), k / steps), np.repeat(spent, many))
            x = np.clip(x, -1, 1)
        if not self._policy.has_critics:
            return Answer(x.reshape(noise.shape), None)
        critics = {
            name: [
                self._net(name, k, **self._see(rows, np.repeat(spent, many)), chunk=x).reshape(n, many)
                for k in range(self._policy.networks[name].count)
            ]
            for name in ("q_r", "q_c")
        }
        v_r, v_c = (self._net(name, 0, **self._see(observation, spent))[:, 0] for name in ("v_r", "v_c"))
        scores = Scores(np.min(critics["q_r"], axis=0), np.max(critics["q_c"], axis=0), v_r, v_c)
        return Answer(x.reshape(noise.shape), scores)

    def best(self, scores: Scores, row: int, bound: float) -> int:
        """The candidate that the policy's rule chooses for one observation, given what it calls safe."""
        q_r, q_c = scores.q_r[row], scores.q_c[row]
        if self._policy.selection == "region" and scores.v_c[row] <= bound:
            inside = [i for i in range(len(q_c)) if q_c[i] <= bound]
            if inside:
                return max(inside, key=lambda i: q_r[i])
        return int(np.argmin(q_c))

    def bound(self, spent: float) -> float:
        """What a choice by region calls safe in an episode that has cost `spent` so far."""
        bound = float(self._policy.region_bound)
        if self._policy.budget == "none":
            return bound
        rest = float(self._policy.metadata["cost_limit"]) - spent
        return min(bound, self._policy.share_of_rest * rest) if rest >= 0 else -math.inf

    def choice_error(self, scores: Scores, row: int, chosen: int, spent: float = 0.0) -> float:
        """How far a candidate is from the best one, by the score that decides.

        Candidates of nearly equal scores may change places by rounding, and so may those next to the bound of
        the region: the bound is taken as it is, and moved by BOUND both ways.
        """
        bound, misses = self.bound(spent), []
        room = BOUND * (1 + abs(bound)) if math.isfinite(bound) else 0.0
        for moved in (bound, bound - room, bound + room):
            best = self.best(scores, row, moved)
            score = scores.q_c if best == int(scores.q_c[row].argmin()) else scores.q_r
            misses.append(error(score[row, chosen], score[row, best]))
        return min(misses)

    def example_errors(self) -> Errors:
        """Against what the program wrote into the policy; its chunk with the candidate next to it."""
        given = {n.removeprefix("example."): t for n, t in self._tensors.items() if n.startswith("example.")}
        spent = float(given["spent"][0]) if "spent" in given else 0.0  # no other policy has a budget
        answer = self.answer(given["observation"][None], given["noise"][None], np.array([spent]))
        nearest = answer.nearest(0, given["chunk"].ravel())
        errors = {
            "example chunk": error(answer.candidates[0, nearest], given["chunk"].ravel()),
            "example action": 0.0 if np.array_equal(given["chunk"][0], given["action"]) else math.inf,
        }
        if answer.scores is None:
            return errors
        errors["example choice"] = self.choice_error(answer.scores, 0, nearest, spent)
        q_r, q_c, v_r, v_c = answer.scores
        of_chunk = {"q_r": q_r[0, nearest], "q_c": q_c[0, nearest], "v_r": v_r[0], "v_c": v_c[0]}
        for name, mine in of_chunk.items():
            if name in given:  # files of early versions have no q_r
                errors[f"example {name}"] = error([mine], given[name])
        return errors

    def _see(self, observation: np.ndarray, spent: np.ndarray) -> dict[str, np.ndarray]:
        """What the networks see of n states, by the names of their inputs."""
        mean, scale = (self._tensors[f"observation_{part}"] for part in ("mean", "scale"))
        state = {"observation": (self._scores(observation) - mean) * scale}
        if self._policy.sees_budget:
            bounds = np.array([[self.bound(float(cost))] for cost in spent])
            within = np.clip(bounds, 0, float(self._policy.greatest_budget))
            state[BUDGET] = np.log1p(within / float(self._policy.metadata["cost_scale"]))
        return state

    def _scores(self, observation: np.ndarray) -> np.ndarray:
        """Columns with a map through it, the others as they are."""
        if "observation_values" not in self._tensors:
            return observation
        columns = []
        for x, values, scores in zip(
            observation.T, self._tensors["observation_values"], self._tensors["observation_scores"]
        ):
            distinct = np.append(True, np.diff(values) > 0)
            columns.append(np.interp(x, values[distinct], scores[distinct]) if values[0] < values[-1] else x)
        return np.stack(columns, axis=1)

    def _guided(self, state: dict[str, np.ndarray], x: np.ndarray, time: np.ndarray) -> np.ndarray:
        def velocity(row: int) -> np.ndarray:
            label = np.tile(self._tensors["label_table"][row], (len(x), 1))
            return self._net("velocity", 0, **state, label=label, chunk=x, time=time)

        null, *good = (velocity(row) for row in self._policy.labels)
        return null + sum(self._policy.settings["guidance_scale"] * (other - null) for other in good)

    def _net(self, name: str, member: int, **inputs: np.ndarray) -> np.ndarray:
        """A perceptron on its inputs by name, [n, width] each."""
        network = self._policy.networks[name]
        x = np.hstack([inputs[key] for key in network.inputs])

        def tensor(part: str) -> np.ndarray:
            value = self._tensors[f"{name}.{part}"]
            return value[member] if network.count > 1 else value

        for i in range(self._policy.layers(name)):
            x = x @ tensor(f"{i}.weight") + tensor(f"{i}.bias")
            if i + 1 == self._policy.layers(name):
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
