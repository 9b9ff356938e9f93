"""Whether onnxruntime answers as the policy does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from r2pac.export_onnx.policy_file import PolicyFile
from r2pac.export_onnx.reference import Answer, Reference

BOUND = 1e-4
"""Greatest |difference| / (1 + |expected|) that passes. The models compute in single precision, which leaves
some 1e-6 in chunks and values after 32 steps through trained networks; a wrong formula is off by far more
than this.
"""

Errors = dict[str, float]  # greatest error by what was compared


def error(actual: np.ndarray, expected: np.ndarray) -> float:
    """Greatest |difference| / (1 + |expected|); infinite where something is not finite."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    if actual.shape != expected.shape or not np.isfinite(actual).all():
        return float("inf")
    return float(np.max(np.abs(actual - expected) / (1 + np.abs(expected)), initial=0.0))


def observations_near_example(policy: PolicyFile, rows: int, rng: np.random.Generator) -> np.ndarray:
    """[rows, S], float32: around the example's, as wide as the networks' scaling says."""
    spread = 1 / policy.tensors["observation_scale"]
    example = policy.tensors["example.observation"]
    return (example + spread * rng.standard_normal((rows, policy.observation_dim))).astype(np.float32)


def compare(policy: PolicyFile, folder: Path, seed: int = 0) -> Errors:
    """Runs both models of a folder on the policy's example and on random inputs of other sizes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    step, sampler = (
        onnxruntime.InferenceSession(
            str(folder / f"{name}.onnx"), options, providers=["CPUExecutionProvider"]
        )
        for name in ("flow_step", "sampler")
    )
    rng = np.random.default_rng(seed)
    reference = Reference(policy)
    errors: Errors = {}

    def note(found: Errors) -> None:
        for name, value in found.items():
            errors[name] = max(errors.get(name, 0.0), value)

    for rows in (1, 5):
        seen = observations_near_example(policy, rows, rng)
        x = rng.standard_normal((rows, policy.chunk_dim)).astype(np.float32)
        time = rng.uniform(0, 1, (rows, 1)).astype(np.float32)
        note(
            {
                "flow_step x_next": error(
                    step.run(None, {"observation": seen, "x": x, "time": time})[0],
                    reference.flow_step(seen, x, time),
                )
            }
        )

    many = policy.settings["num_candidates"]
    example = policy.tensors["example.observation"][None], policy.tensors["example.noise"][None]
    for seen, noise in (
        example,
        *(
            (
                observations_near_example(policy, rows, rng),
                rng.standard_normal((rows, candidates, policy.chunk_dim)).astype(np.float32),
            )
            for rows, candidates in ((1, many), (6, many), (3, 1), (2, 2))
        ),
    ):
        names = [output.name for output in sampler.get_outputs()]
        outputs = dict(zip(names, sampler.run(None, {"observation": seen, "noise": noise})))
        answer = reference.answer(seen, noise)
        note(_compare_choice(policy, reference, answer, outputs))
        note(_compare_with_program(policy, seen, outputs))
        if seen is example[0]:
            note(_compare_with_example(policy, answer, outputs))
    return errors


def _compare_with_example(policy: PolicyFile, answer: Answer, outputs: dict[str, np.ndarray]) -> Errors:
    """Against what the program wrote into the policy; its chunk with the candidate next to it."""
    chunk = policy.tensors["example.chunk"].ravel()
    nearest = int(np.abs(answer.candidates[0] - chunk).max(axis=1).argmin())
    return {
        "example v_r": error(outputs["v_r"], policy.tensors["example.v_r"]),
        "example v_c": error(outputs["v_c"], policy.tensors["example.v_c"]),
        "example q_c": error(answer.q_c[0, nearest], policy.tensors["example.q_c"][0]),
        "example chunk": error(answer.candidates[0, nearest], chunk),
    }


def _compare_choice(
    policy: PolicyFile, reference: Reference, answer: Answer, outputs: dict[str, np.ndarray]
) -> Errors:
    """The chunk against the candidate next to it, and whether the rule may choose this candidate.

    Candidates of nearly equal scores may change places by rounding, and so may those next to the threshold;
    the score that decides must be within the bound of what the rule chooses for the threshold, or one within
    the bound of it.
    """
    errors = {
        "sampler v_r": error(outputs["v_r"], answer.v_r),
        "sampler v_c": error(outputs["v_c"], answer.v_c),
        "sampler action": error(outputs["action"], outputs["chunk"][:, 0]),
        "sampler chunk": 0.0,
        "sampler q_c": 0.0,
        "sampler choice": 0.0,
    }
    limit = float(policy.threshold)
    for row, chunk in enumerate(outputs["chunk"].reshape(len(answer.v_r), -1)):
        distances = np.abs(answer.candidates[row] - chunk).max(axis=1)
        nearest = int(distances.argmin())
        misses = []
        for threshold in (limit, limit - BOUND * (1 + abs(limit)), limit + BOUND * (1 + abs(limit))):
            best = reference.best(answer, row, threshold)
            score = answer.q_c if best == int(answer.q_c[row].argmin()) else answer.q_r
            misses.append(error(score[row, nearest], score[row, best]))
        found = {
            "sampler chunk": error(chunk, answer.candidates[row, nearest]),
            "sampler choice": min(misses),
            "sampler q_c": error(outputs["q_c"][row], answer.q_c[row, nearest]),
        }
        errors = {name: max(value, found.get(name, 0.0)) for name, value in errors.items()}
    return errors


def _compare_with_program(policy: PolicyFile, seen: np.ndarray, outputs: dict[str, np.ndarray]) -> Errors:
    """Against the r2pac package, where its extension is installed: the values of the chosen chunks."""
    try:
        from r2pac import Policy
    except ImportError:
        return {}
    values = Policy.load(policy.path, threads=1).values(seen, outputs["chunk"])
    return {
        f"r2pac package {name}": error(outputs[name], getattr(values, name)) for name in ("v_r", "v_c", "q_c")
    }
