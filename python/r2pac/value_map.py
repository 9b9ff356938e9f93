"""Draws V_r without the penalty, V_c, and V_r with it, over states of a data set (the paper's Figures 3 and 8).

    ./setup.sh --umap
    .umap/bin/python3 -m r2pac.value_map --plain runs/none --penalised runs/ours --data FILE.hdf5 -o map.png

Two policies of one data set are needed: one trained with `--set penalty_reading=none`, and one with the penalty.
States are drawn from the data, and UMAP lays them out once, from the observations alone. The three panels have this
layout; V_c and the safe region are those of the policy with the penalty. On one machine the same arguments give the
same picture.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from r2pac.errors import DataError, DiskError, Error, SettingsError, UsageError
from r2pac.score import r2pac_program
from r2pac.toml_reader import tomllib

_ENDINGS = (".png", ".pdf", ".svg")
_NEIGHBOURS = 15  # of a state, from which UMAP makes the layout
_NEEDED = {"umap-learn": "umap", "matplotlib": "matplotlib", "h5py": "h5py"}
_INSTALL = "make the environment with `./setup.sh --umap`, and use .umap/bin/python3"


class ProgramFailed(Exception):
    """A command of `r2pac` failed, and has said why."""


class Trained(NamedTuple):
    """What a policy tells of its training."""

    task: str  # "" if none
    method: str
    data: str  # fingerprint
    penalty: str  # the setting `penalty_reading`
    threshold: float  # l


class Values(NamedTuple):
    """Values of n windows of a data set, by the state that each begins with."""

    row: np.ndarray  # [n], of the file, ascending
    v_r: np.ndarray  # [n]
    v_c: np.ndarray  # [n]
    safe: np.ndarray  # [n], bool


def _r2pac(*words: str | Path) -> str:
    """What a command prints. Raises ProgramFailed."""
    done = subprocess.run([r2pac_program(), *words], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise ProgramFailed(done.returncode)
    return done.stdout


def trained(policy: Path) -> Trained:
    """Raises ProgramFailed for what is no policy."""
    facts = json.loads(_r2pac("inspect", policy, "--json"))["metadata"]
    settings = tomllib.loads(facts.get("settings", ""))
    return Trained(
        facts.get("task", ""),
        facts.get("method", ""),
        facts.get("data_fingerprint", ""),
        settings.get("penalty_reading", ""),
        float(facts.get("threshold", "nan")),
    )


def require_pair(plain: Trained, penalised: Trained) -> None:
    """Raises Error unless both are of one data set, the first without the penalty and the second with it."""
    if plain.data != penalised.data:
        raise DataError("the two policies were trained on different data", todo="give two of one data set")
    if plain.penalty != "none":
        raise SettingsError(
            "the policy was trained with the penalty", "--plain", "train one with --set penalty_reading=none"
        )
    if penalised.penalty not in ("absorbing", "direct"):
        raise SettingsError(
            "the policy was trained without the penalty",
            "--penalised",
            "train one with the setting penalty_reading as it is by default",
        )


def read_states(data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Observations [rows, S], and the row that each episode begins with. Raises DataError."""
    import h5py

    try:
        with h5py.File(data) as file:
            observations = np.asarray(file["observations"], np.float32)
            ends = np.asarray(file["terminals"], bool) | np.asarray(file["timeouts"], bool)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"the file cannot be read: {error}", str(data), "see `r2pac data check`") from error
    return observations, np.concatenate([[0], np.flatnonzero(ends) + 1])


def read_values(policy: Path, data: Path, first_rows: np.ndarray) -> Values:
    """Raises ProgramFailed, for data of other sizes than the policy's and a policy without critics, too."""
    with tempfile.TemporaryDirectory(prefix="r2pac-values-") as folder:
        table = Path(folder) / "values.csv"
        _r2pac("values", policy, "--data", data, "-o", table)
        with table.open() as lines:
            names = lines.readline().strip().split(",")
            columns = dict(zip(names, np.loadtxt(lines, delimiter=",", ndmin=2).T, strict=True))
    rows = first_rows[columns["episode"].astype(np.int64)] + columns["step"].astype(np.int64)
    return Values(rows, columns["v_r"], columns["v_c"], columns["safe"] == 1)


