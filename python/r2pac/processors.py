"""How many processes to start: base/processors.h says the rules, which are the same here.

The collector runs where the C++ module is not installed, so that it cannot ask it.
"""

from __future__ import annotations

import os
from pathlib import Path

from r2pac.errors import UsageError

MOST_THREADS = 1024


def processors_of_quota(text: str) -> float:
    """Of "QUOTA PERIOD" in microseconds, rounded up; infinite without a quota."""
    words = text.split()
    if len(words) != 2 or not all(word.isdecimal() and int(word) > 0 for word in words):
        return float("inf")
    return -(-int(words[0]) // int(words[1]))


def text_of(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def processors_of_control_groups(root: Path, membership: str) -> float:
    """The least quota of the groups in the text of /proc/self/cgroup, mounted at root, and of their ancestors."""
    least = float("inf")
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        for mount in [root / controllers, root / "cpu"] if controllers else [root, root / "unified"]:
            group = mount / path.lstrip("/")
            for folder in (group, *group.parents[: len(group.parts) - len(mount.parts)]):
                files = ["cpu.cfs_quota_us", "cpu.cfs_period_us"] if controllers else ["cpu.max"]
                least = min(least, processors_of_quota(" ".join(text_of(folder / name) for name in files)))
    return least


def usable_processors() -> int:
    least = processors_of_control_groups(Path("/sys/fs/cgroup"), text_of(Path("/proc/self/cgroup")))
    granted = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if granted.isdecimal() and int(granted) > 0:
        least = min(least, int(granted))
    return int(min(least, len(os.sched_getaffinity(0)), MOST_THREADS))


def thread_count() -> int:
    wanted = os.environ.get("R2PAC_THREADS", "")
    if not wanted:
        return usable_processors()
    if not (wanted.isascii() and wanted.isdecimal() and 1 <= int(wanted) <= MOST_THREADS):
        raise UsageError(
            f"the number of threads cannot be `{wanted}`, it must be from 1 to {MOST_THREADS}",
            "R2PAC_THREADS",
            "unset it to use all processors",
        )
    return int(wanted)
