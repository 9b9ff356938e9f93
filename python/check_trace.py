#!/usr/bin/env python3
"""Redoes the gradient steps of a trace in JAX and compares everything.

    r2pac trace --data FILE.hdf5 --steps 3 --double -o trace.safetensors
    python check_trace.py trace.safetensors [--data FILE.hdf5]

An independent implementation of the method, in double precision: from the recorded weights, batch, noise, flow
times and label dropout it computes thresholds, targets, labels, losses, gradients (by jax.grad) and updated
weights. With --data it also rebuilds the batch from the file. Exit status: 0 all equal, 1 a difference, 77 a
package is missing.
"""

import argparse
import sys
import tomllib

try:
    import jax
    import jax.numpy as jnp
    import numpy as np
    from safetensors import safe_open
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

jax.config.update("jax_enable_x64", True)

NULL, BAD, GOOD = 0, 1, 2  # rows of the label table


class Trace:
    def __init__(self, path):
        self.file = safe_open(path, framework="np")
        self.metadata = self.file.metadata()
        self.names = set(self.file.keys())
        self.settings = tomllib.loads(self.metadata["settings"])
        self.single = self.file.get_slice("initial/online/label_table").get_dtype() == "F32"

    def __getitem__(self, name):
        return np.asarray(self.file.get_tensor(name), dtype=np.float64)

    def group(self, prefix):
        return {n.removeprefix(prefix): self[n] for n in sorted(self.names) if n.startswith(prefix)}


class Method:
    """R2PAC's formulas, batch-wise. Parameters are a dict of arrays under their public names."""

    def __init__(self, settings):
        self.s = settings
        self.layers = len(settings["hidden"]) + 1
        self.nets = 2 if settings["twin_critics"] else 1

    def gelu(self, x):
        if self.s["activation"] == "gelu_tanh":
            return jax.nn.gelu(x, approximate=True)
        return x * 0.5 * jax.scipy.special.erfc(-x / jnp.sqrt(2.0))

    def perceptron(self, p, net, x, pick=lambda a: a):
        for i in range(self.layers):
            x = x @ pick(p[f"{net}.{i}.weight"]) + pick(p[f"{net}.{i}.bias"])
            if i + 1 < self.layers:
                x = self.gelu(x)
                if f"{net}.{i}.norm.gain" in p:
                    x = (x - x.mean(1, keepdims=True)) / jnp.sqrt(x.var(1, keepdims=True) + 1e-5)
                    x = x * pick(p[f"{net}.{i}.norm.gain"]) + pick(p[f"{net}.{i}.norm.bias"])
        return x

    def value(self, p, net, observations):
        return self.perceptron(p, net, observations)[:, 0]

    def critics(self, p, net, observations, actions):
        """[nets, B]"""
        pairs = jnp.concatenate([observations, actions], axis=1)
        if self.nets == 1:
            return self.perceptron(p, net, pairs)[None, :, 0]
        return jnp.stack([self.perceptron(p, net, pairs, lambda a, k=k: a[k])[:, 0] for k in range(self.nets)])

    def frozen(self, online, target, b):
        """Everything that passes no gradient back: values and target critics."""
        return {
            "q_reward": self.critics(target, "q_r", b["observations"], b["actions"]).min(0),
            "q_cost": self.critics(target, "q_c", b["observations"], b["actions"]).max(0),
            "v_r": self.value(online, "v_r", b["observations"]),
            "v_c": self.value(online, "v_c", b["observations"]),
        }

    def threshold(self, v_c, previous):
        if self.s["timeouts_are_terminal"]:
            return previous  # fixed by the cost limit
        now = np.quantile(np.asarray(v_c), self.s["alpha"])
        keep = self.s["threshold_ema"]
        return now if previous is None else keep * previous + (1 - keep) * now

    def targets(self, online, b, threshold):
        s = self.s
        v_r, v_c = (self.value(online, n, b["next_observations"]) for n in ("v_r", "v_c"))
        reach = s["discount"] ** s["chunk_length"] * b["mask"]
        unsafe = (b["mask"] != 0) & (v_c > threshold)
        reward = b["rewards"] + reach * v_r
        penalty = {"absorbing": -s["penalty"] / (1 - s["discount"]), "direct": -s["penalty"]}
        if s["penalty_reading"] in penalty:
            reward = jnp.where(unsafe, penalty[s["penalty_reading"]], reward)
        return {"reward_target": reward, "cost_target": b["costs"] + reach * v_c, "unsafe": unsafe.astype(float)}

    def labels(self, f, threshold):
        safe = f["v_c"] <= threshold
        good = jnp.where(safe, f["q_reward"] - f["v_r"] >= 0, f["q_cost"] - f["v_c"] <= 0)
        return jnp.where(good, float(GOOD), float(BAD))

    def losses(self, online, b, f, t, kinds):
        s, out = self.s, {}
        if "q_r" in kinds:
            for net, y in (("q_r", t["reward_target"]), ("q_c", t["cost_target"])):
                q = self.critics(online, net, b["observations"], b["actions"])
                out[net] = ((q - y) ** 2).mean(1).sum()
            tau = s["expectile"]
            up = f["q_reward"] - self.value(online, "v_r", b["observations"])
            out["v_r"] = (jnp.where(up > 0, tau, 1 - tau) * up**2).mean()
            down = self.value(online, "v_c", b["observations"]) - f["q_cost"]
            out["v_c"] = (jnp.where(down > 0, tau, 1 - tau) * down**2).mean()
        if "flow" in kinds:
            time = b["flow_time"][:, None]
            point = (1 - time) * b["noise"] + time * b["actions"]
            label = online["label_table"][b["dropped_label"].astype(int)]
            velocity = self.perceptron(online, "velocity", jnp.concatenate([b["observations"], label, point, time], axis=1))
            out["flow"] = ((velocity - (b["actions"] - b["noise"])) ** 2).mean()
        return out


