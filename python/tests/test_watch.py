"""What is shown of runs, read back by the readers of those that show it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("tensorboard")
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from r2pac import DataError, UsageError
from r2pac.watch import main, watch

METRICS = [
    {"step": 1, "phase": "critics", "loss_q_r": 0.5, "loss_flow": None},
    {"step": 1000, "phase": "actor", "loss_q_r": 0.25, "loss_flow": 2.0},
]
TIMING = [
    {"step": 1, "time": "2031-01-02T03:04:05Z", "steps_per_second": 100.0, "eta_seconds": 10.0},
    {"step": 1000, "time": "2031-01-02T03:04:15Z", "steps_per_second": 99.9, "eta_seconds": 0.0},
]
EVALUATIONS = [
    {"step": 1000, "env": "BallRun", "episodes": 20, "seed": 0, "normalized_return": 0.3, "safe_best": True}
]


def write(folder, name, records):
    (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records))


@pytest.fixture
def run(tmp_path):
    write(tmp_path, "metrics.jsonl", METRICS)
    write(tmp_path, "timing.jsonl", TIMING)
    write(tmp_path, "evaluations.jsonl", EVALUATIONS)
    return tmp_path


def read(folder):
    """{tag: [(step, value, wall time)]}"""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(e.step, e.value, e.wall_time) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


def test_every_number_is_read_back(run):
    count = watch([run], "tensorboard")
    found = read(run)
    start = 1925089445.0  # 2031-01-02T03:04:05Z
    assert found == {
        "train/loss_q_r": [(1, 0.5, start), (1000, 0.25, start + 10)],
        "train/loss_flow": [(1000, 2.0, start + 10)],
        "time/steps_per_second": [(1, 100.0, start), (1000, pytest.approx(99.9, rel=1e-7), start + 10)],
        "time/eta_seconds": [(1, 10.0, start), (1000, 0.0, start + 10)],
        "eval/normalized_return": [(1000, pytest.approx(0.3, rel=1e-7), start + 10)],
        "eval/safe_best": [(1000, 1.0, start + 10)],
    }  # event files hold single precision
    assert count == sum(len(values) for values in found.values())


def test_written_again_it_shows_what_the_records_say_now(run):
    watch([run], "tensorboard")
    watch([run], "tensorboard")
    assert len(list(run.glob("events.*"))) == 1
    assert [step for step, _, _ in read(run)["train/loss_q_r"]] == [1, 1000]
    other = run / "events.out.tfevents.1.host.of-another-program"
    other.write_bytes(b"")
    write(run, "metrics.jsonl", [*METRICS, {"step": 2000, "loss_q_r": 0.125}])
    watch([run], "tensorboard")
    assert other.exists()
    other.unlink()
    assert [value for _, value, _ in read(run)["train/loss_q_r"]] == [0.5, 0.25, 0.125]


def test_a_line_that_is_being_written_waits(run):
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"step": 2000, "loss_')
    watch([run], "tensorboard")
    assert [step for step, _, _ in read(run)["train/loss_q_r"]] == [1, 1000]


@pytest.mark.parametrize(
    "line", ["nonsense", "[1]", '{"loss": 1}', '{"step": -1}', '{"step": 1.5}', "[" * 100000]
)
def test_damaged_records_are_refused(run, line):
    with open(run / "metrics.jsonl", "a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError) as caught:
        watch([run], "tensorboard")
    assert caught.value.where == f"{run / 'metrics.jsonl'}:3"
    assert not list(run.glob("events.*"))


def test_bad_times_are_refused(run):
    write(run, "timing.jsonl", [{"step": 1, "time": "yesterday"}])
    with pytest.raises(DataError, match="no time of day"):
        watch([run], "tensorboard")


def test_a_folder_without_a_run_is_refused(tmp_path, capsys):
    with pytest.raises(UsageError):
        watch([tmp_path], "tensorboard")
    assert main([str(tmp_path), "--to", "tensorboard"]) == 2
    assert "to do: give a run folder" in capsys.readouterr().err


def test_a_real_run_from_the_command_line(robot_run):
    done = subprocess.run(
        [sys.executable, "-m", "r2pac.watch", robot_run, "--to", "tensorboard"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in (robot_run / "metrics.jsonl").read_text().splitlines()]
    found = read(robot_run)
    for tag, values in found.items():
        group, key = tag.split("/")
        if group == "train":
            # Event files hold single precision: 2^-24 relative.
            expected = {r["step"]: pytest.approx(r[key], rel=1e-7) for r in records if r.get(key) is not None}
            assert {step: value for step, value, _ in values} == expected
    assert any(tag.startswith("time/") for tag in found)


def r2pac_command(*arguments):
    command = os.environ.get("R2PAC_BINARY", "")
    if not command:
        pytest.skip("R2PAC_BINARY does not name the r2pac command")
    return subprocess.Popen([command, *arguments])


def wait_for(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("this did not happen within 30 s")


def complete_lines(path):
    return path.read_text().split("\n")[:-1] if path.exists() else []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_is_followed_while_it_trains(tmp_path, how):
    data, run = tmp_path / "data.hdf5", tmp_path / "run"
    assert r2pac_command("data", "make", "reach-avoid", "-o", data, "--episodes", "30", "--seed", "3").wait() == 0
    training = r2pac_command(  # it does not end while a test runs
        *("train", "--data", data, "--out", run, "--preset", "tiny", "--quiet", "--threads", "1"),
        *("--steps", "10000000", "--set", "log_every=100"),
    )
    try:
        wait_for(lambda: complete_lines(run / "metrics.jsonl"))
        watching = subprocess.Popen(
            [sys.executable, "-m", "r2pac.watch", run, "--to", "tensorboard", "--every", "0.1"]
        )
        try:
            wait_for(lambda: list(run.glob("events.*")))
            before = len(complete_lines(run / "metrics.jsonl"))
            wait_for(lambda: len(complete_lines(run / "metrics.jsonl")) > before + 3)
            assert watching.poll() is None
            training.send_signal(how)
            training.wait(30)
            assert watching.wait(30) == 0
        finally:
            watching.kill()
    finally:
        training.kill()
        training.wait()
    steps = [json.loads(line)["step"] for line in complete_lines(run / "metrics.jsonl")]
    assert len(steps) > before + 3
    assert [step for step, _, _ in read(run)["train/loss_q_r"]] == steps


def test_steps_that_a_resumed_run_writes_again_are_shown_once(run, tmp_path):
    from r2pac.watch import Follower

    follower = Follower(run)
    assert [f.step for f in follower.news() if "train/loss_q_r" in f.values] == [1, 1000]
    write(run, "metrics.jsonl", METRICS[:1])  # cut to a checkpoint
    assert follower.news() == []
    write(run, "metrics.jsonl", [*METRICS, {"step": 2000, "loss_q_r": 0.125}])
    assert [(f.step, f.values) for f in follower.news()] == [(2000, {"train/loss_q_r": 0.125})]


def test_what_weights_and_biases_keeps_offline(run, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    assert watch([run], "wandb") == 9
    (kept,) = run.glob("wandb/offline-run-*/run-*.wandb")
    assert kept.stat().st_size > 0


def test_mlflow_tells_what_was_written(run, tmp_path, monkeypatch, capsys):
    mlflow = pytest.importorskip("mlflow")
    store = (tmp_path / "mlflow").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    assert main([str(run), "--to", "mlflow"]) == 2
    assert "error: mlflow refuses" in capsys.readouterr().err
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # folders, where its server would have a database
    (run / "manifest.json").write_text(json.dumps(
        {"method": "bc", "task": "", "seed": 3, "version": "0.1.0", "commit": "", "data": {"fingerprint": "ab"}}))
    assert watch([run], "mlflow", project="robots") == 9
    client = mlflow.tracking.MlflowClient(store)
    (written,) = client.search_runs([client.get_experiment_by_name("robots").experiment_id])
    assert written.data.params["method"] == "bc" and written.data.params["seed"] == "3"
    history = client.get_metric_history(written.info.run_id, "train/loss_q_r")
    assert [(m.step, m.value, m.timestamp) for m in history] == [(1, 0.5, 1925089445000), (1000, 0.25, 1925089455000)]
