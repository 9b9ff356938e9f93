"""Training from Python: settings, callbacks, stopping and going on."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import CLONING, TINY

r2pac = pytest.importorskip("r2pac")
pytest.importorskip("r2pac._core", reason="the extension is not installed")


def test_callback_hears_of_every_interval(robot_data, tmp_path):
    heard = []
    policy = r2pac.train(TINY, robot_data, out=tmp_path / "run", callback=heard.append, threads=1)
    assert [(h["step"], h["phase"]) for h in heard[:4]] == [
        (1, "critics"),
        (10, "critics"),
        (20, "critics"),
        (30, "critics"),
    ]
    assert heard[-1]["step"] == heard[-1]["total"] == policy.step
    assert {h["phase"] for h in heard} == {"critics", "actor"}
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    timing = {"total", "steps_per_second", "eta_seconds"}
    assert [{k: v for k, v in h.items() if k not in timing} for h in heard] == lines


def test_stages_follow_from_method_and_schedule(robot_data, tmp_path):
    heard = []
    r2pac.train(CLONING, robot_data, out=tmp_path / "cloning", callback=heard.append, threads=1)
    assert {h["phase"] for h in heard} == {"actor"}
    assert heard[-1]["total"] == CLONING["steps"]
    assert not [key for key in heard[-1] if key.endswith(("q_r", "q_c", "v_r", "v_c")) or key == "threshold"]
    heard.clear()
    r2pac.train(
        {**TINY, "schedule": "joint"}, robot_data, out=tmp_path / "joint", callback=heard.append, threads=1
    )
    assert {h["phase"] for h in heard} == {"joint"}
    assert {"loss_q_r", "loss_flow", "threshold", "grad_velocity"} <= set(heard[-1])


def test_policy_tells_what_it_is(robot_data, robot_run, robot_policy):
    assert robot_policy.task == "ReachAvoid"
    assert robot_policy.settings["hidden"] == [24, 24]
    assert robot_policy.settings["twin_critics"] is True
    assert robot_policy.settings["batch"] == 32
    assert (robot_policy.observation_dim, robot_policy.action_dim, robot_policy.chunk_length) == (7, 2, 5)
    assert robot_policy.cost_limit == robot_policy.settings["cost_limit"] == 5
    assert robot_policy.data_fingerprint == robot_data.fingerprint
    assert robot_policy.path == robot_run / "policy.safetensors"
    assert (robot_policy.candidates, robot_policy.flow_steps, robot_policy.device) == (3, 4, "cpu")


def test_a_preset_gives_sizes_that_settings_override(robot_data, tmp_path):
    policy = r2pac.train({"hidden": [16]}, robot_data, out=tmp_path / "run", preset="tiny", threads=1)
    assert policy.settings["hidden"] == [16]
    assert policy.settings["schedule"] == "sequential"
    assert policy.step < 1000  # the published numbers of steps are hundreds of thousands
    with pytest.raises(r2pac.UsageError, match="no preset `quik`") as caught:
        r2pac.train({}, robot_data, out=tmp_path / "other", preset="quik")
    assert (caught.value.where, caught.value.todo) == ("preset", "did you mean `quick`?")


def test_settings_come_from_a_file_too(robot_data, robot_policy, tmp_path):
    (tmp_path / "run.toml").write_text("\n".join(f"{key} = {value}" for key, value in TINY.items()))
    policy = r2pac.train(tmp_path / "run.toml", robot_data, out=tmp_path / "run", threads=1)
    assert policy.settings == robot_policy.settings
    observation = robot_data.observations[0]
    np.testing.assert_array_equal(policy.act(observation), robot_policy.act(observation))


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (
            {"chunk_lenght": 3},
            "unknown key `chunk_lenght`\n  where: config\n  to do: did you mean `chunk_length`?",
        ),
        ({"alpha": 2}, "`alpha` cannot be `2`\n  where: config\n  to do: allowed: [0, 1]"),
        ({"hidden": {}}, "`hidden` has a value of the wrong kind\n  where: config"),
        ({"task": "BalRun"}, "unknown task"),
        ({"method": "cloning", "num_candidates": 3}, "`num_candidates` cannot be `3` with `method` = `cloning`"),
    ],
)
def test_bad_settings_are_refused_with_advice(robot_data, tmp_path, config, text):
    with pytest.raises(r2pac.SettingsError) as caught:
        r2pac.train(config, robot_data, out=tmp_path / "run")
    assert text in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_numpy_numbers_are_settings(robot_data, tmp_path):
    config = {**TINY, "batch": np.int64(32), "alpha": np.float64(0.8), "twin_critics": False}
    policy = r2pac.train(config, robot_data, out=tmp_path / "run", threads=1)
    assert (policy.settings["batch"], policy.settings["alpha"], policy.settings["twin_critics"]) == (
        32,
        0.8,
        False,
    )


def test_windows_may_run_past_genuine_ends(robot_arrays, tmp_path):
    ended = robot_arrays["timeouts"]
    data = r2pac.Dataset.from_arrays(**{**robot_arrays, "terminals": ended, "timeouts": np.zeros_like(ended)})
    assert data.episode(0).terminal is True
    policy = r2pac.train({**TINY, "pad_terminals": True}, data, out=tmp_path / "run", threads=1)
    assert policy.data_fingerprint == data.fingerprint


def test_a_stopped_run_continues_to_the_same_policy(robot_data, robot_run, robot_policy, tmp_path):
    steps = []

    def stop_soon(interval):
        steps.append(interval["step"])
        return interval["step"] < 20

    stopped = r2pac.train(TINY, robot_data, out=tmp_path / "run", callback=stop_soon, threads=1)
    assert steps[-1] == stopped.step == 20
    assert stopped.path.parent.name == "checkpoints"
    continued = r2pac.train(TINY, robot_data, out=tmp_path / "run", threads=1)
    assert continued.step == robot_policy.step
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == (robot_run / "metrics.jsonl").read_text()
    observations = robot_data.observations[:50]
    np.testing.assert_array_equal(continued.act_batch(observations), robot_policy.act_batch(observations))
    with pytest.raises(r2pac.SettingsError, match="already holds a run"):
        r2pac.train(TINY, robot_data, out=tmp_path / "run", resume="never")
    with pytest.raises(r2pac.SettingsError, match="belongs to other settings: batch was 32 and is now 16"):
        r2pac.train({**TINY, "batch": 16}, robot_data, out=tmp_path / "run")


def test_an_exception_in_the_callback_stops_and_saves(robot_data, tmp_path):
    def fail(interval):
        if interval["step"] == 10:
            raise LookupError("of the test")

    with pytest.raises(LookupError, match="of the test"):
        r2pac.train(TINY, robot_data, out=tmp_path / "run", callback=fail)
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == [
        "step-000000010.safetensors"
    ]


def test_interrupt_stops_and_saves(tmp_path):
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import conftest, r2pac
data = r2pac.Dataset.from_arrays(**conftest.drive(4, 0))
config = {{**conftest.TINY, "steps": 10**9, "log_every": 1}}
r2pac.train(config, data, out={str(tmp_path / "run")!r}, callback=lambda i: print(i["step"], flush=True))
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout.readline() == "1\n"
        child.send_signal(signal.SIGINT)
        errors = child.communicate(timeout=60)[1]
    finally:
        child.kill()
    assert "KeyboardInterrupt" in errors
    assert len(list((tmp_path / "run" / "checkpoints").iterdir())) == 1