class Report:
    def __init__(self, bound):
        self.bound, self.worst, self.failed = bound, {}, False

    def compare(self, kind, name, mine, recorded):
        mine, recorded = np.asarray(mine, dtype=np.float64), np.asarray(recorded, dtype=np.float64)
        if mine.shape != recorded.shape:
            mine = mine.reshape(recorded.shape)
        error = np.abs(mine - recorded).max() / max(np.abs(recorded).max(), 1e-12)
        if not error <= self.worst.get(kind, (-1.0,))[0]:
            self.worst[kind] = (error, name)
        if not error <= self.bound:
            self.failed = True
            print(f"DIFFERS {name}: relative error {error:.3e}")

    def table(self):
        print(f"{'kind':<16} {'worst':>10}  where   (bound {self.bound:g})")
        for kind, (error, name) in self.worst.items():
            print(f"{kind:<16} {error:10.2e}  {name}")


def update(method, online, target, gradient, moments, step):
    """Adam and Polyak on the entries that have a gradient; returns the new dicts."""
    s = method.s
    b1, b2 = s["adam_beta1"], s["adam_beta2"]
    new_online, new_target = dict(online), dict(target)
    for name, g in gradient.items():
        m, v = moments.get(name, (0.0, 0.0))
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        moments[name] = (m, v)
        rate = s["learning_rate"] / (1 - b1**step)
        new_online[name] = online[name] - rate * m / (np.sqrt(v) / np.sqrt(1 - b2**step) + s["adam_epsilon"])
        if name in target:
            new_target[name] = target[name] + s["polyak"] * (new_online[name] - target[name])
    return new_online, new_target


