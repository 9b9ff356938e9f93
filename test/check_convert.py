#!/usr/bin/env python3
"""Data sets written by Minari, NumPy and h5py themselves, converted by the program and compared.

    python check_convert.py R2PAC

Exit status: 0 all are as they should be, 1 some are not, 77 a package is missing.
"""

import os
import subprocess
import sys
import tempfile
import warnings

try:
    import h5py
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

ARRAYS = ("observations", "next_observations", "actions", "rewards", "costs", "terminals", "timeouts")


def episodes(rng, lengths, terminal):
    """DSRL columns of random episodes that follow their own observations."""
    parts = {name: [] for name in ARRAYS}
    for length, genuine in zip(lengths, terminal):
        seen = rng.standard_normal((length + 1, 3))
        end = np.arange(length) == length - 1
        values = (
            seen[:-1],
            seen[1:],
            rng.uniform(-1, 1, (length, 2)),
            rng.standard_normal(length),
            (rng.random(length) < 0.3).astype(float),
            end & genuine,
            end & (not genuine),
        )
        for name, value in zip(ARRAYS, values):
            parts[name].append(value)
    return {name: np.concatenate(part) for name, part in parts.items()}


def convert(r2pac, source, *options):
    """The arrays of the converted file; the program's output is printed."""
    out = os.path.join(os.path.dirname(source), "SafetyBallRun-v0-80-5.hdf5")
    subprocess.run([r2pac, "data", "convert", source, "-o", out, *options], check=True)
    with h5py.File(out) as file:
        return {name: file[name][()] for name in ARRAYS}


def same(name, actual, expected):
    for array in ARRAYS:
        # The program stores single precision, to which NumPy rounds in the same way.
        if not np.array_equal(actual[array], expected[array].astype(actual[array].dtype)):
            sys.exit(f"DIFFERS {name}: {array}")
    print(f"equal   {name}")


def check_numpy(r2pac, folder, data):
    path = os.path.join(folder, "data.npz")
    np.savez(path, **data)
    same("numpy.savez", convert(r2pac, path), data)
    fortran = {name: np.asfortranarray(value) for name, value in data.items()}
    np.savez_compressed(path, **fortran, remark=np.array("text is ignored"))
    same("numpy.savez_compressed, Fortran order", convert(r2pac, path), data)
    swapped = {name: value.astype(value.dtype.newbyteorder(">")) for name, value in data.items()}
    np.savez(path, **swapped)
    same("numpy.savez, big-endian", convert(r2pac, path, "--from", "npz"), data)
    np.savez(path, **{**data, "rewards": np.array([None] * len(data["rewards"]), object)})
    refused = subprocess.run([r2pac, "data", "convert", path, "-o", path + ".hdf5"], stderr=subprocess.PIPE)
    if refused.returncode != 3 or b"`|O`" not in refused.stderr:
        sys.exit("DIFFERS an array of objects is not refused")
    print("equal   an array of objects is refused")


def without_next(data):
    """What becomes of data without next observations: each cut episode loses its last row, and the row before
    becomes the cut; a genuine end repeats itself."""
    ends = np.flatnonzero(data["timeouts"])
    expected = {name: value.copy() for name, value in data.items()}
    expected["timeouts"][ends - 1] = True
    genuine = np.flatnonzero(data["terminals"])
    expected["next_observations"][genuine] = data["observations"][genuine]
    return {name: np.delete(value, ends, axis=0) for name, value in expected.items()}


def check_d4rl(r2pac, folder, data):
    path = os.path.join(folder, "d4rl.hdf5")
    with h5py.File(path, "w") as file:
        for name, value in data.items():
            if name == "costs":
                file.create_dataset("infos/cost", data=value, compression="gzip")
            elif name != "next_observations":
                file.create_dataset(name, data=value, compression="gzip")
        file["metadata/algorithm"] = "none"
    same("h5py, without next observations", convert(r2pac, path), without_next(data))


