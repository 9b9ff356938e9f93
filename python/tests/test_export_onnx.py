"""Policies as ONNX: parity, refusals and the contract, on small random policies and on a trained one."""

import json
import pickle

import numpy as np
import pytest

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
safetensors = pytest.importorskip("safetensors.numpy")

from r2pac.errors import CheckpointError
from r2pac.export_onnx import __main__ as command
from r2pac.export_onnx import contract, parity, policy_file, reference
from r2pac.export_onnx.reference import Reference
from r2pac.network_layout import parse_networks

S, A, H, LABELS, CANDIDATES = 5, 2, 3, 4, 6
SETTINGS = {
    "hidden": [16, 12],
    "flow_steps": 7,
    "guidance_scale": 1.5,
    "num_candidates": CANDIDATES,
    "discount": 0.99,
    "activation": '"gelu_erf"',
    "selection": '"least-cost"',
}
NETWORKS = (
    f"q_r: observation {S} chunk {H * A} -> 1, 2 of them\n"
    f"q_c: observation {S} chunk {H * A} -> 1, 2 of them\n"
    f"v_r: observation {S} -> 1\n"
    f"v_c: observation {S} -> 1\n"
    f"velocity: observation {S} label {LABELS} chunk {H * A} time 1 -> {H * A}\n"
)


@pytest.fixture(autouse=True)
def no_program(request, monkeypatch):
    """The small policies here have only the settings that acting needs, which the program would refuse."""
    if not {"robot_run", "cloned_run"} & set(request.fixturenames):
        monkeypatch.setattr(parity, "_compare_with_program", lambda *_: {})


def score_maps(rng, columns: int) -> dict[str, np.ndarray]:
    """Maps of seven points for all columns but the first; two of the last column's are one."""
    values = np.sort(rng.standard_normal((columns, 7)), axis=1)
    scores = np.sort(rng.standard_normal((columns, 7)), axis=1)
    values[0], scores[0] = 0, 0
    values[-1, -1], scores[-1, -1] = values[-1, -2], scores[-1, -2]
    return {"observation_values": values.astype(np.float32), "observation_scores": scores.astype(np.float32)}


def random_tensors(rng, twin: bool, norm: bool) -> dict[str, np.ndarray]:
    """Networks of the sizes above; the example's answers are filled in later."""
    tensors = {
        "observation_mean": rng.standard_normal(S),
        "observation_scale": rng.uniform(0.5, 2, S),
        "label_table": rng.standard_normal((3, LABELS)),
        "example.observation": rng.standard_normal(S),
        "example.noise": rng.standard_normal((CANDIDATES, H * A)),
    }
    for name, network in parse_networks(NETWORKS).items():
        lead = (2,) if twin and name.startswith("q") else ()
        widths = [sum(network.inputs.values()), *SETTINGS["hidden"], network.outputs]
        for i, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
            tensors[f"{name}.{i}.weight"] = rng.standard_normal((*lead, fan_in, fan_out)) / np.sqrt(fan_in)
            tensors[f"{name}.{i}.bias"] = rng.standard_normal((*lead, fan_out))
            if norm and name != "velocity" and i + 2 < len(widths):
                tensors[f"{name}.{i}.norm.gain"] = rng.uniform(0.5, 2, (*lead, fan_out))
                tensors[f"{name}.{i}.norm.bias"] = rng.standard_normal((*lead, fan_out))
    tensors = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
    return tensors | {
        "threshold": np.zeros(1),
        "example.chunk": np.zeros((H, A), np.float32),
        "example.action": np.zeros(A, np.float32),
        **{f"example.{name}": np.zeros(1, np.float32) for name in ("q_c", "v_r", "v_c")},
    }


