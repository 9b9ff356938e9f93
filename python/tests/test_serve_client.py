"""The client of `r2pac serve`: its answers are the command's, and what the server says against it is raised.

Wants NumPy, pytest and the command that R2PAC_BINARY names; nothing compiled of the package.
"""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time

import numpy as np
import pytest

import r2pac
from r2pac import serve_client

BINARY = os.environ.get("R2PAC_BINARY", "build/bin/r2pac")


def run(*arguments, **more):
    return subprocess.run([BINARY, *map(str, arguments)], check=True, capture_output=True, text=True, **more)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    run("data", "make", "reach-avoid", "-o", folder / "data.hdf5", "--episodes", 30, "--seed", 3)
    sizes = ("--hidden", "24,24", "--batch", 64, "--steps", 30)
    run("train", "--data", folder / "data.hdf5", *sizes, "--out", folder / "run", "--method", "safe-chunks")
    return folder / "run"


class Served:
    def __init__(self, policy, path, *flags):
        self.path = str(path)
        command = [BINARY, "serve", str(policy), "--socket", self.path, "--threads", "1", *flags]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.first = self.process.stderr.readline()
        assert self.first.startswith("serving "), self.first

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        _, words = self.process.communicate(timeout=60)
        assert self.process.returncode == 0
        return words

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def served(trained, tmp_path):
    with Served(trained, tmp_path / "s", "--tcp", "0") as server:
        yield server


def sampled(policy, observations, seed, spent):
    lines = [
        json.dumps({"observation": row.tolist(), "step": step, "spent": cost})
        for step, (row, cost) in enumerate(zip(observations, spent, strict=True))
    ]
    out = run("sample", policy, "--obs", "-", "--seed", seed, input="\n".join(lines) + "\n").stdout
    return [json.loads(line) for line in out.splitlines()]


OBSERVATIONS = (0.5 * np.sin(np.arange(42).reshape(6, 7))).astype(np.float32)
SPENT = [0.75 * step for step in range(6)]


def test_answers_are_those_of_sample(trained, served):
    expected = sampled(trained, OBSERVATIONS, 5, SPENT)
    port = int(served.first.rsplit("127.0.0.1:", 1)[1])
    for address in (served.path, port):
        with r2pac.connect(address) as policy:
            facts = policy.facts()
            assert (facts.observation_length, facts.action_length, facts.method) == (7, 2, "safe-chunks")
            assert facts.has_critics and facts.reads_spent
            for step, row in enumerate(OBSERVATIONS):
                answer = policy.decide(row, seed=5, step=step, spent=SPENT[step], judged=True)
                line = expected[step]
                np.testing.assert_array_equal(answer.action, np.float32(line["action"]))
                assert answer.action.dtype == np.float32
                assert (answer.source, answer.chunk_step) == ("full", 0)
                for name in ("q_c", "q_r", "v_c", "v_r"):
                    assert np.float32(getattr(answer, name)) == np.float32(line[name])
                assert answer.safe == line["safe"]
                assert answer.checksum == facts.checksum and len(facts.checksum) == 32
                ample = {"deadline": 1e5, "safe_action": [9, 9]}
                action = policy.act(row.tolist(), seed=5, step=step, spent=SPENT[step], **ample)
                np.testing.assert_array_equal(action, answer.action)


def test_late_answers_name_their_source(served):
    with r2pac.RemotePolicy(served.path) as policy, r2pac.RemotePolicy(served.path) as other:
        planned = policy.decide(OBSERVATIONS[0], step=3)
        late = {"deadline": 1e-9, "safe_action": np.array([0.25, -0.5])}
        answer = policy.decide(OBSERVATIONS[1], step=4, **late)
        assert (answer.source, answer.chunk_step, answer.checksum) == ("chunk", 1, planned.checksum)
        assert (answer.flow_steps, answer.v_c, answer.safe) == (0, None, None)
        answer = other.decide(OBSERVATIONS[1], step=4, **late)
        assert (answer.source, answer.chunk_step) == ("safe_action", None)
        np.testing.assert_array_equal(answer.action, np.float32([0.25, -0.5]))


def test_what_is_refused_is_raised_and_the_connection_goes_on(served):
    with r2pac.connect(served.path, timeout=60) as policy:
        action = policy.act(OBSERVATIONS[0])
        bad = OBSERVATIONS[0].copy()
        bad[2] = np.nan
        for observation, text in ((bad, "not finite"), (bad[:5], "another length"), (OBSERVATIONS, "one axis")):
            with pytest.raises(ValueError, match=text):
                policy.act(observation)
        for moment, text in (
            ({"step": -1}, "below 0"),
            ({"deadline": 1.0}, "needs a safe action"),
            ({"deadline": -1.0}, "above 0"),
            ({"deadline": 1.0, "safe_action": [1.0]}, "another length"),
            ({"spent": np.inf}, "infinite"),
        ):
            with pytest.raises(ValueError, match=text):
                policy.act(OBSERVATIONS[0], **moment)
        np.testing.assert_array_equal(policy.act(OBSERVATIONS[0]), action)


def test_threads_may_share_a_connection(served):
    with r2pac.connect(served.path) as policy:
        expected = [policy.act(row, step=step) for step, row in enumerate(OBSERVATIONS)]
        found = [None] * len(OBSERVATIONS)

        def ask(step):
            for _ in range(20):
                found[step] = policy.act(OBSERVATIONS[step], step=step)

        threads = [threading.Thread(target=ask, args=(step,)) for step in range(len(OBSERVATIONS))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        np.testing.assert_array_equal(found, expected)


def test_a_server_that_ends_says_so(served):
    policy = r2pac.connect(served.path)
    policy.act(OBSERVATIONS[0])
    assert "answers: full 1" in served.end()
    with pytest.raises(ConnectionError, match="the server ended the connection: the server ends"):
        policy.act(OBSERVATIONS[0])
    with pytest.raises(OSError):
        policy.act(OBSERVATIONS[0])
    with pytest.raises(OSError):
        r2pac.connect(served.path)


def answering(tmp_path, reply):
    """A server that says `reply` to whoever asks."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "other"))
    listener.listen()

    def serve():
        client, _ = listener.accept()
        with client, listener, contextlib.suppress(ConnectionError):
            client.recv(1000)
            client.sendall(reply)
            client.recv(1000)

    thread = threading.Thread(target=serve)
    thread.start()
    return str(tmp_path / "other"), thread


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        struct.pack("<4sHHII", b"R2SV", 2, 2, 0, 1),
        struct.pack("<4sHHII", b"R2SV", 1, 4, 0, 1),
        struct.pack("<4sHHII", b"R2SV", 1, 5, 2, 1) + b"ab",
        struct.pack("<4sHHII", b"R2SV", 1, 2, 1 << 31, 1),
        struct.pack("<4sHHII", b"R2SV", 1, 2, 264, 2) + bytes(264),
        b"",
    ],
    ids=["no-frame", "version", "type", "reason", "length", "number", "silence"],
)
def test_what_is_no_server_is_told(tmp_path, reply):
    address, thread = answering(tmp_path, reply)
    began = time.monotonic()
    with pytest.raises(OSError):
        serve_client.connect(address, timeout=0.5)
    assert time.monotonic() - began < 30
    thread.join()
