"""A policy's process in the standard library alone (docs/environments.md): python3 FILE MODE

Acts by (0.5, seed modulo 7 / 10) until it has earned something, then by (earned / 1000, spent / 1000). A mode changes
one thing, most of them in the answer to the third request. R2PAC_TEST_PIDS names a folder where the process leaves a
file called as its id.
"""

import json
import os
import socket
import struct
import sys
import time

HELLO, DESCRIPTION, CLOSE, ERROR, DECIDE, ACTIONS = 1, 2, 7, 8, 10, 11
mode = sys.argv[1]
channel = socket.socket(fileno=int(os.environ["R2PAC_ENV_FD"]))
if folder := os.environ.get("R2PAC_TEST_PIDS"):
    open(os.path.join(folder, str(os.getpid())), "w").close()


def take(count):
    data = b""
    while len(data) < count:
        part = channel.recv(count - len(data))
        if not part:
            sys.exit(0)
        data += part
    return data


def receive():
    magic, kind, length = struct.unpack("<4sII", take(12))
    assert magic == b"R2CE"
    return kind, take(length)


def send(kind, payload):
    channel.sendall(struct.pack("<4sII", b"R2CE", kind, len(payload)) + payload)


about = {"method": "fake", "program": "fake 1", "step": 7, "train_seed": 3, "data_fingerprint": "abc"}
DESCRIPTIONS = {
    "no-json": b"method = fake",
    "list": b"[1]",
    "negative-step": b'{"step": -1}',
    "number-method": b'{"method": 3}',
    "negative-limit": b'{"cost_limit": -1}',
    "other-task": b'{"task": "BallRun"}',
    "odd-task": json.dumps(about | {"task": 'Lift "x"', "cost_limit": 1e11}).encode(),
    "limit": json.dumps(about | {"cost_limit": 2}).encode(),
}
kind, payload = receive()
assert kind == HELLO
version, width, actions, most, seed, limit = struct.unpack("<IIIIQd", payload[:32])
assert version == 1 and payload[32:]
if mode == "hello-exit":
    sys.exit("no licence")
send(DESCRIPTION, DESCRIPTIONS.get(mode) or json.dumps(about).encode())
for request in range(1, 10**9):
    kind, payload = receive()
    if kind == CLOSE:
        break
    assert kind == DECIDE
    number, n = struct.unpack("<II", payload[:8])
    assert 1 <= n <= most and len(payload) == 8 + n * (28 + 4 * width)
    spent = struct.unpack(f"<{n}d", payload[8 + 12 * n : 8 + 20 * n])
    earned = struct.unpack(f"<{n}d", payload[8 + 20 * n : 8 + 28 * n])
    values = []
    for row in range(n):
        first, second = (earned[row] / 1000, spent[row] / 1000) if earned[row] else (0.5, seed % 7 / 10)
        values += [first, second] + [0.0] * (actions - 2)
    if request == 3:
        if mode == "exit":
            sys.exit("the arm fell off")
        if mode == "hang":
            time.sleep(1000)
        if mode in ("nan", "outside"):
            values[actions + 1] = float("nan") if mode == "nan" else -1.25
        if mode == "short":
            values.pop()
        if mode == "old-number":
            number -= 1
        if mode == "error":
            send(ERROR, b"the policy raised ValueError: no\nsay yes\nFile mine.py, line 3\n")
            sys.exit(1)
    send(ACTIONS, struct.pack("<I", number) + struct.pack(f"<{len(values)}f", *values))