def write_policy(
    path, threshold=0.0, twin=True, norm=False, scores=False, change=lambda tensors, metadata: None, **settings
):
    """A sound policy file, then changed."""
    toml = "".join(f"{key} = {value}\n" for key, value in {**SETTINGS, **settings}.items())
    tensors = random_tensors(np.random.default_rng(1), twin, norm)
    tensors["threshold"][0] = threshold
    if scores:
        tensors |= score_maps(np.random.default_rng(5), S)
    metadata = {
        "format": policy_file.FORMAT,
        "method": "r2pac",
        "networks": NETWORKS if twin else NETWORKS.replace(", 2 of them", ""),
        "version": "1",
        "task": "BallRun",
        "settings": toml,
        "step": "3",
        "observation_dim": str(S),
        "action_dim": str(A),
        "chunk_length": str(H),
        "reward_scale": "2",
        "cost_scale": "1",
        "cost_limit": "5",
        "data_fingerprint": "0" * 32,
    }
    safetensors.save_file(tensors, path, metadata)
    policy = policy_file.read_policy(path)
    answer = Reference(policy).answer(tensors["example.observation"][None], tensors["example.noise"][None])
    best = Reference(policy).best(answer.scores, 0, float(policy.region_bound))
    tensors["example.chunk"][:] = answer.candidates[0, best].reshape(H, A)
    tensors["example.action"][:] = tensors["example.chunk"][0]
    tensors["example.q_c"][0], tensors["example.v_r"][0], tensors["example.v_c"][0] = (
        answer.scores.q_c[0, best],
        answer.scores.v_r[0],
        answer.scores.v_c[0],
    )
    change(tensors, metadata)
    safetensors.save_file(tensors, path, metadata)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"twin": False, "norm": True},
        {"norm": True},
        {"activation": '"gelu_tanh"'},
        {"flow_steps": 1},
        {"selection": '"region"', "threshold": 0.5},
        {"selection": '"region"', "threshold": -100.0},
        {"selection": '"region"', "threshold": 100.0, "twin": False},
        {"selection": '"region"', "region_bound": 0.5},
        {"selection": '"region"', "region_bound": '"auto"'},
        {"label": '"null"'},
        {"scores": True},
        {"scores": True, "selection": '"region"', "threshold": 0.5},
    ],
)
def test_models_answer_as_the_policy_does(tmp_path, options, capsys):
    path = write_policy(tmp_path / "policy.safetensors", **options)
    assert command.main([str(path), "-o", str(tmp_path / "out")]) == 0
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "contract.json",
        "flow_step.onnx",
        "sampler.onnx",
    ]
    assert "greatest error" in capsys.readouterr().out


def test_region_chooses_by_reward_where_it_is_safe(tmp_path):
    noise = np.random.default_rng(2).standard_normal((40, CANDIDATES, H * A)).astype(np.float32)
    observation = np.random.default_rng(3).standard_normal((40, S)).astype(np.float32)
    chosen = {}
    for name, options in {
        "least": {},
        "all": {"selection": '"region"', "threshold": 1e6},
        "none": {"selection": '"region"', "threshold": -1e6},
    }.items():
        path = write_policy(tmp_path / f"{name}.safetensors", **options)
        command.export(path, tmp_path / name)
        session = onnxruntime.InferenceSession(tmp_path / name / "sampler.onnx")
        action, _, q_c, _, _ = session.run(None, {"observation": observation, "noise": noise})
        answer = Reference(policy_file.read_policy(path)).answer(observation, noise)
        expected = answer.scores.q_r.argmax(1) if name == "all" else answer.scores.q_c.argmin(1)
        # Single against double precision, as reference.BOUND says; no scores of this seed are nearly equal.
        assert np.abs(action - answer.candidates[np.arange(40), expected, :A]).max() < reference.BOUND
        assert np.abs(q_c - answer.scores.q_c[np.arange(40), expected]).max() < reference.BOUND
        chosen[name] = action
    assert np.array_equal(chosen["least"], chosen["none"])
    assert not np.array_equal(chosen["least"], chosen["all"])


def as_old(tensors, metadata):
    """As early versions wrote it: one method, whose networks need no description."""
    metadata["format"] = policy_file.OLD_FORMAT
    del metadata["networks"], metadata["method"]


