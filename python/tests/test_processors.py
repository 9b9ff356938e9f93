"""How many processes are started: the rules of base/processors.h, on the files of its test."""

import os
import subprocess
import sys

import pytest
from r2pac.errors import UsageError
from r2pac.processors import (
    processors_of_control_groups,
    processors_of_quota,
    thread_count,
    usable_processors,
)


def test_a_quota_is_rounded_up():
    assert processors_of_quota("150000 100000\n") == 2
    assert processors_of_quota("200000 100000\n") == 2
    for none in ("max 100000\n", "-1\n 100000\n", "", "100000", "0 100000", "100000 0", "1e5 100000"):
        assert processors_of_quota(none) == float("inf")


def test_the_least_quota_of_the_groups_around_counts(tmp_path):
    (tmp_path / "job" / "step").mkdir(parents=True)
    (tmp_path / "job" / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "cpu.max").write_text("700000 100000\n")
    assert processors_of_control_groups(tmp_path, "0::/job/step\n") == 2
    assert processors_of_control_groups(tmp_path, "0::/path/of/the/host\n") == 7
    assert processors_of_control_groups(tmp_path, "0::/\n") == 7
    first = tmp_path / "cpu,cpuacct" / "job"
    first.mkdir(parents=True)
    (first / "cpu.cfs_quota_us").write_text("50000\n")
    (first / "cpu.cfs_period_us").write_text("100000\n")
    assert processors_of_control_groups(tmp_path, "4:cpu,cpuacct:/job\n0::/\n") == 1


def test_mask_and_variables(monkeypatch):
    for name in ("R2PAC_THREADS", "SLURM_CPUS_PER_TASK"):
        monkeypatch.delenv(name, raising=False)
    one = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from r2pac.processors import usable_processors as n; print(n())"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert int(subprocess.check_output([sys.executable, "-c", one], env=environment)) == 1
    assert thread_count() == usable_processors()
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert thread_count() == 1
    monkeypatch.setenv("R2PAC_THREADS", "3")
    assert thread_count() == 3
    for nonsense in ("0", "-1", "two", "1025"):
        monkeypatch.setenv("R2PAC_THREADS", nonsense)
        with pytest.raises(UsageError, match="R2PAC_THREADS"):
            thread_count()
