"""An environment process in the standard library alone (docs/environments.md): python3 FILE MODE [MODE...]

Observation width 3, action width 2 within [-1, 1]. The observation is (seed modulo 1000, steps taken, sum of all
actions), the reward the sum of the step's actions, the cost 1 on odd steps. An episode is cut after 5 steps; the copy
whose seed is 1 modulo 4 ends by a terminal after 3. A mode changes one thing. R2PAC_TEST_PIDS names a folder where each process leaves a file called as its id.
"""

import os
import signal
import socket
import struct
import sys
import time

HELLO, DESCRIPTION, RESET, OBSERVATION, STEP, TRANSITION, CLOSE, ERROR, WORKING = range(1, 10)
RENDER, PICTURE = 12, 13
NAN, INFINITY = float("nan"), float("inf")
modes = sys.argv[1:]
channel = socket.socket(fileno=int(os.environ["R2PAC_ENV_FD"]))
version = 1 if "old" in modes else 3 if "draws" in modes else 2


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


def message(kind, payload):
    return struct.pack("<4sII", b"R2CE", kind, len(payload)) + payload


def send(kind, payload):
    channel.sendall(message(kind, payload))


def leave_pid():
    if folder := os.environ.get("R2PAC_TEST_PIDS"):
        open(os.path.join(folder, str(os.getpid())), "w").close()


def end(status, *, stream=sys.stdout, words=""):
    print(words, file=stream, flush=True)
    sys.exit(status)


def sleep(words=""):
    print(words, flush=True)
    time.sleep(1000)


def deafen(*signals):
    for one in signals:
        signal.signal(one, signal.SIG_IGN)
    sleep()


def raw(data):
    channel.sendall(data)
    time.sleep(1000)


def flood():
    while True:
        channel.sendall(message(WORKING, number) * 1000)


def hang_up(half=False):
    channel.shutdown(socket.SHUT_WR) if half else channel.close()
    time.sleep(1000)


