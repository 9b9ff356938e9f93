"""Shows runs in TensorBoard, Weights & Biases or MLflow while they train: `python -m r2pac.watch RUN... --to WHERE`

The lines of metrics.jsonl, timing.jsonl and evaluations.jsonl become figures `train/...`, `time/...` and `eval/...`, at
their gradient step and, where timing.jsonl tells it, their time of day. The records that a run has are written at
once, and those that it writes while it trains as they come. The command ends when none of the runs trains any more.
It only reads the records: it can start, stop and start again at any time.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from r2pac.errors import DataError, DiskError, Error, UsageError

_GIVE_A_RUN = "give a run folder of r2pac, which holds metrics.jsonl"
_RECORDS = {"timing.jsonl": "time", "metrics.jsonl": "train", "evaluations.jsonl": "eval"}


class Figures(NamedTuple):
    """What a line of records says: numbers by name, at a gradient step and a time, in seconds since 1970."""

    step: int
    seconds: float
    values: dict[str, float]


class Follower:
    """The records of a run folder, each once."""

    def __init__(self, run: Path) -> None:
        self.run = run
        self._read = dict.fromkeys(_RECORDS, 0)  # bytes
        self._lines = dict.fromkeys(_RECORDS, 0)
        self._last_step = dict.fromkeys(_RECORDS, -1)
        self._times: dict[int, float] = {}
        self._start = time.time()

    def news(self) -> list[Figures]:
        """What was written since the last call, by step; a line without its end is one that is being written, and waits.

        A run that was killed and resumed writes some steps again, which are the same: they are left out.

        Raises DataError naming a line that is no record.
        """
        records = [(group, record) for name, group in _RECORDS.items() for record in self._new_records(name)]
        for group, record in records:
            if group == "time":
                self._times[record["step"]] = _seconds(record.get("time"), self.run / "timing.jsonl")
        found = []
        seconds = min(self._times.values(), default=self._start)
        for group, record in sorted(records, key=lambda item: item[1]["step"]):
            seconds = self._times.get(record["step"], seconds)
            found.append(Figures(record["step"], seconds, dict(_numbers(record, group))))
        return found

    def trains(self) -> bool:
        """Whether a process holds the folder: its file `lock` names one that lives, or one of another machine."""
        try:
            process, machine = (self.run / "lock").read_text().split("\n")[0].removeprefix("process ").split(" on ")
            if machine == os.uname().nodename:
                os.kill(int(process), 0)
        except PermissionError:
            return True  # it lives, and is another user's
        except (OSError, ValueError, OverflowError):
            return False
        return True

    def _new_records(self, name: str) -> Iterator[dict[str, Any]]:
        path = self.run / name
        try:
            with open(path, "rb") as file:
                if os.fstat(file.fileno()).st_size < self._read[name]:  # cut to a checkpoint's step, to go on from there
                    self._read[name] = self._lines[name] = 0
                file.seek(self._read[name])
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return
        except OSError as error:
            raise DataError(f"the file cannot be read: {error}", str(path), _GIVE_A_RUN) from error
        for line in lines[:-1]:
            self._read[name] += len(line) + 1
            self._lines[name] += 1
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            step = record.get("step") if isinstance(record, dict) else None
            if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step < 2**63:
                raise DataError("the line is no JSON object with a step", f"{path}:{self._lines[name]}", _GIVE_A_RUN)
            if step > self._last_step[name]:
                self._last_step[name] = step
                yield record


def _numbers(record: dict[str, Any], group: str) -> Iterator[tuple[str, float]]:
    """Name and value of each figure of a record; one that was not finite is null, and left out."""
    for key, value in record.items():
        if isinstance(value, (bool, int, float)) and key not in ("step", "seed", "episodes"):
            yield f"{group}/{key}", float(value)


def _seconds(text: Any, where: Path) -> float:
    """Seconds since 1970 of a time of day as in `2024-05-01T12:00:00Z`."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(f"`{text}` is no time of day", str(where), _GIVE_A_RUN) from error


class Sink(Protocol):
    """Where figures of one run go."""

    def write(self, figures: Figures) -> None: ...

    def close(self) -> None: ...