def check(trace, report, windows_of=None):
    method = Method(trace.settings)
    sequential = trace.settings["schedule"] == "sequential"
    critic_steps = trace.settings["critic_steps"] if trace.settings["critic_steps"] >= 0 else trace.settings["steps"]
    online, target = trace.group("initial/online/"), trace.group("initial/target/")
    moments, threshold = {}, None
    for i in range(int(trace.metadata["steps"])):
        at = f"step.{i}/"
        if at + "windows" not in trace.names:
            break
        b = trace.group(at)
        kinds = {n.removeprefix(at + "loss/") for n in trace.names if n.startswith(at + "loss/")}
        if windows_of is not None:
            for name, value in windows_of(trace.file.get_tensor(at + "windows")).items():
                if at + name in trace.names:
                    report.compare("batch", at + name, value, b[name])
        f, t = method.frozen(online, target, b), {}
        recorded_threshold = b["threshold"][0]
        if "q_r" in kinds:
            threshold = recorded_threshold if trace.settings["timeouts_are_terminal"] else method.threshold(f["v_c"], threshold)
            report.compare("threshold", at + "threshold", threshold, recorded_threshold)
            t = method.targets(online, b, recorded_threshold)
            for name in ("reward_target", "cost_target", "unsafe"):
                report.compare("target", at + name, t[name], b[name])
            for name in ("q_reward", "q_cost"):
                report.compare("value", at + name, f[name], b[name])
        if "flow" in kinds:
            report.compare("label", at + "label", method.labels(f, recorded_threshold), b["label"])
            kept = b["dropped_label"] != NULL
            report.compare("label", at + "dropped_label", b["dropped_label"][kept], b["label"][kept])
        losses = method.losses(online, b, f, t, kinds)
        for name in kinds:
            report.compare("loss", at + "loss/" + name, losses[name], b["loss/" + name][0])
        learned = {n: online[n] for n in online if n.startswith(("q_", "v_")) == ("q_r" in kinds) or {"q_r", "flow"} <= kinds}
        gradient = jax.grad(lambda p: sum(method.losses({**online, **p}, b, f, t, kinds).values()))(learned)
        gradient = {n: np.asarray(g) for n, g in gradient.items()}
        for name in learned:
            report.compare("gradient", at + "gradient/" + name, gradient[name], b["gradient/" + name])
        step = i + 1 - (critic_steps if sequential and "q_r" not in kinds else 0)
        online, target = update(method, online, target, gradient, moments, step)
        for prefix, mine in (("after/online/", online), ("after/target/", target)):
            for name in mine:
                report.compare("weights after", at + prefix + name, mine[name], b[prefix + name])
        # Go on from the recorded weights, so that each step is judged by itself.
        online, target = trace.group(at + "after/online/"), trace.group(at + "after/target/")
    return method


def window_builder(path, settings):
    """Batches straight from the DSRL file: windows are counted over all starts in ascending order."""
    import h5py

    with h5py.File(path) as file:
        d = {name: np.asarray(file[name], dtype=np.float64) for name in
             ("observations", "next_observations", "actions", "rewards", "costs", "terminals", "timeouts")}
    h, gamma = settings["chunk_length"], settings["discount"]
    d["actions"] = np.clip(d["actions"], -1, 1)
    ends = np.flatnonzero((d["terminals"].ravel() > 0) | (d["timeouts"].ravel() > 0))
    rows = len(d["rewards"])
    if len(ends) == 0 or ends[-1] != rows - 1:
        ends = np.append(ends, rows - 1)
    first, starts = 0, []
    for end in ends:
        starts.extend(range(first, end - h + 2))
        first = end + 1
    starts = np.array(starts)
    powers = gamma ** np.arange(h)

    def build(windows):
        rows_of = starts[windows.astype(int)][:, None] + np.arange(h)
        last = rows_of[:, -1]
        ended = d["terminals"].ravel()[last] > 0
        if settings["timeouts_are_terminal"]:
            ended |= d["timeouts"].ravel()[last] > 0
        return {
            "observations": d["observations"][rows_of[:, 0]],
            "next_observations": d["next_observations"][last],
            "actions": d["actions"][rows_of].reshape(len(windows), -1),
            "rewards": (d["rewards"].ravel()[rows_of] * powers).sum(1) * settings["reward_scale"],
            "costs": (d["costs"].ravel()[rows_of] * powers).sum(1) * settings["cost_scale"],
            "mask": 1.0 - ended,
        }

    return build


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trace")
    parser.add_argument("--data", help="DSRL file that the trace was made from, to rebuild its batches")
    arguments = parser.parse_args()
    trace = Trace(arguments.trace)
    if trace.metadata.get("format") != "r2pac-trace-1":
        sys.exit("error: this is not a trace of `r2pac trace`")
    # Double precision: both programs sum the same numbers in other orders, some 1e-13 after a few layers.
    # A single-precision trace only allows a check of sanity.
    report = Report(1e-3 if trace.single else 1e-9)
    plain = not (trace.settings["pad_terminals"] or trace.settings["normalize_observations"])
    check(trace, report, window_builder(arguments.data, trace.settings) if arguments.data and plain else None)
    report.table()
    sys.exit(1 if report.failed else 0)


if __name__ == "__main__":
    main()