def orphan(*, session=False, times=1, then=lambda: None):
    """Leaves a process that holds the socket and ignores what it can."""
    for _ in range(times):
        if os.fork() == 0:
            if session:
                os.setsid()
            leave_pid()
            deafen(signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    then()


def fork_away():
    """Goes on as a daemon: the process that was started ends."""
    if os.fork() > 0:
        os._exit(0)
    os.setsid()
    if os.fork() > 0:
        os._exit(0)
    leave_pid()


def spin():
    while True:
        pass


# At the start, the hello, a reset, the third step ("step") or the fourth.
FAULTS = {
    "exit": lambda: end(7, words="last words"),
    "exit-0": lambda: end(0),
    "error-output": lambda: end(3, stream=sys.stderr, words="no licence"),
    "raise": lambda: 1 // 0,
    "crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "abort": os.abort,
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "hang": lambda: sleep("waiting for Godot"),
    "spin": spin,
    "stop": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "deaf": lambda: deafen(signal.SIGTERM, signal.SIGHUP, signal.SIGINT),
    "garbage": lambda: raw(b"Segmentation fault, just kidding\n" * 100),
    "zeros": lambda: raw(bytes(4096)),
    "request": lambda: raw(b"GET / HTTP/1.1\r\nHost: r2pac\r\n\r\n"),
    "wrong-magic": lambda: raw(struct.pack("<4sII", b"R2CF", TRANSITION, 60) + bytes(60)),
    "big-endian": lambda: raw(struct.pack(">4sII", b"R2CE", TRANSITION, 64) + bytes(64)),
    "half-header": lambda: raw(message(TRANSITION, b"")[:9]),
    "half-payload": lambda: raw(message(answer_type, bytes(answer_bytes))[:-1]),
    "half-and-exit": lambda: (channel.sendall(message(answer_type, bytes(answer_bytes))[:-1]), end(0)),
    "oversized": lambda: raw(struct.pack("<4sII", b"R2CE", answer_type, 0xFFFFFFFF)),
    "empty": lambda: raw(message(answer_type, b"")),
    "type-0": lambda: raw(message(0, b"")),
    "type-close": lambda: raw(message(CLOSE, b"")),
    "type-hello": lambda: raw(message(HELLO, bytes(8))),
    "type-observation": lambda: raw(message(OBSERVATION, bytes(16))),
    "type-huge": lambda: raw(message(0xFFFFFFFF, b"")),
    "echo": lambda: raw(message(STEP, bytes(20))),
    "hang-up": hang_up,
    "half-hang-up": lambda: hang_up(half=True),
    "error": lambda: (
        send(ERROR, b"the environment raised ValueError: no wheels\nfit wheels\nFile robot.py, line 3\n\x1b[2Jroll()\n"),
        sys.exit(1),
    ),
    "error-empty": lambda: raw(message(ERROR, b"")),
    "error-binary": lambda: raw(message(ERROR, bytes(range(256)))),
    "error-oversized": lambda: raw(struct.pack("<4sII", b"R2CE", ERROR, 1 << 20)),
    "working-flood": flood,
    "working-wrong-number": lambda: raw(message(WORKING, b"\xff\xff\xff\xff")),
    "working-long": lambda: raw(message(WORKING, number + b"more")),
    "working-then-hang": lambda: raw(message(WORKING, number)),
    "orphan": orphan,
    "orphan-and-exit": lambda: orphan(then=lambda: end(7)),
    "session": lambda: orphan(session=True, then=sleep),
    "many-orphans": lambda: orphan(session=True, times=5, then=lambda: end(7)),
}

# What the transition of the third step has instead of what belongs there.
NUMBERS = {
    "nan-observation": ("observations", NAN),
    "infinite-observation": ("observations", -INFINITY),
    "nan-reward": ("rewards", NAN),
    "infinite-reward": ("rewards", INFINITY),
    "nan-cost": ("costs", NAN),
    "infinite-cost": ("costs", INFINITY),
    "negative-cost": ("costs", -1.0),
    "odd-terminated": ("terminated", 255),
    "odd-truncated": ("truncated", 2),
}

# What is sent of the right answer to the third step.
ANSWERS = {
    "short": lambda answer: message(TRANSITION, answer[:-1]),
    "long": lambda answer: message(TRANSITION, answer + b"\0"),
    "no-number": lambda answer: message(TRANSITION, answer[4:]),
    "old-number": lambda answer: message(TRANSITION, struct.pack("<I", struct.unpack("<I", answer[:4])[0] - 1) + answer[4:]),
    "future-number": lambda answer: message(TRANSITION, struct.pack("<I", struct.unpack("<I", answer[:4])[0] + 1) + answer[4:]),
    "twice": lambda answer: 2 * message(TRANSITION, answer),
    "and-observation": lambda answer: message(TRANSITION, answer) + message(OBSERVATION, answer[:16]),
    "and-error": lambda answer: message(TRANSITION, answer) + message(ERROR, b"the motor burns\ncall for help\n"),
    "and-garbage": lambda answer: message(TRANSITION, answer) + b"\r\n",
    "and-half": lambda answer: message(TRANSITION, answer) + message(TRANSITION, answer)[:20],
    "and-working": lambda answer: message(TRANSITION, answer) + message(WORKING, answer[:4]),
    "delayed-twice": lambda answer: message(TRANSITION, answer),  # and once more before the next
}

# What the description says: version, observation width, action width, step limit, low, high.
DESCRIPTIONS = {
    "old": {0: 1},
    "version-0": {0: 0},
    "version-4": {0: 4},
    "no-width": {1: 0},
    "robot": {1: 7},  # as the built-in robot
    "wide": {1: 1 << 21},
    "no-action": {2: 0},
    "wide-action": {2: 1 << 17},
    "endless": {3: 0},
    "thousand": {3: 1000},
    "too-long": {3: 2_000_000_000},
    "large-box": {4: [-2.0, -2.0], 5: [2.0, 2.0]},
    "odd-box": {4: [0.0, -1.0], 5: [0.1, 1.0]},
    "infinite-box": {4: [-INFINITY] * 2, 5: [INFINITY] * 2},
    "half-box": {4: [0.0, -1.0], 5: [INFINITY, 1.0]},
    "unknown-box": {4: [NAN] * 2, 5: [NAN] * 2},
    "nan-box": {4: [NAN, -1.0]},
    "crossed-box": {4: [1.0, 1.0], 5: [-1.0, -1.0]},
    "empty-box": {4: [INFINITY] * 2, 5: [INFINITY] * 2},
    "short-box": {4: [], 5: []},
}


# What answers a request for a picture, where not one of 4 x 3 pixels, each as bright as steps were taken.
PICTURES = {
    "paints-nothing": lambda: message(ERROR, b"there is no paint\nbuy some\n"),
    "paints-little": lambda: message(PICTURE, number + struct.pack("<II", 4, 3) + bytes(35)),
    "paints-wide": lambda: message(PICTURE, number + struct.pack("<II", 2049, 1) + bytes(3 * 2049)),
    "paints-no-pixel": lambda: message(PICTURE, number + struct.pack("<II", 0, 3)),
    "paints-no-size": lambda: message(PICTURE, number),
    "paints-old-number": lambda: message(PICTURE, bytes(4) + struct.pack("<II", 1, 1) + bytes(3)),
}


def misbehave(at):
    for mode in modes:
        if mode.startswith(at + "-") and (fault := FAULTS.get(mode[len(at) + 1 :])):
            fault()


if "daemon" in modes:
    fork_away()
else:
    leave_pid()
number, answer_type, answer_bytes = b"", DESCRIPTION, 48
misbehave("start")
if "slow-start" in modes:
    time.sleep(1)
kind, payload = receive()
oldest, count = struct.unpack("<II", payload)
assert kind == HELLO and oldest == 1
misbehave("hello")
described = [version, 3, 2, 5, [-1.0, -1.0], [1.0, 1.0]]
for mode in modes:
    for place, value in DESCRIPTIONS.get(mode, {}).items():
        described[place] = value
if "differ" in modes:
    described[1] += count  # two children of different numbers of copies
limit = described[3]
bounds = b"" if version == 1 else struct.pack(f"<{len(described[4] + described[5])}d", *described[4], *described[5])
send(DESCRIPTION, struct.pack("<IIII", *described[:4]) + bounds + b"fake \xff\n" + modes[-1].encode())

number_bytes = 0 if version == 1 else 4
width = described[1]
ANSWER_FORMS = {
    RESET: (OBSERVATION, number_bytes + 4 * width),
    STEP: (TRANSITION, number_bytes + (4 * width + 18) * count),
}
seeds, steps, sums = [0] * count, [0] * count, [0.0] * count


def observation(i):
    return [seeds[i] % 1000, steps[i], sums[i]] + [0] * (width - 3)


while True:
    kind, payload = receive()
    number, payload = payload[:number_bytes], payload[number_bytes:]
    answer_type, answer_bytes = ANSWER_FORMS.get(kind, ANSWER_FORMS[STEP])
    if kind == CLOSE:
        if "answers-close" in modes:
            send(TRANSITION, number)
        if "hangs-at-close" in modes:
            sleep()
        break
    if kind == RESET:
        misbehave("reset")
        seeds, steps, sums = list(struct.unpack(f"<{count}I", payload)), [0] * count, [0.0] * count
        answers = [[NAN] * width if "reset-nan" in modes else observation(i) for i in range(count)]
        if "reset-extra" in modes:
            answers.append([0] * width)
        # In one piece, so that whoever reads the first finds the extra one there.
        channel.sendall(b"".join(message(OBSERVATION, number + struct.pack(f"<{width}f", *row)) for row in answers))
        continue
    if kind == RENDER and version == 3:
        (copy,) = struct.unpack("<I", payload)
        answers = [answer() for mode in modes if (answer := PICTURES.get(mode))]
        right = message(PICTURE, number + struct.pack("<II", 4, 3) + bytes([steps[copy]]) * 36)
        channel.sendall(answers[0] if answers and ("late" not in modes or steps[copy] > 0) else right)
        continue
    assert kind == STEP
    active, actions = payload[:count], struct.unpack(f"<{2 * count}f", payload[count:])
    third = max(steps) == 2
    if third:
        misbehave("step")
    if max(steps) == 3:
        misbehave("fourth")
    if "delayed-twice" in modes and max(steps) == 3:
        time.sleep(0.2)
        send(TRANSITION, old)
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
        if "slow" in modes:
            time.sleep(0.4)
            send(WORKING, number)
    table = {
        "observations": [value for i in range(count) for value in observation(i)],
        "rewards": rewards,
        "costs": costs,
        "terminated": terminated,
        "truncated": truncated,
    }
    for mode in modes:
        if third and mode in NUMBERS:
            place, value = NUMBERS[mode]
            table[place][0] = value
    if "chatty" in modes:
        print("all work and no play " * 20000, flush=True)
    old = answer = number + struct.pack(
        f"<{width * count}f{count}d{count}d{count}B{count}B", *(value for column in table.values() for value in column)
    )
    for mode in modes:
        if third and mode in ANSWERS:
            channel.sendall(ANSWERS[mode](answer))
            break
    else:
        send(TRANSITION, answer)
