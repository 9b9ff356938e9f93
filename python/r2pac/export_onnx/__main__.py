"""Writes a policy as ONNX, checks it against an independent evaluation, and describes its inputs and outputs.

    python -m r2pac.export_onnx runs/ball-1 -o exported

The folder gets `sampler.onnx`, `flow_step.onnx` and `contract.json`. Exit status: 0 done, 1 the models do not
answer as the policy does (nothing is written), 2 usage or a missing package, 5 not a policy, 8 the folder
cannot be written.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from r2pac.errors import DiskError, Error, UsageError


class ParityError(Error):
    """The exported models do not answer as the policy does."""

    exit_code = 1


def export(policy_path: Path, folder: Path) -> dict[str, float]:
    """Writes the three files of a policy into a folder, which is made if it is not there.

    Returns the greatest error of everything that was compared. Raises CheckpointError, DiskError, UsageError
    where a package is missing, and ParityError, in which case nothing was written.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import safetensors  # noqa: F401

        from r2pac.export_onnx import contract, graphs, parity, policy_file, reference
    except ImportError as missing:
        raise UsageError(f"a package is missing: {missing}", todo="pip install 'r2pac[onnx]'") from missing
    policy = policy_file.read_policy(policy_path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as name:
            work = Path(name)
            onnx.save(graphs.flow_step(policy), work / "flow_step.onnx")
            onnx.save(graphs.sampler(policy), work / "sampler.onnx")
            (work / "contract.json").write_text(contract.contract_text(policy), encoding="utf-8")
            errors = parity.compare(policy, work)
            off = [name for name, value in errors.items() if not value <= reference.BOUND]
            if off:
                raise ParityError(
                    f"the models do not answer as the policy does: {report(errors)}",
                    where=", ".join(off),
                    todo="please report this with the policy",
                )
            for file in ("flow_step.onnx", "sampler.onnx", "contract.json"):
                os.replace(work / file, folder / file)
    except OSError as error:
        raise DiskError(
            f"cannot write the files: {error}", where=str(folder), todo="free space or choose another folder"
        ) from error
    return errors


def report(errors: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.1e}" for name, value in errors.items())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m r2pac.export_onnx", description=__doc__.split("\n")[0])
    parser.add_argument("policy", type=Path, help="run folder or policy.safetensors")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder to write into")
    options = parser.parse_args(arguments)
    try:
        errors = export(options.policy, options.out)
    except Error as error:
        return error.report()
    print(f"{options.out}: sampler.onnx, flow_step.onnx, contract.json")
    if absent := json.loads((options.out / "contract.json").read_text(encoding="utf-8"))["absent"]:
        print(absent)
    print(f"greatest error |difference| / (1 + |value|): {max(errors.values()):.1e}")
    for name, value in errors.items():
        print(f"  {name:<22} {value:.1e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