def as_cloning(tensors, metadata):
    """What method cloning leaves of it, without the example's answers."""
    metadata |= {"method": "cloning", "networks": NETWORKS.splitlines()[-1] + "\n"}
    metadata["settings"] = metadata["settings"].replace("num_candidates = 6", "num_candidates = 1")
    metadata["settings"] += 'label = "null"\n'
    for name in list(tensors):
        if name.removeprefix("example.").startswith(("q_", "v_")) or name == "threshold":
            del tensors[name]
    tensors["example.noise"] = tensors["example.noise"][:1].copy()


def as_bc(tensors, metadata):
    """As a method whose one network says the action."""
    metadata |= {"method": "bc", "networks": f"mean: observation {S} -> {H * A}\n"}


def test_a_policy_without_a_flow_is_refused(tmp_path):
    path = write_policy(tmp_path / "policy.safetensors", change=as_bc)
    with pytest.raises(CheckpointError, match="without a flow"):
        policy_file.read_policy(path)


def reordered(tensors, metadata):
    """The same networks, whose first layers read their inputs in another order."""
    metadata["networks"] = NETWORKS.replace(
        f"observation {S} chunk {H * A} ->", f"chunk {H * A} observation {S} ->"
    ).replace(
        f"observation {S} label {LABELS} chunk {H * A} time 1",
        f"time 1 chunk {H * A} label {LABELS} observation {S}",
    )
    observation, label, chunk = np.split(np.arange(S + LABELS + H * A), [S, S + LABELS])
    order = [S + LABELS + H * A, *chunk, *label, *observation]
    tensors["velocity.0.weight"] = tensors["velocity.0.weight"][order]
    for name in ("q_r.0.weight", "q_c.0.weight"):
        tensors[name] = np.concatenate([tensors[name][:, S:], tensors[name][:, :S]], axis=1)


@pytest.mark.parametrize("change", [as_old, reordered])
def test_the_same_policy_written_otherwise_answers_the_same(tmp_path, change):
    path = write_policy(tmp_path / "policy.safetensors", change=change)
    errors = command.export(path, tmp_path / "out")
    # The example was computed from the policy before the change.
    assert {"example chunk", "example q_c", "example v_r"} <= set(errors)
    assert max(errors.values()) <= reference.BOUND


def test_a_policy_without_critics_has_one_candidate_and_no_scores(tmp_path, capsys):
    path = write_policy(tmp_path / "policy.safetensors", change=as_cloning)
    policy = policy_file.read_policy(path)
    example = policy.tensors["example.observation"][None], policy.tensors["example.noise"][None]
    chunk = Reference(policy).answer(*example).candidates.reshape(H, A).astype(np.float32)

    def answered(tensors, metadata):
        as_cloning(tensors, metadata)
        tensors |= {"example.chunk": chunk, "example.action": chunk[0].copy()}

    path = write_policy(tmp_path / "policy.safetensors", change=answered)
    assert command.main([str(path), "-o", str(tmp_path / "out")]) == 0
    assert "method cloning trains no critics" in capsys.readouterr().out
    stated = json.loads((tmp_path / "out" / "contract.json").read_text())
    assert stated["absent"].startswith("method cloning trains no critics")
    assert (stated["candidates"], stated["threshold"], stated["selection"]) == (1, None, None)
    session = onnxruntime.InferenceSession(tmp_path / "out" / "sampler.onnx")
    assert [one.name for one in session.get_outputs()] == ["action", "chunk"]
    assert session.get_inputs()[1].shape == ["n", 1, H * A]
    check_contract(stated, tmp_path / "out")


def test_a_wrong_model_is_not_written(tmp_path, monkeypatch, capsys):
    path = write_policy(tmp_path / "policy.safetensors")
    monkeypatch.setattr(Reference, "_guided", lambda self, seen, x, time: np.zeros_like(x))
    assert command.main([str(path), "-o", str(tmp_path / "out")]) == 1
    assert "do not answer as the policy does" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_error_counts_what_is_not_finite():
    assert reference.error([1.0, np.nan], [1.0, 1.0]) == np.inf
    assert reference.error([1.0], [1.0, 1.0]) == np.inf
    assert reference.error([2.0], [1.0]) == 0.5


