"""An environment process in the standard library alone (docs/environments.md): python3 FILE MODE.

Observation width 3, action width 2. The observation is (seed modulo 1000, steps taken, sum of all actions),
the reward the sum of the step's actions, the cost 1 on odd steps. An episode is cut after 5 steps (mode
`thousand`: 1000); the copy whose seed is 1 modulo 4 ends by a terminal after 3. Other modes go wrong, most at
the third step. R2PAC_TEST_PIDS names a folder where the process leaves a file called as its id.
"""

import os
import signal
import socket
import struct
import sys
import time

HELLO, DESCRIPTION, RESET, OBSERVATION, STEP, TRANSITION, CLOSE, ERROR = range(1, 9)
mode = sys.argv[1]
channel = socket.socket(fileno=int(os.environ["R2PAC_ENV_FD"]))


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


def misbehave(at):
    """What the mode does at a place: "hello" or "step"."""
    if mode == f"{at}-exit":
        print("last words", flush=True)
        sys.exit(7)
    if mode == f"{at}-crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if mode == f"{at}-hang":
        print("waiting for Godot", flush=True)
        time.sleep(1000)
    if mode == f"{at}-deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(1000)
    if mode == f"{at}-garbage":
        channel.sendall(b"Segmentation fault, just kidding\n" * 100)
        time.sleep(1000)
    if mode == f"{at}-oversized":
        channel.sendall(
            struct.pack("<4sII", b"R2CE", DESCRIPTION if at == "hello" else TRANSITION, 0xFFFFFFFF)
        )
        time.sleep(1000)
    if mode == f"{at}-half":
        channel.sendall(struct.pack("<4sII", b"R2CE", DESCRIPTION, 20)[:9])
        time.sleep(1000)
    if mode == f"{at}-wrong-type":
        send(CLOSE, b"")
        time.sleep(1000)
    if mode == f"{at}-error":
        details = b"File robot.py, line 3\n\x1b[2Jroll()\n"
        send(ERROR, b"the environment raised ValueError: no wheels\nfit wheels\n" + details)
        sys.exit(1)


folder = os.environ.get("R2PAC_TEST_PIDS")
if folder:
    open(os.path.join(folder, str(os.getpid())), "w").close()
if mode == "start-exit":
    print("no licence", file=sys.stderr)
    sys.exit(3)
if mode == "slow-start":
    time.sleep(1)
kind, payload = receive()
version, count = struct.unpack("<II", payload)
assert kind == HELLO and version == 1
misbehave("hello")
limit = {"thousand": 1000, "endless": 0}.get(mode, 5)
described = [2 if mode == "version" else 1, 0 if mode == "no-width" else 3, 2, limit]
if mode == "differ":
    described[1] += count  # two children of different numbers of copies
send(DESCRIPTION, struct.pack("<IIII", *described) + b"fake \xff\n" + mode.encode())

seeds, steps, sums = [0] * count, [0] * count, [0.0] * count


def observation(i):
    return struct.pack("<3f", seeds[i] % 1000, steps[i], sums[i])


while True:
    kind, payload = receive()
    if kind == CLOSE:
        break
    if kind == RESET:
        seeds, steps, sums = list(struct.unpack(f"<{count}I", payload)), [0] * count, [0.0] * count
        for i in range(count):
            send(
                OBSERVATION, struct.pack("<3f", float("nan"), 0, 0) if mode == "reset-nan" else observation(i)
            )
        continue
    assert kind == STEP
    active, actions = payload[:count], struct.unpack(f"<{2 * count}f", payload[count:])
    if max(steps) == 2:
        misbehave("step")
    rewards, costs, terminated, truncated = [0.0] * count, [0.0] * count, [0] * count, [0] * count
    for i in range(count):
        if not active[i]:
            continue
        steps[i] += 1
        rewards[i] = sum(actions[2 * i : 2 * i + 2])
        sums[i] += rewards[i]
        costs[i] = float(steps[i] % 2)
        terminated[i] = int(seeds[i] % 4 == 1 and steps[i] == 3 and limit == 5)
        truncated[i] = int(steps[i] == limit)
    observations = b"".join(observation(i) for i in range(count))
    if mode == "chatty":
        print("all work and no play " * 20000, flush=True)
    if max(steps) == 3:
        if mode == "nan-observation":
            observations = observations[:4] + struct.pack("<f", float("nan")) + observations[8:]
        if mode == "infinite-reward":
            rewards[0] = float("inf")
        if mode == "negative-cost":
            costs[0] = -1.0
        if mode == "odd-flag":
            truncated[0] = 2
        if mode == "short":
            observations = observations[:-4]
        if mode == "long":
            observations += b"\0" * 4
    send(
        TRANSITION,
        observations
        + struct.pack(f"<{count}d{count}d", *rewards, *costs)
        + bytes(terminated)
        + bytes(truncated),
    )
