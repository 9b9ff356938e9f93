"""What can go wrong, one class for each exit status of the `r2pac` command.

The text is the command's: what is wrong, where, and what to do about it. Wrong shapes and numbers that are
not finite in a call's own arguments are a plain `ValueError`.
"""

import sys
from typing import ClassVar


class Error(Exception):
    """An error that a user can act upon.

    message: one sentence saying what is wrong.
    where: file, array, key or argument concerned; may be empty.
    todo: what to do about it; may be empty.
    exit_code: what the `r2pac` command exits with in this case.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, where: str = "", todo: str = "") -> None:
        super().__init__(message, where, todo)
        self.message = message
        self.where = where
        self.todo = todo

    def __str__(self) -> str:
        lines = [self.message]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.todo:
            lines.append(f"  to do: {self.todo}")
        return "\n".join(lines)

    def report(self) -> int:
        """Prints the error as the `r2pac` command does; returns the exit status."""
        print(f"error: {self}", file=sys.stderr)
        return self.exit_code


class UsageError(Error):
    """A name or value that no call knows."""

    exit_code = 2


class DataError(Error):
    """A data set that cannot be read or used."""

    exit_code = 3


class SettingsError(Error):
    """A settings file, key or value; or a resume with other data or settings."""

    exit_code = 4


class CheckpointError(Error):
    """A checkpoint or policy file that is damaged or of another kind."""

    exit_code = 5


class DeviceError(Error):
    """A compute device that is missing or unusable."""

    exit_code = 6


class DivergedError(Error):
    """A loss or gradient stopped being finite."""

    exit_code = 7


class DiskError(Error):
    """A file could not be written."""

    exit_code = 8


class SimulatorError(Error):
    """An environment or policy in a child process that is missing, died, hung or broke the protocol."""

    exit_code = 9


BY_EXIT_CODE: dict[int, type[Error]] = {
    kind.exit_code: kind
    for kind in (
        UsageError,
        DataError,
        SettingsError,
        CheckpointError,
        DeviceError,
        DivergedError,
        DiskError,
        SimulatorError,
    )
}