def without(name):
    return lambda tensors, metadata: tensors.pop(name)


def setting(name, value):
    def change(tensors, metadata):
        metadata[name] = value

    return change


def put_nan(tensors, metadata):
    tensors["v_c.1.weight"][0, 0] = np.nan


def cut(tensors, metadata):
    tensors["q_c.1.weight"] = tensors["q_c.1.weight"][:, :-1].copy()


@pytest.mark.parametrize(
    "change, words",
    [
        (setting("format", "r2pac-checkpoint-1"), "not a policy of the format"),
        (setting("networks", "velocity: -> 1"), "`networks` has the line `velocity: -> 1`"),
        (setting("networks", NETWORKS.replace("time 1", "time 2")), "`velocity` reads"),
        (setting("networks", NETWORKS.replace("time 1", "hour 1")), "`velocity` reads"),
        (setting("networks", NETWORKS.replace("v_r:", "v:")), "`v_r` is missing"),
        (setting("networks", NETWORKS.splitlines()[-1]), "no critics that could choose"),
        (without("velocity.1.bias"), "`velocity.1.bias` is missing"),
        (without("label_table"), "`label_table` is missing"),
        (put_nan, "`v_c.1.weight` is not made of finite numbers"),
        (cut, "`q_c.1.weight` has the shape"),
        (setting("observation_dim", "many"), "many"),
        (setting("observation_dim", "0"), "not a whole number"),
        (setting("settings", "hidden = ["), "damaged"),
        (setting("settings", 'hidden = [1]\nactivation = "relu"'), "is missing"),
    ],
)
def test_damaged_policies_are_refused(tmp_path, change, words):
    path = write_policy(tmp_path / "policy.safetensors", change=change)
    with pytest.raises(CheckpointError, match=words) as refusal:
        policy_file.read_policy(path)
    assert refusal.value.where == str(path) and refusal.value.todo


@pytest.mark.parametrize("content", [b"", b"{}", pickle.dumps({"weights": [1.0]}), b"\xff" * 64])
def test_other_files_are_refused(tmp_path, content, capsys):
    path = tmp_path / "policy.safetensors"
    path.write_bytes(content)
    assert command.main([str(path), "-o", str(tmp_path / "out")]) == 5
    assert "this is not a policy" in capsys.readouterr().err
    assert command.main([str(tmp_path / "missing"), "-o", str(tmp_path / "out")]) == 5
    assert not (tmp_path / "out").exists()


def test_contract_describes_the_models(tmp_path):
    path = write_policy(tmp_path / "policy.safetensors", threshold=0.25)
    limited = write_policy(
        tmp_path / "limited.safetensors",
        threshold=0.25,
        change=lambda tensors, metadata: metadata.update(value_limit="0.125"),
    )
    assert policy_file.read_policy(limited).region_bound == 0.125
    command.export(path, tmp_path / "out")
    stated = json.loads((tmp_path / "out" / "contract.json").read_text())
    assert stated == contract.contract(policy_file.read_policy(path))
    assert (stated["cost_limit"], stated["threshold"], stated["policy"]["task"]) == (5, 0.25, "BallRun")
    assert stated["policy"]["data_fingerprint"] == "0" * 32
    check_contract(stated, tmp_path / "out")


def check_contract(stated, folder):
    """Names and shapes are those of the models."""
    for name, model in stated["models"].items():
        session = onnxruntime.InferenceSession(folder / name)
        for side, actual in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
            assert [(one["name"], one["shape"]) for one in model[side]] == [
                (one.name, one.shape) for one in actual
            ]


def test_a_trained_policy(robot_run, tmp_path):
    errors = command.export(robot_run, tmp_path)
    assert {"r2pac package v_r", "r2pac package v_c", "r2pac package q_c", "example chunk"} <= set(errors)


def test_a_cloned_policy(cloned_run, tmp_path):
    errors = command.export(cloned_run, tmp_path)
    assert {"example chunk", "example action", "sampler chunk"} <= set(errors)
