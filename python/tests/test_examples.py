"""Each example says what it is for when it is run without arguments, and what is wrong with what it is given."""

import subprocess
import sys
from pathlib import Path

import pytest

r2pac = pytest.importorskip("r2pac")
pytest.importorskip("r2pac._core", reason="the extension is not installed")

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


def run(example, *arguments, folder):
    return subprocess.run([sys.executable, example, *arguments], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
def test_without_arguments_it_explains_itself(example, tmp_path):
    done = run(example, folder=tmp_path)
    assert done.returncode == r2pac.UsageError.exit_code
    assert done.stdout == ""
    first, empty, *rest = done.stderr.splitlines()
    assert first.endswith(".") and empty == ""
    assert any(line.startswith("    python ") and example.stem in line for line in rest)


def test_all_are_found():
    assert [example.name for example in EXAMPLES] == ["ball_run.py", "own_policy.py"]


def test_what_is_missing_is_told_before_anything_is_trained(tmp_path):
    try:
        import bullet_safety_gym  # noqa: F401

        missing, kind = "missing.hdf5", r2pac.DataError
    except ModuleNotFoundError:
        missing, kind = "bullet-safety-gym", r2pac.SimulatorError
    done = run(EXAMPLES[0], "missing.hdf5", folder=tmp_path)
    assert done.returncode == kind.exit_code
    assert done.stderr.startswith("error: ") and missing in done.stderr and "to do: " in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