class TensorBoard:
    """An event file in the run folder, by TensorBoard's own writer; it replaces those of earlier calls."""

    _SUFFIX = ".r2pac"  # of the event files that are ours to replace

    def __init__(self, run: Path, project: str) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._event, self._summary = Event, Summary
        earlier = list(run.glob(f"events.out.tfevents.*{self._SUFFIX}"))
        self._writer = EventFileWriter(str(run), filename_suffix=self._SUFFIX)
        for path in earlier:
            path.unlink(missing_ok=True)

    def write(self, figures: Figures) -> None:
        values = [self._summary.Value(tag=tag, simple_value=value) for tag, value in figures.values.items()]
        self._writer.add_event(
            self._event(wall_time=figures.seconds, step=figures.step, summary=self._summary(value=values))
        )

    def close(self) -> None:
        self._writer.close()


class WeightsAndBiases:
    """A run of Weights & Biases; WANDB_MODE=offline keeps it on this machine, without an account."""

    def __init__(self, run: Path, project: str) -> None:
        import wandb

        self._run = wandb.init(project=project, name=run.name, dir=str(run), config=_facts(run))
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    def write(self, figures: Figures) -> None:
        self._run.log({**figures.values, "step": figures.step})

    def close(self) -> None:
        self._run.finish()


class MLflow:
    """A run of MLflow, in the store that MLFLOW_TRACKING_URI names."""

    def __init__(self, run: Path, project: str) -> None:
        from mlflow.entities import Metric
        from mlflow.tracking import MlflowClient

        self._metric, self._client = Metric, MlflowClient()
        experiment = self._client.get_experiment_by_name(project)
        number = experiment.experiment_id if experiment else self._client.create_experiment(project)
        self._id = self._client.create_run(number, run_name=run.name).info.run_id
        for key, value in _facts(run).items():
            self._client.log_param(self._id, key, value)

    def write(self, figures: Figures) -> None:
        milliseconds = int(1000 * figures.seconds)
        metrics = [self._metric(key, value, milliseconds, figures.step) for key, value in figures.values.items()]
        self._client.log_batch(self._id, metrics)

    def close(self) -> None:
        self._client.set_terminated(self._id)


SINKS: dict[str, Callable[[Path, str], Sink]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}


def _facts(run: Path) -> dict[str, Any]:
    """What the run's manifest says that a table of runs can be sorted by."""
    try:
        manifest = json.loads((run / "manifest.json").read_text())
        data = manifest["data"]["fingerprint"]
        return {"data": data, **{key: manifest[key] for key in ("method", "task", "seed", "version", "commit")}}
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return {}


def watch(runs: list[Path], to: str, project: str = "r2pac", every: float = 2.0) -> int:
    """Writes the figures of the runs until none of them trains; returns how many numbers there were.

    Raises UsageError where there is no record of a run, DataError for a damaged one, DiskError.
    """
    sinks: dict[Path, Sink] = {}
    count = 0
    followers = [Follower(run) for run in runs]
    try:
        while True:
            training = [follower.trains() for follower in followers]  # asked first, so that nothing comes after
            for follower, trains in zip(followers, training, strict=True):
                news = follower.news()
                if not news and not trains and follower.run not in sinks:
                    raise UsageError("there is no record of a run", str(follower.run), _GIVE_A_RUN)
                if news and follower.run not in sinks:
                    sinks[follower.run] = SINKS[to](follower.run, project)
                for figures in news:
                    sinks[follower.run].write(figures)
                    count += len(figures.values)
            if not any(training):
                return count
            time.sleep(every)
    except OSError as error:
        raise DiskError(f"the figures cannot be written: {error}", error.filename or to, "free space there") from error
    finally:
        for sink in sinks.values():
            sink.close()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m r2pac.watch", description="Shows runs in TensorBoard, Weights & Biases or MLflow while they train."
    )
    parser.add_argument("run", nargs="+", type=Path, help="run folder")
    parser.add_argument("--to", required=True, choices=list(SINKS), help="where the figures go")
    parser.add_argument("--project", default="r2pac", help="project (wandb) or experiment (mlflow); default: r2pac")
    parser.add_argument("--every", type=float, default=2.0, metavar="S", help="seconds between two looks; default: 2")
    options = parser.parse_args(arguments)
    if not 0 < options.every < 1e6:
        parser.error("--every must be a number of seconds above 0")
    try:
        print(f"{watch(options.run, options.to, options.project, options.every)} numbers -> {options.to}")
    except Error as error:
        return error.report()
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != options.to:
            raise
        print(f"error: {options.to} is not installed\n  to do: pip install 'r2pac[{options.to}]'", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if type(error).__module__.split(".")[0] != options.to:
            raise
        return UsageError(f"{options.to} refuses: {error}", options.to, "see how it is set up").report()
    return 0


if __name__ == "__main__":
    sys.exit(main())
