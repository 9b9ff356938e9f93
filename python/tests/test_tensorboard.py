"""Event files, read back by TensorBoard's own reader."""

import json
import subprocess
import sys

import pytest

pytest.importorskip("tensorboard")
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from r2pac import DataError, UsageError
from r2pac.tensorboard import main, write_events

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
    path, count = write_events(run)
    assert path.parent == run
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
    write_events(run)
    write_events(run)
    assert len(list(run.glob("events.*"))) == 1
    assert [step for step, _, _ in read(run)["train/loss_q_r"]] == [1, 1000]
    other = run / "events.out.tfevents.1.host.of-another-program"
    other.write_bytes(b"")
    write(run, "metrics.jsonl", [*METRICS, {"step": 2000, "loss_q_r": 0.125}])
    write_events(run)
    assert other.exists()
    other.unlink()
    assert [value for _, value, _ in read(run)["train/loss_q_r"]] == [0.5, 0.25, 0.125]


def test_a_line_that_is_being_written_waits(run):
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"step": 2000, "loss_')
    write_events(run)
    assert [step for step, _, _ in read(run)["train/loss_q_r"]] == [1, 1000]


@pytest.mark.parametrize(
    "line", ["nonsense", "[1]", '{"loss": 1}', '{"step": -1}', '{"step": 1.5}', "[" * 100000]
)
def test_damaged_records_are_refused(run, line):
    with open(run / "metrics.jsonl", "a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError) as caught:
        write_events(run)
    assert caught.value.where == f"{run / 'metrics.jsonl'}:3"
    assert not list(run.glob("events.*"))


def test_bad_times_are_refused(run):
    write(run, "timing.jsonl", [{"step": 1, "time": "yesterday"}])
    with pytest.raises(DataError, match="no time of day"):
        write_events(run)


def test_a_folder_without_a_run_is_refused(tmp_path, capsys):
    with pytest.raises(UsageError):
        write_events(tmp_path)
    assert main([str(tmp_path)]) == 2
    assert "to do: give a run folder" in capsys.readouterr().err


def test_a_real_run_from_the_command_line(robot_run):
    done = subprocess.run(
        [sys.executable, "-m", "r2pac.tensorboard", robot_run], capture_output=True, text=True
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
