"""Holds r2pac's safetensors files against the stock Python package, both ways.

usage: read_safetensors.py CROSS_SAFETENSORS     (the program built from cross_safetensors.cpp)
Exits 77 (skipped) where the packages safetensors and numpy are missing.
"""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from safetensors import safe_open
    from safetensors.numpy import load_file, save_file
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)

TYPES = {
    "BOOL": np.bool_, "U8": np.uint8, "I8": np.int8, "U32": np.uint32, "I32": np.int32,
    "U64": np.uint64, "I64": np.int64, "F32": np.float32, "F64": np.float64,
}


def expected(shape_name, kind):
    """The tensor that cross_safetensors.cpp writes: element i is 3 i - 4 in its own type."""
    index = np.arange(15, dtype=np.int64)
    values = (index % 2 == 1) if kind == "BOOL" else (3 * index - 4).astype(TYPES[kind])
    if shape_name == "matrix":
        return values.reshape(3, 5)
    return values[0].reshape(()) if shape_name == "scalar" else values[:0].reshape(2, 0)


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "ours.safetensors")
        subprocess.run([program, "write", path], check=True)
        tensors = load_file(path)
        names = {f"{shape}.{kind}" for shape in ("matrix", "scalar", "empty") for kind in TYPES}
        assert set(tensors) == names, set(tensors) ^ names
        for name, actual in tensors.items():
            want = expected(*name.split("."))
            assert actual.dtype == want.dtype, (name, actual.dtype)
            assert actual.shape == want.shape, (name, actual.shape)
            assert np.array_equal(actual, want), (name, actual, want)
        with safe_open(path, framework="numpy") as file:
            assert file.metadata()["text"] == '"quoted" \u00e9', file.metadata()

        path = os.path.join(folder, "theirs.safetensors")
        save_file(tensors, path, metadata={"text": '"quoted" \u00e9'})
        subprocess.run([program, "check", path], check=True)
    print("both ways agree on", len(names), "tensors")


main()
