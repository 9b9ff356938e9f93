"""The DSRL layout, as data/FORMAT.md describes it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from r2pac.collect.episodes import Episode
from r2pac.errors import DiskError, UsageError

_ARRAYS = ("observations", "next_observations", "actions", "rewards", "costs", "terminals", "timeouts")


def write(path: Path, episodes: Sequence[Episode]) -> None:
    """Writes the episodes one after another. The file gets its name only when it is complete and on the disk.

    The same episodes give the same bytes. Raises DiskError.
    """
    import h5py

    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        with h5py.File(temporary, "w") as file:
            for name in _ARRAYS:
                values = np.concatenate([episode[name] for episode in episodes])
                file.create_dataset(name, data=values, compression="gzip", compression_opts=4)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise DiskError(
            f"cannot write the file: {error}", where=str(path), todo="free space or choose --out"
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def check_destination(path: Path) -> None:
    """Raises UsageError where nothing can be written, before hours are spent; or where h5py is missing."""
    try:
        import h5py  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "h5py is not installed", todo="use the Python of `./setup.sh --simulators`"
        ) from error
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise UsageError(
            "there is no such folder, or it cannot be written", where=str(path.parent), todo="make it first"
        )
