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


def check_d4rl(r2pac, folder, data):
    path = os.path.join(folder, "d4rl.hdf5")
    with h5py.File(path, "w") as file:
        for name, value in data.items():
            if name == "costs":
                file.create_dataset("infos/cost", data=value, compression="gzip")
            elif name != "next_observations":
                file.create_dataset(name, data=value, compression="gzip")
        file["metadata/algorithm"] = "none"
    # Each cut episode loses its last row, and the row before becomes the cut; a genuine end repeats itself.
    ends = np.flatnonzero(data["timeouts"])
    expected = {name: value.copy() for name, value in data.items()}
    expected["timeouts"][ends - 1] = True
    genuine = np.flatnonzero(data["terminals"])
    expected["next_observations"][genuine] = data["observations"][genuine]
    expected = {name: np.delete(value, ends, axis=0) for name, value in expected.items()}
    same("h5py, without next observations", convert(r2pac, path), expected)


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
        for check in (check_numpy, check_d4rl, check_minari):
            check(sys.argv[1], folder, data)


if __name__ == "__main__":
    main()
