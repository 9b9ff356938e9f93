"""A client of `r2pac serve` (docs/serving.md), on NumPy and the standard library alone.

    with r2pac.connect("r2pac.sock") as policy:
        action = policy.act(observation, seed=1, step=step)
"""

from __future__ import annotations

import math
import os
import socket
import struct
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from r2pac.errors import DivergedError
from r2pac.wire import receive_exactly

if TYPE_CHECKING:
    from typing import Self

_MAGIC, _VERSION = b"R2SV", 1
_INFO, _FACTS, _ACT, _ANSWER, _REFUSAL, _FAILURE = range(1, 7)
_HEADER = struct.Struct("<4sHHII")  # magic, version, type, bytes of payload, number
_ACT_FIELDS = struct.Struct("<QqddqIIII")
_ANSWER_FIELDS = struct.Struct("<32s4i4fddiI")
_FACTS_FIELDS = struct.Struct("<8IddQ32s64s64s32s16s")
_REASON_FIELDS = struct.Struct("<II")
_LARGEST_PAYLOAD = 64 << 20  # bytes, of anything that a server sends
_SOURCES = {1: "full", 2: "reduced", 3: "chunk", 4: "safe_action"}


@dataclass(frozen=True)
class Facts:
    """What a server acts with."""

    observation_length: int
    action_length: int
    chunk_length: int
    candidates: int
    flow_steps: int
    has_critics: bool
    reads_spent: bool
    cost_limit: float
    region_end: float | None
    """l: a state is safe where V_c <= l."""
    trained_steps: int
    method: str
    task: str
    computes: str
    checksum: str
    """Of the policy file."""
    version: str


@dataclass(frozen=True)
class Answer:
    """An action, and what is known of it; what is not known is None."""

    action: NDArray[np.float32]
    """[A], in [-1, 1]."""
    source: str
    """full, reduced (fewer flow steps or candidates), chunk (what the last chunk planned) or safe_action."""
    chunk_step: int | None
    """Which action of its chunk: 0 of a new one."""
    flow_steps: int
    candidates: int
    q_c: float | None
    q_r: float | None
    v_c: float | None
    v_r: float | None
    bound: float | None
    """Greatest Q_c and V_c within the limit at this moment."""
    safe: bool | None
    seconds: float
    """From the sending of the request to the answer, by the server's clock."""
    checksum: str
    """Of the policy that decided."""


