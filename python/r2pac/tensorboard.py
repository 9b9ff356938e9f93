"""Writes the records of run folders as TensorBoard event files: `python -m r2pac.tensorboard RUN...`

The lines of metrics.jsonl, timing.jsonl and evaluations.jsonl become scalars `train/...`, `time/...` and
`eval/...`, at their gradient step and, where timing.jsonl tells it, their time of day. The event file lies in
the run folder itself, so that `tensorboard --logdir runs` shows one entry for each run. Written again, it is
replaced: what TensorBoard shows is what the run's records say now. The writer is TensorBoard's own.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from r2pac.errors import DataError, DiskError, Error, UsageError

_SUFFIX = ".r2pac"  # of the event files that are ours to replace
_GIVE_A_RUN = "give a run folder of r2pac, which holds metrics.jsonl"
_RECORDS = {"metrics.jsonl": "train", "timing.jsonl": "time", "evaluations.jsonl": "eval"}


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines, each with a whole number `step` >= 0; none if there is no file.

    A last line without its end is one that is being written, and is left out. Raises DataError naming a line
    that is something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the file cannot be read: {error}", str(path), _GIVE_A_RUN) from error
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        step = record.get("step") if isinstance(record, dict) else None
        if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step < 2**63:
            raise DataError("the line is no JSON object with a step", f"{path}:{number}", _GIVE_A_RUN)
        yield record


def scalars(record: dict[str, Any], group: str) -> Iterator[tuple[str, float]]:
    """Tag and value of each figure of a record; one that was not finite is null, and left out."""
    for key, value in record.items():
        if isinstance(value, (bool, int, float)) and key not in ("step", "seed", "episodes"):
            yield f"{group}/{key}", float(value)


def write_events(run: Path) -> tuple[Path, int]:
    """Writes the run folder's event file, then removes those of earlier calls.

    Returns its path and the number of scalars in it.

    Raises UsageError where there is no record of a run, DataError for a damaged one, DiskError.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    records = {group: list(read_records(run / name)) for name, group in _RECORDS.items()}
    if not any(records.values()):
        raise UsageError("there is no record of a run", str(run), _GIVE_A_RUN)
    times = {r["step"]: _seconds(r.get("time"), run / "timing.jsonl") for r in records["time"]}

    earlier = list(run.glob(f"events.out.tfevents.*{_SUFFIX}"))
    count = 0
    try:
        writer = EventFileWriter(str(run), filename_suffix=_SUFFIX)
        for group, of_group in records.items():
            wall_time = min(times.values(), default=time.time())
            for record in sorted(of_group, key=lambda r: r["step"]):
                wall_time = times.get(record["step"], wall_time)
                values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars(record, group)]
                summary = Summary(value=values)
                writer.add_event(Event(wall_time=wall_time, step=record["step"], summary=summary))
                count += len(values)
        writer.close()
        for path in earlier:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise DiskError(f"the event file cannot be written: {error}", str(run), "free space there") from error
    (written,) = run.glob(f"events.out.tfevents.*{_SUFFIX}")
    return written, count


def _seconds(text: Any, where: Path) -> float:
    """Seconds since 1970 of a time of day as in `2024-05-01T12:00:00Z`."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError) as error:
        raise DataError(f"`{text}` is no time of day", str(where), _GIVE_A_RUN) from error


def main(arguments: list[str] | None = None) -> int:
    description = "Writes the records of run folders as TensorBoard event files."
    parser = argparse.ArgumentParser(prog="python -m r2pac.tensorboard", description=description)
    parser.add_argument("run", nargs="+", type=Path, help="run folder")
    try:
        for run in parser.parse_args(arguments).run:
            path, count = write_events(run)
            print(f"{count} scalars -> {path}")
    except Error as error:
        return error.report()
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("tensorboard"):
            raise
        print(
            "error: TensorBoard is not installed\n  to do: pip install 'r2pac[tensorboard]'", file=sys.stderr
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
