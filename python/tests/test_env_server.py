"""The server's own pieces, and every simulator of the benchmark through it.

Wants only pytest and numpy; the simulators run in the interpreter that R2PAC_SIMULATORS_PYTHON names, or in
.simulators/, and are skipped without it.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from r2pac import env_server, simulators, wire
from r2pac.errors import SimulatorError

ROOT = Path(__file__).resolve().parents[2]
SIMULATORS = os.environ.get("R2PAC_SIMULATORS_PYTHON", str(ROOT / ".simulators/bin/python3"))


class Child:
    """A served environment at the other end of a socket."""

    def __init__(self, python: str, *arguments: str) -> None:
        ours, theirs = socket.socketpair()
        ours.settimeout(120)
        environment = os.environ | {"R2PAC_ENV_FD": str(theirs.fileno()), "PYTHONPATH": str(ROOT / "python")}
        self.process = subprocess.Popen(
            [python, *arguments],
            pass_fds=[theirs.fileno()],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        theirs.close()
        self.socket, self.connection = ours, env_server.Connection(ours)

    def ask(self, kind: int, payload: bytes) -> tuple[int, bytes]:
        self.connection.send(kind, payload)
        return self.connection.receive()

    def hello(self, copies: int) -> tuple[int, int, int, str]:
        """Observation width, action width, step limit and name; actions within [-1, 1]."""
        kind, payload = self.ask(env_server.HELLO, struct.pack("<II", 1, copies))
        assert kind == env_server.DESCRIPTION, payload.decode()
        version, *numbers = struct.unpack("<IIII", payload[:16])
        assert version == env_server.VERSION
        name_begin = 16 + 16 * numbers[1]
        bounds = np.frombuffer(payload[16:name_begin], "<f8").reshape(2, -1)
        assert (bounds == [[-1], [1]]).all()
        return *numbers, payload[name_begin:].decode()

    def numbered(self, kind: int, number: int, payload: bytes) -> tuple[int, bytes]:
        """The answer to a request without its number."""
        kind, answer = self.ask(kind, struct.pack("<I", number) + payload)
        assert kind == wire.ERROR or answer[:4] == struct.pack("<I", number)
        return (kind, answer) if kind == wire.ERROR else (kind, answer[4:])

    def finish(self) -> tuple[int, str]:
        """Exit status and standard error."""
        self.socket.close()
        output = self.process.communicate(timeout=60)[1]
        return self.process.returncode, output


@pytest.fixture
def start() -> Iterator:
    children: list[Child] = []

    def make(*arguments: str) -> Child:
        children.append(Child(*arguments))
        return children[-1]

    yield make
    for child in children:
        child.process.kill()
        child.finish()


def fake(start, form: str) -> Child:
    return start(sys.executable, str(ROOT / "test/fake_env.py"), form)


def test_an_end_of_the_parent_ends_the_server_without_a_word(start) -> None:
    child = fake(start, "5")
    assert child.hello(2) == (2, 2, 5, "robot")
    assert child.finish() == (0, "")


def test_ctrl_c_is_left_to_the_parent(start) -> None:
    child = fake(start, "5")
    child.hello(1)
    child.process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    kind, payload = child.numbered(env_server.RESET, 1, struct.pack("<I", 7))
    assert kind == env_server.OBSERVATION
    assert np.frombuffer(payload, "<f4")[0] == np.float32(np.random.default_rng(7).uniform())
    assert child.finish() == (0, "")


@pytest.mark.parametrize(
    ("kind", "payload", "text"),
    [
        (env_server.HELLO, b"1234", "of type 1 with 4 bytes, expected a hello"),
        (env_server.STEP, b"", "of type 5 with 0 bytes, expected a hello"),
        (env_server.HELLO, struct.pack("<II", 99, 1), "needs version 99 of the protocol or a later one, this server speaks 3"),
    ],
)
def test_a_parent_that_speaks_otherwise_is_told(start, kind: int, payload: bytes, text: str) -> None:
    child = fake(start, "5")
    answer, told = child.ask(kind, payload)
    assert answer == wire.ERROR
    assert text in told.decode()
    assert child.finish()[0] == 1


def test_a_slow_step_of_several_copies_is_heard_of(start) -> None:
    child = fake(start, "slow")
    child.hello(3)
    child.connection.send(env_server.RESET, struct.pack("<4I", 8, 0, 1, 2))
    assert [child.connection.receive()[0] for _ in range(3)] == [env_server.OBSERVATION] * 3
    child.connection.send(env_server.STEP, struct.pack("<I", 9) + b"\1\1\1" + bytes(24))
    kinds = []
    while not kinds or kinds[-1] == env_server.WORKING:
        kind, payload = child.connection.receive()
        assert payload[:4] == struct.pack("<I", 9)
        kinds.append(kind)
    assert kinds == [env_server.WORKING] * 3 + [env_server.TRANSITION]


def test_bytes_that_are_no_message_are_told(start) -> None:
    child = fake(start, "5")
    child.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
    kind, told = child.connection.receive()
    assert kind == wire.ERROR
    assert "is not a message" in told.decode()


def test_without_a_socket_it_says_who_starts_it() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "R2PAC_ENV_FD"}
    environment["PYTHONPATH"] = str(ROOT / "python")
    command = [sys.executable, "-m", "r2pac.env_server", "--id", "SafetyBallRun-v0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "is started by r2pac" in done.stderr


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("bullet_safety_gym", "safety_gymnasium", "metadrive"):
        monkeypatch.setitem(sys.modules, module, None)  # its import fails
    for env_id, package, install in (
        ("SafetyBallRun-v0", "bullet-safety-gym", "./setup.sh --simulators"),
        ("SafetyPointGoal1Gymnasium-v0", "safety-gymnasium", "./setup.sh --simulators"),
        ("OfflineMetadrive-easymean-v0", "MetaDrive", "metadrive_clean"),
    ):
        with pytest.raises(SimulatorError, match=f"{package} is not installed") as caught:
            simulators.factory(env_id)
        assert install in caught.value.todo


def test_arrays_may_be_defaults_within_only() -> None:
    import dataclasses

    original = dataclasses.dataclass
    with simulators.array_defaults():

        @dataclasses.dataclass
        class Body:
            size: np.ndarray = np.zeros(2)
            name: str = "robot"

    assert dataclasses.dataclass is original
    one, other = Body(), Body(name="other")
    one.size[0] = 1
    assert other.size.tolist() == [0, 0]
    assert (one.name, other.name) == ("robot", "other")


WIDTHS = {  # observation width, action width, step limit, as the benchmark's table has them
    "SafetyBallRun-v0": (7, 2, 100),
    "SafetyCarRun-v0": (7, 2, 200),
    "SafetyDroneRun-v0": (17, 4, 200),
    "SafetyAntRun-v0": (33, 8, 200),
    "SafetyBallCircle-v0": (8, 2, 200),
    "SafetyCarCircle-v0": (8, 2, 300),
    "SafetyDroneCircle-v0": (18, 4, 300),
    "SafetyAntCircle-v0": (34, 8, 500),
    "SafetyAntVelocityGymnasium-v1": (27, 8, 1000),
    "SafetyHalfCheetahVelocityGymnasium-v1": (17, 6, 1000),
    "SafetyHopperVelocityGymnasium-v1": (11, 3, 1000),
    "SafetySwimmerVelocityGymnasium-v1": (8, 2, 1000),
    "SafetyWalker2dVelocityGymnasium-v1": (17, 6, 1000),
} | {
    f"Safety{robot}{task}{level}Gymnasium-v0": (width + 12 * (robot == "Car"), 2, limit)
    for robot in ("Point", "Car")
    for task, width, limit in (
        ("Goal", 60, 1000),
        ("Button", 76, 1000),
        ("Push", 76, 1000),
        ("Circle", 28, 500),
    )
    for level in (1, 2)
}


def test_the_widths_are_of_all_simulators() -> None:
    assert set(WIDTHS) == {*simulators.BULLET_TASKS, *simulators.NAVIGATION_TASKS, *simulators.VELOCITY_TASKS}


@pytest.mark.parametrize("env_id", WIDTHS)
def test_every_simulator_makes_resets_and_steps(start, env_id: str) -> None:
    package = "safety_gymnasium" if "Gymnasium" in env_id else "bullet_safety_gym"
    try:
        found = subprocess.run(
            [SIMULATORS, "-c", f"import importlib.util as u, sys; sys.exit(u.find_spec('{package}') is None)"]
        )
    except FileNotFoundError:
        pytest.skip("no simulators: ./setup.sh --simulators")
    if found.returncode != 0:
        pytest.skip(f"{package} is not installed")
    child = start(SIMULATORS, "-m", "r2pac.env_server", "--id", env_id)
    width, action_width, limit, name = child.hello(1)
    assert (width, action_width, limit, name) == (*WIDTHS[env_id], env_id)
    kind, payload = child.numbered(env_server.RESET, 1, struct.pack("<I", 3))
    assert kind == env_server.OBSERVATION, payload.decode()
    for number in range(3):
        action = np.full(action_width, 0.25, "<f4").tobytes()
        kind, payload = child.numbered(env_server.STEP, number, b"\1" + action)
        assert kind == env_server.TRANSITION, payload.decode()
        assert np.isfinite(np.frombuffer(payload, "<f4", width)).all()
        reward, cost = np.frombuffer(payload, "<f8", 2, offset=4 * width)
        assert np.isfinite(reward) and cost >= 0
        assert payload[4 * width + 16 :] == b"\0\0"
    child.connection.send(env_server.CLOSE, b"")
    assert child.finish()[0] == 0
