"""Messages over the socket that `r2pac` hands to a server of environments or policies (docs/environments.md)."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from r2pac.errors import Error, UsageError

MAGIC = b"R2CE"
LARGEST_PAYLOAD = 64 << 20  # bytes
LARGEST_TEXT = 32 << 10  # bytes
HELLO, DESCRIPTION, RESET, OBSERVATION, STEP, TRANSITION, CLOSE, ERROR, WORKING, DECIDE, ACTIONS = range(1, 12)
RENDER, PICTURE = 12, 13
NUMBER = struct.Struct("<I")  # of a request; its answers repeat it
_HEADER = struct.Struct("<4sII")  # magic, type, bytes of payload


def receive_exactly(channel: socket.socket, count: int) -> bytes | None:
    """So many bytes; None where the other side hung up before."""
    parts = []
    while count > 0:
        part = channel.recv(min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


class Connection:
    """The server's end of the socket."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self.last_sent = 0.0  # of time.monotonic()

    def receive(self) -> tuple[int, bytes]:
        """Type and payload of the next message; CLOSE where the parent has gone. Raises ValueError."""
        header = receive_exactly(self._channel, _HEADER.size)
        if header is None:
            return CLOSE, b""
        magic, kind, length = _HEADER.unpack(header)
        if magic != MAGIC or length > LARGEST_PAYLOAD:
            raise ValueError(f"what arrived is not a message: {header!r}")
        payload = receive_exactly(self._channel, length)
        return (CLOSE, b"") if payload is None else (kind, payload)

    def send(self, kind: int, payload: bytes) -> None:
        self.last_sent = time.monotonic()
        self._channel.sendall(_HEADER.pack(MAGIC, kind, len(payload)) + payload)

    def report(self, error: BaseException, party: str) -> None:
        """Tells the parent what went wrong in the `party`: the environment or the policy."""
        if isinstance(error, Error):
            what, todo, details = error.message + (f" ({error.where})" if error.where else ""), error.todo, ""
        else:
            what = f"the {party} raised {type(error).__name__}: {error}"
            todo = "mend what the traceback shows"
            details = "".join(traceback.format_exception(error))[-4000:]
        text = f"{_line(what)}\n{_line(todo)}\n{details}"
        with contextlib.suppress(OSError):
            self.send(ERROR, text.encode("utf-8", "replace")[:LARGEST_TEXT])


def inherited_connection(started_by: str) -> Connection:
    """The connection that the parent handed down. started_by  the command that does so, for the message"""
    number = os.environ.pop("R2PAC_ENV_FD", "")
    if not number.isdigit():
        sys.exit(f"this is started by r2pac, which hands it a socket: {started_by}")
    os.set_inheritable(int(number), False)
    return Connection(socket.socket(fileno=int(number)))


def serve_parent(body: Callable[[Connection], None], party: str, started_by: str) -> None:
    """Runs a server's conversation with its parent until that hangs up.

    body        the conversation
    party       what is served, for messages: environment or policy
    started_by  the command that starts such a server, for the message where nobody did

    Whatever is raised goes to the parent, which reports it, and the process ends with status 1.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    connection = inherited_connection(started_by)
    try:
        body(connection)
    except (BrokenPipeError, ConnectionResetError):
        sys.exit(1)  # the parent has gone
    except BaseException as error:
        connection.report(error, party)
        sys.exit(1)


def split_name(text: str) -> tuple[str, str]:
    """Module and name of `module:name`. Raises UsageError."""
    module, separator, name = text.partition(":")
    if not (module and separator and name):
        raise UsageError(f"`{text}` does not name a function", todo="write module:function")
    return module, name


def named_callable(text: str) -> Callable[..., Any]:
    """What `module:name` names. Raises UsageError; what the module itself raises goes through."""
    module, name = split_name(text)
    try:
        home = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # one that the module itself imports
        raise UsageError(
            f"there is no module `{error.name}`", text, "run in the folder that has it, or name that in PYTHONPATH"
        ) from error
    if not hasattr(home, name):
        near = difflib.get_close_matches(name, dir(home), n=1)
        todo = f"did you mean `{near[0]}`?" if near else f"its file is {getattr(home, '__file__', 'unknown')}"
        raise UsageError(f"the module `{module}` has no `{name}`", text, todo)
    value = getattr(home, name)
    if not callable(value):
        raise UsageError(f"`{text}` is of type {type(value).__name__} and cannot be called", text, "name a function")
    return value


def _line(text: str) -> str:
    return " ".join(text.split())[:1000]