class RemotePolicy:
    """A served policy. Threads may share it: its calls run one after the other."""

    def __init__(self, address: str | os.PathLike[str] | int, *, timeout: float | None = None) -> None:
        """Connects.

        address  the UNIX socket, or a port of 127.0.0.1
        timeout  seconds until a call ends that gets no answer, in TimeoutError; None: it waits

        Raises OSError where no server can be reached.
        """
        self._lock = threading.Lock()
        self._number = 0
        if isinstance(address, int):
            self._socket = socket.create_connection(("127.0.0.1", address), timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(timeout)
            try:
                self._socket.connect(os.fspath(address))
            except BaseException:
                self._socket.close()
                raise
        try:
            self._facts = self.facts()
        except BaseException:
            self.close()
            raise

    def facts(self) -> Facts:
        """What the server acts with now."""
        fields = _FACTS_FIELDS.unpack(self._ask(_INFO, b"", _FACTS))
        numbers, (limit, end, steps), texts = fields[:8], fields[8:11], [_text(field) for field in fields[11:]]
        return Facts(*numbers[:5], bool(numbers[5]), bool(numbers[6]), limit, _known(end), steps, *texts)

    def decide(
        self,
        observation: ArrayLike,
        *,
        seed: int = 0,
        episode: int = 0,
        step: int = 0,
        spent: float | None = None,
        deadline: float | None = None,
        safe_action: ArrayLike | None = None,
        judged: bool = False,
    ) -> Answer:
        """The answer to an observation [S].

        seed, episode, step  which decision it is; with the observation they settle what is decided in full
        spent                undiscounted cost of the episode so far, where it is counted
        deadline             seconds from the call on within which an answer is wanted; needs a safe_action [A]
        judged               whether the critics are asked for q_c, q_r, v_c, v_r and safe

        Raises ValueError for what the server refuses, DivergedError where the policy's answer is not finite,
        and ConnectionError where the server has ended the connection.
        """
        seen = np.ascontiguousarray(observation, dtype="<f4")
        if seen.ndim != 1:
            raise ValueError(f"an observation has one axis, not the shape {seen.shape}")
        safe = np.ascontiguousarray(() if safe_action is None else safe_action, dtype="<f4").ravel()
        fields = _ACT_FIELDS.pack(
            seed,
            step,
            math.nan if spent is None else spent,
            0.0 if deadline is None else _positive(deadline),
            time.clock_gettime_ns(time.CLOCK_MONOTONIC),
            episode,
            judged,
            seen.size,
            safe.size,
        )
        payload = self._ask(_ACT, fields + seen.tobytes() + safe.tobytes(), _ANSWER)
        if len(payload) < _ANSWER_FIELDS.size:
            raise self._broken()
        checksum, source, chunk_step, flow_steps, candidates, *rest = _ANSWER_FIELDS.unpack_from(payload)
        q_c, q_r, v_c, v_r, bound, seconds, is_safe, length = rest
        action = np.frombuffer(payload, "<f4", offset=_ANSWER_FIELDS.size).copy()
        if action.size != length or source not in _SOURCES:
            raise self._broken()
        return Answer(
            action,
            _SOURCES[source],
            chunk_step if chunk_step >= 0 else None,
            flow_steps,
            candidates,
            *map(_known, (q_c, q_r, v_c, v_r, bound)),
            bool(is_safe) if is_safe >= 0 else None,
            seconds,
            _text(checksum),
        )

    def act(self, observation: ArrayLike, **moment: Any) -> NDArray[np.float32]:
        """The action [A] of decide(observation, **moment)."""
        return self.decide(observation, **moment).action

    @property
    def observation_dim(self) -> int:
        return self._facts.observation_length

    @property
    def action_dim(self) -> int:
        return self._facts.action_length

    def close(self) -> None:
        """Hangs up."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, kind: int, payload: bytes, expected: int) -> bytes:
        """The payload of the answer. What leaves the two ends out of step ends the connection."""
        with self._lock:
            self._number = (self._number + 1) % (1 << 32)
            try:
                return self._converse(kind, payload, expected)
            except (OSError, EOFError) as error:
                self.close()
                if isinstance(error, EOFError):
                    raise ConnectionError("the server hung up") from error
                raise

    def _converse(self, kind: int, payload: bytes, expected: int) -> bytes:
        try:
            self._socket.sendall(_HEADER.pack(_MAGIC, _VERSION, kind, len(payload), self._number) + payload)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server may have said why before it hung up
        magic, version, found, length, number = _HEADER.unpack(self._take(_HEADER.size))
        if magic != _MAGIC or version != _VERSION or length > _LARGEST_PAYLOAD:
            raise self._broken()
        answer = self._take(length)
        if found in (_REFUSAL, _FAILURE):
            if length < _REASON_FIELDS.size:
                raise self._broken()
            code, _ = _REASON_FIELDS.unpack_from(answer)
            text = answer[_REASON_FIELDS.size :].decode("utf-8", "replace")
            if found == _FAILURE:
                raise ConnectionError(f"the server ended the connection: {text}")
            raise DivergedError(text) if code == DivergedError.exit_code else ValueError(text)
        if found != expected or number != self._number:
            raise self._broken()
        return answer

    def _take(self, count: int) -> bytes:
        taken = receive_exactly(self._socket, count)
        if taken is None:
            raise EOFError
        return taken

    def _broken(self) -> ConnectionError:
        self.close()
        return ConnectionError("what answers is no server of this version")


def connect(address: str | os.PathLike[str] | int, *, timeout: float | None = None) -> RemotePolicy:
    """The policy that is served at a UNIX socket, or at a port of 127.0.0.1, as RemotePolicy."""
    return RemotePolicy(address, timeout=timeout)


def _positive(deadline: float) -> float:
    if not deadline > 0:
        raise ValueError("the deadline must be above 0 seconds; None is none")
    return deadline


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")
