#!/usr/bin/env python3
"""Redoes a policy's example with NumPy alone and compares.

    python check_policy.py runs/ball/policy.safetensors

The evaluation is r2pac/export_onnx/reference.py, in double precision: what any other loader has to do. Exit
status: 0 the example is reproduced, 1 it is not or the file is no policy, 77 a package is missing.
"""

import sys
from pathlib import Path

try:
    import numpy  # noqa: F401
    import safetensors  # noqa: F401
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

from r2pac.errors import CheckpointError
from r2pac.export_onnx.policy_file import read_policy
from r2pac.export_onnx.reference import BOUND, Reference


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: check_policy.py POLICY.safetensors")
    try:
        policy = read_policy(Path(sys.argv[1]))
    except CheckpointError as error:
        sys.exit(f"error: {error}")
    errors = Reference(policy).example_errors()
    for name, value in errors.items():
        print(f"{'equal' if value <= BOUND else 'DIFFERS':<8} {name}: {value:.1e}   (bound {BOUND:g})")
    sys.exit(not all(value <= BOUND for value in errors.values()))


if __name__ == "__main__":
    main()
