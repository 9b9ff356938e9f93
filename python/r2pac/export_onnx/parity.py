"""Whether onnxruntime answers as the policy does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from r2pac.export_onnx.policy_file import PolicyFile
from r2pac.export_onnx.reference import Answer, Errors, Reference, error


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
        spent = _spent(policy, rows, rng)
        inputs = {"observation": seen, "x": x, "time": time}
        if "spent" in [given.name for given in step.get_inputs()]:
            inputs["spent"] = spent
        note(
            {
                "flow_step x_next": error(
                    step.run(None, inputs)[0],
                    reference.flow_step(seen, x, time, spent),
                )
            }
        )

    many = policy.candidates
    sizes = [(1, many), (6, many), (3, 1)]
    if policy.has_critics and not policy.one_step:
        sizes.append((2, 2))
    example = policy.tensors["example.observation"][None], policy.tensors["example.noise"][None]
    for seen, noise in (
        example,
        *(
            (
                observations_near_example(policy, rows, rng),
                rng.standard_normal((rows, candidates, policy.chunk_dim)).astype(np.float32),
            )
            for rows, candidates in sizes
        ),
    ):
        names = [output.name for output in sampler.get_outputs()]
        spent = _spent(policy, len(seen), rng)
        inputs = {"observation": seen, "noise": noise, "spent": spent}
        taken = {taken.name: inputs[taken.name] for taken in sampler.get_inputs()}
        outputs = dict(zip(names, sampler.run(None, taken)))
        answer = reference.answer(seen, noise, spent)
        note(_compare_choice(reference, answer, outputs, spent))
        note(_compare_with_program(policy, seen, outputs, spent))
    return errors | reference.example_errors()


def _compare_choice(
    reference: Reference, answer: Answer, outputs: dict[str, np.ndarray], spent: np.ndarray
) -> Errors:
    """The chunk against the candidate next to it, what is said of it, and whether the rule may choose it."""
    errors = {"sampler action": error(outputs["action"], outputs["chunk"][:, 0])}
    scores = answer.scores
    if scores is not None:
        errors |= {f"sampler {name}": error(outputs[name], getattr(scores, name)) for name in ("v_r", "v_c")}
    for row, chunk in enumerate(outputs["chunk"].reshape(len(outputs["chunk"]), -1)):
        nearest = answer.nearest(row, chunk)
        found = {"sampler chunk": error(chunk, answer.candidates[row, nearest])}
        if scores is not None:
            found["sampler choice"] = reference.choice_error(scores, row, nearest, float(spent[row]))
            found["sampler q_c"] = error(outputs["q_c"][row], scores.q_c[row, nearest])
        errors |= {name: max(value, errors.get(name, 0.0)) for name, value in found.items()}
    return errors


def _spent(policy: PolicyFile, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Costs of episodes so far, some of them above the limit."""
    return rng.uniform(0, 1.2 * float(policy.metadata["cost_limit"]), rows).astype(np.float32)


def _compare_with_program(
    policy: PolicyFile, seen: np.ndarray, outputs: dict[str, np.ndarray], spent: np.ndarray
) -> Errors:
    """Against the r2pac package, where its extension is installed: the values of the chosen chunks."""
    if not policy.has_critics:
        return {}
    try:
        from r2pac import Policy
    except ImportError:
        return {}
    values = Policy.load(policy.path, threads=1).values(seen, outputs["chunk"], spent=spent)
    return {
        f"r2pac package {name}": error(outputs[name], getattr(values, name)) for name in ("v_r", "v_c", "q_c")
    }
