"""Compares what two programs computed in the same configuration: every number, bit for bit.

usage: compare_runs.py OLD NEW [--cloning] KIND...     one line; exits 1 where a number differs or is missing
       compare_runs.py --self-check FOLDER KIND...     changes one bit or digit of each kind and looks whether it is seen
       compare_runs.py --make-ends FILE.npz            data of episodes that end genuinely or by a timeout

OLD, NEW and FOLDER hold a run folder `run` and the outputs of other verbs, as same_bits.sh makes them; a KIND is a
key of KINDS. --cloning: OLD cloned beside critics that learned nothing, NEW has none. Needs only the standard library.
"""
import csv
import json
import pathlib
import random
import re
import shutil
import struct
import sys
import tempfile
import zipfile

# What the new program calls otherwise.
RENAMED = {"grad_flow": "grad_velocity"}
RENAMED_STAGES = {"flow": "actor"}
# What a clone lacks: networks and their values, the end of the region, what the critics said of a chunk. The example in
# a policy is left out as well: the old settings could not say that it shall imitate.
NOT_CLONED = re.compile(r"(^|/)[qv]_[rc]\.|\bthreshold$|\btrained_threshold$|\bl$|\b[qv]_[rc]$|\bsafe$|"
                        r"^example\.(chunk|action)$")
# Of a file's metadata what was computed or settles how the file is read.
METADATA = ("task", "observation_dim", "action_dim", "chunk_length", "reward_scale", "cost_scale", "alpha", "threshold",
            "cost_limit", "value_limit", "data_fingerprint", "step", "steps")
# What a score says beside numbers of the same policy: what it was, and what the environment takes.
UNCOMPARED = ("settings", "policy", "policy_checksum", "method", "version", "format", "sampler", "action_low", "action_high",
              "rescale_actions")
BITS = {"F64": "Q", "F32": "I", "U32": "I"}  # an integer as wide as the type


def tensors(content):
    """Key -> the bits of the values; KEY.shape -> type and shape."""
    begin = 8 + struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:begin])
    metadata = header.pop("__metadata__")
    found = {"metadata." + key: [metadata[key]] for key in METADATA if key in metadata}
    for key, tensor in header.items():
        first, last = (begin + offset for offset in tensor["data_offsets"])
        found[key + ".shape"] = [f"{tensor['dtype']} {tensor['shape']}"]
        found[key] = memoryview(content[first:last]).cast(BITS[tensor["dtype"]])
    return found


def leaves(value, key, found):
    """Every leaf of a JSON value under the names that lead to it."""
    if isinstance(value, (dict, list)):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            if name not in UNCOMPARED:
                leaves(item, f"{key}.{RENAMED.get(name, name)}", found)
    else:
        found[key] = [RENAMED_STAGES.get(value, value) if key.endswith(".phase") else value]


def json_lines(content):
    """Numbers stay the text that was written."""
    found = {}
    for i, line in enumerate(content.decode().splitlines()):
        leaves(json.loads(line, parse_float=str, parse_int=str), f"line {i + 1}", found)
    return found


def json_file(content):
    found = {}
    leaves(json.loads(content, parse_float=str, parse_int=str), "score", found)
    return found


def table(content):
    rows = list(csv.reader(content.decode().splitlines()))
    return {name: [row[i] for row in rows[1:]] for i, name in enumerate(rows[0])}


KINDS = {
    "policy": ("run/policy.safetensors", tensors),
    "checkpoints": ("run/checkpoints/*.safetensors", tensors),
    "metrics": ("run/metrics.jsonl", json_lines),
    "scores-on-the-way": ("run/evaluations.jsonl", json_lines),
    "safe-best": ("run/policy-safe-best.safetensors", tensors),
    "trace": ("trace.safetensors", tensors),
    "double-trace": ("double-trace.safetensors", tensors),
    "sample": ("sample.jsonl", json_lines),
    "values": ("values.csv", table),
    "eval": ("eval.json", json_file),
}


def said(values, i):
    """The value at i in words."""
    if i >= len(values):
        return "nothing"
    if not isinstance(values, memoryview):
        return str(values[i])
    number = struct.unpack("<d" if values.itemsize == 8 else "<f", values[i:i + 1].tobytes())[0]
    return f"{number!r} (bits {values[i]:x})"


def compare_file(old, new, cloning):
    """How many values were compared, and where they differ: the first place of each key."""
    count, differing = 0, []
    for key in list(old) + [key for key in new if key not in old]:
        if cloning and NOT_CLONED.search(key.removesuffix(".shape")) or key not in old and key.startswith("metadata."):
            continue
        a, b = old.get(key, []), new.get(key, [])
        count += max(len(a), len(b))
        if a != b:
            i = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            differing.append(f"{key}[{i}]: {said(a, i)} and {said(b, i)}")
    return count, differing