def draw_rows(plain: Values, penalised: Values, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `count` states, drawn from those that both have values of: places in `plain` and in `penalised`.

    Raises DataError where there is none.
    """
    _, first, second = np.intersect1d(plain.row, penalised.row, assume_unique=True, return_indices=True)
    if len(first) <= _NEIGHBOURS:
        raise DataError(
            f"the policies have values of only {len(first)} states in common",
            todo=f"give data with more than {_NEIGHBOURS} windows",
        )
    chosen = np.random.default_rng(seed).permutation(len(first))[:count]
    return first[chosen], second[chosen]


def layout(states: np.ndarray, seed: int) -> np.ndarray:
    """Places [n, 2] of states [n, S], each number of which is scaled to a deviation of 1 first."""
    import umap

    standard = (states - states.mean(axis=0)) / (states.std(axis=0) + 1e-6)
    return umap.UMAP(n_neighbors=_NEIGHBOURS, random_state=seed, n_jobs=1).fit_transform(standard)


def draw(paths: list[Path], title: str, places: np.ndarray, panels: Mapping[str, np.ndarray]) -> None:
    """Draws a panel for each title, with the dots [n, 2] coloured by its values [n]. Raises DiskError."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "r2pac"  # else random ids
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(panels), figsize=(5 * len(panels), 4.5), layout="constrained")
    for axis, (name, values) in zip(axes, panels.items(), strict=True):
        dots = axis.scatter(*places.T, c=values, s=4, linewidths=0, cmap="viridis", rasterized=True)
        figure.colorbar(dots, ax=axis)
        axis.set(title=name, xticks=[], yticks=[])
    figure.suptitle(title)
    for path in paths:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        date = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(path.suffix)
        try:
            figure.savefig(temporary, format=path.suffix[1:], dpi=150, metadata=date)
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise DiskError(f"the picture cannot be written: {error}", str(path), "free space there") from error
    pyplot.close(figure)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m r2pac.value_map", description=__doc__.split("\n")[0])
    policy = "run folder or policy.safetensors, trained "
    parser.add_argument("--plain", type=Path, required=True, help=policy + "without the penalty")
    parser.add_argument("--penalised", type=Path, required=True, help=policy + "with the penalty")
    parser.add_argument("--data", type=Path, required=True, help="DSRL file (HDF5) of both")
    parser.add_argument(
        "-o", "--out", type=Path, nargs="+", required=True, help="pictures to write: .png, .pdf or .svg"
    )
    parser.add_argument("--states", type=int, default=5000, help="states to draw (default: 5000)")
    parser.add_argument("--seed", type=int, default=0, help="of states and layout, 0 or more (default: 0)")
    options = parser.parse_args(arguments)
    if not _NEIGHBOURS < options.states <= 1_000_000:
        parser.error(f"--states must be from {_NEIGHBOURS + 1} to 1000000")
    if not 0 <= options.seed < 2**32:
        parser.error("--seed must be from 0 to 4294967295")
    for path in options.out:
        if path.suffix not in _ENDINGS:
            parser.error(f"--out {path}: the name must end in one of {', '.join(_ENDINGS)}")
        if not path.parent.is_dir():
            parser.error(f"--out {path}: there is no such folder")
    return options


def value_map(options: argparse.Namespace) -> None:
    for package, module in _NEEDED.items():  # before minutes are spent
        if find_spec(module) is None:
            raise UsageError(f"{package} is not installed", todo=_INSTALL)
    about = trained(options.penalised)
    require_pair(trained(options.plain), about)
    observations, first_rows = read_states(options.data)
    plain, penalised = (read_values(p, options.data, first_rows) for p in (options.plain, options.penalised))
    a, b = draw_rows(plain, penalised, options.states, options.seed)
    places = layout(observations[penalised.row[b]], options.seed)
    share = penalised.safe[b].mean()
    where = f"{about.task or options.data.stem}: {len(b)} states"
    draw(
        options.out,
        f"{where}, {100 * share:.0f} % in the safe region ($V_c \\leq {about.threshold:.3g}$)",
        places,
        {
            "$V_r$, trained without the penalty": plain.v_r[a],
            "$V_c$": penalised.v_c[b],
            r"$\bar V_r$, trained with the penalty": penalised.v_r[b],
        },
    )
    print(f"{where}, {100 * share:.1f} % in the safe region -> {', '.join(map(str, options.out))}")


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    try:
        value_map(options)
    except ProgramFailed as failed:
        return failed.args[0] if failed.args[0] > 0 else 1
    except Error as error:
        return error.report()
    return 0


if __name__ == "__main__":
    sys.exit(main())