def check_types(r2pac, folder, data):
    """The types that h5py writes, and the formats of HDF5 that the program cannot know."""
    path = os.path.join(folder, "types.hdf5")
    integers = {"costs": np.int64, "terminals": np.uint8, "timeouts": np.int32}
    with h5py.File(path, "w") as file:
        for name, value in data.items():
            file[name] = value.astype(integers[name]) if name in integers else value
    same("h5py, integers", convert(r2pac, path), data)
    halves = {name: value.astype("<f2") if value.dtype.kind == "f" else value for name, value in data.items()}
    with h5py.File(path, "w") as file:
        for name, value in halves.items():
            file[name] = value.astype(">f2") if name == "rewards" else value
    # Rounding breaks no row's link to the next: both sides are rounded alike.
    same("h5py, half precision", convert(r2pac, path), halves)
    with h5py.File(path, "w", userblock_size=512) as file:  # as MATLAB does
        for name, value in data.items():
            file[name] = value.astype(float).T if value.ndim == 2 else value.astype(float)[None]
    same("h5py, transposed", convert(r2pac, path), data)
    for version in ("v112", "v114", "latest"):
        try:
            with h5py.File(path, "w", libver=version) as file:
                for name, value in data.items():
                    file[name] = value
        except ValueError:
            continue  # an older h5py
        read = subprocess.run([r2pac, "data", "check", path], stdout=subprocess.PIPE)
        if read.returncode != 0 and b"newer format" not in read.stdout:
            sys.exit(f"DIFFERS a file of libver {version} is neither read nor called newer: {read.stdout!r}")
        print(f"equal   libver {version} is read or called newer")


def check_tables(r2pac, folder, data):
    path = os.path.join(folder, "table.csv")
    columns = {}
    for name, value in data.items():
        if name == "next_observations":
            continue
        for i, column in enumerate(value.T if value.ndim == 2 else [value]):
            columns[f"{name}_{i}" if value.ndim == 2 else name] = column
    with open(path, "w") as file:
        file.write(",".join(columns) + "\n")
        for row in zip(*columns.values()):
            file.write(",".join(repr(cell.item()) for cell in row) + "\n")
    same("text table", convert(r2pac, path), without_next(data))


def check_minari(r2pac, folder, data):
    try:
        import gymnasium
        import minari
        import PIL  # noqa: F401  Minari needs it for its files
        from minari.data_collector import EpisodeBuffer
    except ImportError as missing:
        print(f"skipped minari: {missing}")
        return
    os.environ["MINARI_DATASETS_PATH"] = folder
    ends = np.flatnonzero(data["terminals"] | data["timeouts"])
    buffers, first = [], 0
    for number, last in enumerate(ends):
        rows = slice(first, last + 1)
        seen = np.concatenate([data["observations"][rows], data["next_observations"][last : last + 1]])
        # Every other episode has the information of its reset as well.
        costs = data["costs"][rows] if number % 2 else np.concatenate([[7.0], data["costs"][rows]])
        buffers.append(
            EpisodeBuffer(
                id=number,
                observations=list(seen),
                actions=list(data["actions"][rows]),
                rewards=list(data["rewards"][rows]),
                terminations=list(data["terminals"][rows]),
                truncations=list(data["timeouts"][rows]),
                infos={"cost": list(costs)},
            )
        )
        first = last + 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for an author and the like
        minari.create_dataset_from_buffers(
            "test/random-v0",
            buffers,
            observation_space=gymnasium.spaces.Box(-np.inf, np.inf, (3,), np.float64),
            action_space=gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float64),
        )
    path = os.path.join(folder, "test", "random-v0", "data", "main_data.hdf5")
    same("minari", convert(r2pac, path), data)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: check_convert.py R2PAC")
    data = episodes(np.random.default_rng(1), (7, 5, 9, 6, 8), (False, True, False, True, False))
    with tempfile.TemporaryDirectory() as folder:
        for check in (check_numpy, check_d4rl, check_types, check_tables, check_minari):
            check(sys.argv[1], folder, data)


if __name__ == "__main__":
    main()