def compare(old, new, kinds, cloning):
    """One text: kinds and counts; and one for each file that differs."""
    counts, faults = [], []
    for kind in kinds:
        pattern, read = KINDS[kind]
        names = [sorted(str(path.relative_to(folder)) for path in folder.glob(pattern)) for folder in (old, new)]
        total = 0
        if names[0] != names[1] or not names[0]:
            faults.append(f"{kind}: files {names[0]} and {names[1]}")
        for name in sorted(set(names[0]) & set(names[1])):
            count, differing = compare_file(*(read((folder / name).read_bytes()) for folder in (old, new)), cloning)
            total += count
            if differing:
                faults.append(f"{name}: {len(differing)} keys, first {differing[0]}")
        counts.append(f"{kind} {total}")
    return ", ".join(counts), faults


def change_last(path):
    """Changes the lowest bit of the file's last number, or its last digit."""
    content = bytearray(path.read_bytes())
    if path.suffix == ".safetensors":
        header = json.loads(content[8:8 + struct.unpack("<Q", content[:8])[0]])
        del header["__metadata__"]
        last = max(header.values(), key=lambda tensor: tensor["data_offsets"])
        content[-struct.calcsize(BITS[last["dtype"]])] ^= 1
    else:
        at = max(i for i, byte in enumerate(content) if chr(byte).isdigit())
        content[at] ^= 1  # another digit
    path.write_bytes(content)


def self_check(folder, kinds):
    unseen = []
    for kind in kinds:
        with tempfile.TemporaryDirectory() as scratch:
            copy = pathlib.Path(scratch) / "copy"
            shutil.copytree(folder, copy)
            if compare(folder, copy, [kind], False)[1]:
                unseen.append(f"{kind}: a copy differs")
            change_last(sorted(copy.glob(KINDS[kind][0]))[-1])
            if not compare(folder, copy, [kind], False)[1]:
                unseen.append(f"{kind}: a change goes unseen")
    return unseen


def array(values, shape, kind="<f4"):
    """A NumPy file."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    code = {"<f4": "f", "|b1": "?"}[kind]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + \
        struct.pack(f"<{len(values)}{code}", *values)


def make_ends(path, episodes=60, length=20):
    """Random numbers in the shapes of the built-in robot; every third episode ends genuinely, halfway."""
    draw = random.Random(1)
    ends = [length // 2 if e % 3 == 0 else length for e in range(episodes)]
    rows = sum(ends)
    last = [i == n - 1 for n in ends for i in range(n)]
    genuine = [n < length for n in ends for _ in range(n)]
    states = [[[draw.uniform(-1, 1) for _ in range(7)] for _ in range(n + 1)] for n in ends]
    before = [number for episode in states for state in episode[:-1] for number in state]
    after = [number for episode in states for state in episode[1:] for number in state]
    arrays = {
        "observations": array(before, (rows, 7)),
        "next_observations": array(after, (rows, 7)),
        "actions": array([draw.uniform(-1, 1) for _ in range(2 * rows)], (rows, 2)),
        "rewards": array([draw.uniform(-1, 1) for _ in range(rows)], (rows,)),
        "costs": array([float(draw.random() < 0.1) for _ in range(rows)], (rows,)),
        "terminals": array([a and b for a, b in zip(last, genuine)], (rows,), "|b1"),
        "timeouts": array([a and not b for a, b in zip(last, genuine)], (rows,), "|b1"),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in arrays.items():
            archive.writestr(name + ".npy", content)


def main(arguments):
    if arguments[:1] == ["--make-ends"] and len(arguments) == 2:
        make_ends(arguments[1])
        return 0
    if arguments[:1] == ["--self-check"] and len(arguments) > 2:
        unseen = self_check(pathlib.Path(arguments[1]), arguments[2:])
        print("; ".join(unseen) or "each change of one number is seen: " + ", ".join(arguments[2:]))
        return 1 if unseen else 0
    cloning = "--cloning" in arguments
    old, new, *kinds = [a for a in arguments if a != "--cloning"] if len(arguments) > 2 else sys.exit(__doc__)
    counts, faults = compare(pathlib.Path(old), pathlib.Path(new), kinds, cloning)
    print(f"{'DIFFERS' if faults else 'same'}: {counts}" + "".join("\n    " + fault for fault in faults))
    return 1 if faults else 0


sys.exit(main(sys.argv[1:]))
