#!/usr/bin/env python3
"""Redoes the gradient steps of a trace in JAX and compares every number.

    r2pac trace --data FILE.hdf5 --steps 3 --double -o trace.safetensors
    python check_trace.py trace.safetensors... [--data FILE.hdf5]

This is a second implementation of the methods, in double precision. It takes the recorded weights, batch, noise,
flow times and dropped labels. From them it computes thresholds, targets, labels, losses, gradients (by jax.grad)
and updated weights. A tensor that is missing, or that nothing here checks, counts as a difference. With --data the
script also rebuilds the batches from the file, and the thresholds that depend on the whole file.
Exit status: 0 all equal, 1 a difference, 77 a package is missing.
"""

import argparse
import math
import sys
import tomllib
from typing import NamedTuple

try:
    import jax
    import jax.numpy as jnp
    import numpy as np
    from safetensors import safe_open
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

from r2pac.network_layout import parse_networks

jax.config.update("jax_enable_x64", True)

FORMAT = "r2pac-trace-2"
NULL, BAD, GOOD = 0, 1, 2  # rows of the label table
BATCH = ("observations", "actions")  # the trace has these of every step


class Kind(NamedTuple):
    """What a stage of this kind trains, and what the trace has of a step of it besides BATCH."""

    nets: tuple
    losses: tuple
    entries: tuple


METHODS = {  # the stages of each method; `one-step` only by the setting `actor` = one-step
    "r2pac": ("critics", "actor", "one-step"),
    "safe-chunks": ("critics", "actor", "one-step"),
    "budgeted": ("critics", "actor"),
    "cloning": ("actor",),
}
KINDS = {  # the kind of the stage `actor` is the setting `actor`, or flow before the stage `one-step`; others have one
    "critics": Kind(
        nets=("q_r", "q_c", "v_r", "v_c"),
        losses=("q_r", "q_c", "v_r", "v_c"),
        entries=("next_observations", "rewards", "costs", "mask", "reward_target", "cost_target", "unsafe",
                 "q_reward", "q_cost"),
    ),
    "flow": Kind(
        nets=("velocity",),
        losses=("flow",),
        entries=("label", "dropped_label", "noise", "flow_time"),
    ),
    "weighted-flow": Kind(
        nets=("velocity",),
        losses=("flow",),
        entries=("label", "dropped_label", "noise", "flow_time", "weight"),
    ),
    "one-step": Kind(
        nets=("one_step",),
        losses=("imitation", "gate"),
        entries=("noise", "share", "flow_chunk", "one_step_chunk", "passed"),
    ),
    "gaussian": Kind(
        nets=("mean",),
        losses=("actor",),
        entries=("weight", "mean"),
    ),
}


class Trace:
    def __init__(self, path):
        self.file = safe_open(path, framework="np")
        self.metadata = self.file.metadata() or {}
        self.names = set(self.file.keys())
        if (found := self.metadata.get("format", "none")) != FORMAT:
            raise ValueError(f"this is not a trace of the format {FORMAT} (its format: {found}); make one with "
                             "`r2pac trace` of this version")
        if (method := self.metadata["method"]) not in METHODS:
            raise ValueError(f"its method is {method}; this script knows {', '.join(METHODS)}")
        self.settings = tomllib.loads(self.metadata["settings"])
        self.networks = parse_networks(self.metadata["networks"])
        self.single = any(self.file.get_slice(n).get_dtype() == "F32" for n in self.names)

    def __getitem__(self, name):
        return np.asarray(self.file.get_tensor(name), dtype=np.float64)

    def group(self, prefix):
        return {n.removeprefix(prefix): self[n] for n in sorted(self.names) if n.startswith(prefix)}

    def batch(self, prefix):
        """The entries of a step. Entries that are matrices stay so, even if they have only one column."""
        b = self.group(prefix)
        for name in ("observations", "actions", "next_observations", "noise", "mean", "step_costs", "flow_chunk",
                     "one_step_chunk"):
            if name in b:
                b[name] = b[name].reshape(len(b[name]), -1)
        return b


class Method:
    """The formulas of the methods, for a whole batch. Parameters are a dict of arrays by their public names."""

    def __init__(self, name, settings, networks):
        self.name, self.s, self.networks = name, settings, networks
        one_step = settings["actor"] == "one-step"
        self.stages = tuple(stage for stage in METHODS[name] if one_step or stage != "one-step")
        self.kinds = {"critics": "critics", "one-step": "one-step",  # of each stage, its name in KINDS
                      "actor": "flow" if one_step else settings["actor"]}
        self.sequential = settings["schedule"] == "sequential" and len(self.stages) > 1
        self.begins = {stage: 0 for stage in self.stages}  # the first step of each stage
        self.lengths = {stage: settings["steps"] for stage in self.stages}
        if self.sequential:
            steps = {"critics": "critic_steps", "one-step": "distill_steps"}
            self.lengths = {stage: settings[steps[stage]] if settings.get(steps.get(stage), -1) >= 0
                            else settings["steps"] for stage in self.stages}
            self.begins = dict(zip(self.stages, np.cumsum([0, *self.lengths.values()])))
        self.critic_steps = self.begins.get("actor", 0)

    def has_region(self):
        return "critics" in self.stages

    def stages_of(self, step):
        """The stages that a step, counted from 0, takes part in."""
        if not self.sequential:
            return self.stages
        return ([stage for stage in self.stages if step >= self.begins[stage]][-1],)

    def stage_of(self, parameter):
        net = parameter.split(".")[0]
        return next((stage for stage in self.stages if net in KINDS[self.kinds[stage]].nets), "actor")  # or a table

    def layers(self, net):
        hidden = len(self.s["hidden"])
        if net not in KINDS["critics"].nets:
            hidden = len(self.s["actor_hidden"] or self.s["hidden"])
        return (min(3, hidden) if net == "mean" else hidden) + 1

    def parameters(self):
        names = ["log_deviation" if self.kinds["actor"] == "gaussian" else "label_table"]
        for net in self.networks:
            for i in range(self.layers(net)):
                names += [f"{net}.{i}.weight", f"{net}.{i}.bias"]
                if self.s["layer_norm"] and net in KINDS["critics"].nets and i + 1 < self.layers(net):
                    names += [f"{net}.{i}.norm.gain", f"{net}.{i}.norm.bias"]
        return names

    def gelu(self, x):
        if self.s["activation"] == "relu":
            return jnp.maximum(x, 0)
        if self.s["activation"] == "gelu_tanh":
            return jax.nn.gelu(x, approximate=True)
        return x * 0.5 * jax.scipy.special.erfc(-x / jnp.sqrt(2.0))

    def perceptron(self, p, net, x, pick=lambda a: a):
        for i in range(self.layers(net)):
            weight, bias = pick(p[f"{net}.{i}.weight"]), pick(p[f"{net}.{i}.bias"])
            x = x @ weight.reshape(-1, bias.shape[-1]) + bias
            if i + 1 < self.layers(net):
                x = self.gelu(x)
                if f"{net}.{i}.norm.gain" in p:
                    x = (x - x.mean(1, keepdims=True)) / jnp.sqrt(x.var(1, keepdims=True) + 1e-5)
                    x = x * pick(p[f"{net}.{i}.norm.gain"]) + pick(p[f"{net}.{i}.norm.bias"])
        return x

    def joined(self, net, **parts):
        """The parts [B, width] side by side, in the order in which the network reads them."""
        return jnp.concatenate([parts[name] for name in self.networks[net].inputs], axis=1)

    def budget(self, values, greatest):
        """What networks see of budgets [B], [B, 1]; None where they see none."""
        if values is None:
            return None
        return np.log1p(np.clip(values, 0, greatest) / self.s["cost_scale"])[:, None]

    def value(self, p, net, observations, budget=None):
        return self.perceptron(p, net, self.joined(net, observation=observations, budget=budget))[:, 0]

    def critics(self, p, net, observations, actions, budget=None):
        """[nets, B]"""
        pairs = self.joined(net, observation=observations, chunk=actions, budget=budget)
        nets = self.networks[net].count
        if nets == 1:
            return self.perceptron(p, net, pairs)[None, :, 0]
        return jnp.stack([self.perceptron(p, net, pairs, lambda a, k=k: a[k])[:, 0] for k in range(nets)])

    def frozen(self, online, target, b):
        """What passes no gradient back: values and target critics, if the method has them."""
        if "critics" not in self.stages:
            return {}
        return {
            "q_reward": self.critics(target, "q_r", b["observations"], b["actions"], b["seen budget"]).min(0),
            "q_cost": self.critics(target, "q_c", b["observations"], b["actions"]).max(0),
            "v_r": self.value(online, "v_r", b["observations"], b["seen budget"]),
            "v_c": self.value(online, "v_c", b["observations"]),
            "target": target,
        }

    def threshold(self, v_c, previous):
        """The threshold of a step that trains the critics. `previous` is None at the first step."""
        now = np.quantile(np.asarray(v_c), self.s["alpha"])
        keep = self.s["threshold_ema"]
        return now if previous is None else keep * previous + (1 - keep) * now

    def unsafe(self, online, b, threshold):
        """Whether each chunk leaves the safe region, and the distance of its value from the threshold."""
        margin = self.value(online, "v_c", b["next_observations"]) - threshold
        return np.asarray((b["mask"] != 0) & (margin > 0), dtype=float), np.asarray(margin)

    def bounds(self, steps, penalty=None):
        """The least and greatest discounted sum of step values within `steps`; the penalty may be the least."""
        least, greatest = (x / (1 - self.s["discount"]) for x in (min(steps[0], 0), max(steps[1], 0)))
        return least if penalty is None else min(least, penalty), greatest

    def targets(self, online, b, unsafe, ranges):
        s = self.s
        v_r = self.value(online, "v_r", b["next_observations"], b["next seen budget"])
        v_c = self.value(online, "v_c", b["next_observations"])
        reach = s["discount"] ** s["chunk_length"] * b["mask"]
        penalty = {"absorbing": -s["penalty"] / (1 - s["discount"]), "direct": -s["penalty"]}
        if s["bounded_values"]:
            v_r = jnp.clip(v_r, *self.bounds(ranges["reward_range"], penalty.get(s["penalty_reading"])))
            feasible = (-1.0, s["feasibility_scale"])
            v_c = jnp.clip(v_c, *(feasible if s["backup"] == "feasibility" else self.bounds(ranges["cost_range"])))
        if s["cost_ceiling"] > 0:
            v_c = jnp.minimum(v_c, s["cost_ceiling"] * ranges["limit"])
        reward = b["rewards"] + reach * v_r
        if s["penalty_reading"] in penalty:
            reward = jnp.where(unsafe != 0, penalty[s["penalty_reading"]], reward)
        if s["backup"] == "feasibility":
            return {"reward_target": reward, "cost_target": self.feasibility(b, v_c)}
        return {"reward_target": reward, "cost_target": b["costs"] + reach * v_c}

    def feasibility(self, b, v_c):
        """The target over a chunk, from its last step back: y -> (1 - gamma) h + gamma max(h, y) for each step.

        Several such maps after each other are again one map y -> max(floor, total + gamma^n y).
        """
        gamma, floor, total = self.s["discount"], -np.inf, 0.0
        for now in np.where(b["step_costs"].T > 0, self.s["feasibility_scale"], -1.0)[::-1]:
            floor, total = np.maximum(now, (1 - gamma) * now + gamma * floor), (1 - gamma) * now + gamma * total
        reached = np.maximum(floor, total + gamma ** self.s["chunk_length"] * v_c)
        return np.where(b["mask"] != 0, reached, floor)

    def labels(self, stages, b, f):
        """Labels, and the lesser distance of each row's values from a place where the label changes."""
        unlabelled = self.name == "cloning" or self.kinds["actor"] == "weighted-flow"
        alone = "critics" not in stages and "budget" not in b
        if unlabelled or (alone and self.s["label_dropout"] == 1):  # no label is used
            shape = b["label"].shape
            return np.full(shape, float(NULL)), np.full(shape, np.inf)
        beyond, gain, excess = f["v_c"] - self.limit(b), f["q_reward"] - f["v_r"], f["q_cost"] - f["v_c"]
        if self.s["label_rule"] == "reward":  # reward decides in every state
            return np.where(gain >= 0, float(GOOD), float(BAD)), np.asarray(jnp.abs(gain))
        good = jnp.where(beyond <= 0, gain >= 0, excess <= 0)
        advantage = jnp.where(beyond <= 0, gain, excess)
        margin = jnp.minimum(jnp.abs(beyond), jnp.abs(advantage))
        if self.s["label_rule"] == "allowed":
            allowed, distance = self.allowed(b, f)
            good, margin = good & (allowed != 0), jnp.minimum(margin, distance)
        return np.where(good, float(GOOD), float(BAD)), np.asarray(margin)

    def limit(self, b):
        """Where the region ends: for all windows at one value, or for each at its budget."""
        return b["budget"] if "budget" in b else b["threshold"][0]

    def next_budget(self, b):
        """What is left of each window's budget after its chunk, as seen from the state there."""
        left = (b["budget"] - b["costs"]) / self.s["discount"] ** self.s["chunk_length"]
        return np.clip(left, 0, b["greatest_budget"][0])

    def allowed(self, b, f):
        """Whether each chunk stays within the limit, or costs no more than the data's; and the distance to a change."""
        limit = self.limit(b)
        within = f["q_cost"] - jnp.where(f["v_c"] <= limit, limit, f["v_c"])
        return np.asarray(within <= 0, dtype=float), np.abs(np.asarray(within))

    def critics_losses(self, online, b, f, t):
        out, tau = {}, self.s["expectile"]
        tau_cost = tau if self.s["cost_expectile"] == "auto" else self.s["cost_expectile"]
        for net, y in (("q_r", t["reward_target"]), ("q_c", t["cost_target"])):
            q = self.critics(online, net, b["observations"], b["actions"], b["seen budget"])
            out[net] = ((q - y) ** 2).mean(1).sum()
        up = f["q_reward"] - self.value(online, "v_r", b["observations"], b["seen budget"])
        out["v_r"] = (b.get("allowed", 1.0) * jnp.where(up > 0, tau, 1 - tau) * up**2).mean()
        down = self.value(online, "v_c", b["observations"]) - f["q_cost"]
        out["v_c"] = (jnp.where(down > 0, tau_cost, 1 - tau_cost) * down**2).mean()
        return out

    def flow_losses(self, online, b, f, t):
        time = b["flow_time"][:, None]
        point = (1 - time) * b["noise"] + time * b["actions"]
        label = online["label_table"][b["dropped_label"].astype(int)]
        seen = self.joined("velocity", observation=b["observations"], budget=b["seen budget"], label=label, chunk=point,
                           time=time)
        velocity = self.perceptron(online, "velocity", seen)
        return {"flow": (b.get("weight", 1.0) * ((velocity - (b["actions"] - b["noise"])) ** 2).mean(1)).mean()}

    def flow_chunks(self, online, b):
        """What Euler's steps along the label good make of the noise."""
        steps, x = self.s["distill_flow_steps"], b["noise"]
        label = np.tile(online["label_table"][GOOD], (len(x), 1))
        for n in range(steps):
            time = np.full((len(x), 1), n / steps)
            seen = self.joined("velocity", observation=b["observations"], label=label, chunk=x, time=time)
            x = x + self.perceptron(online, "velocity", seen) / steps
        return jnp.clip(x, -1, 1)

    def one_step_chunk(self, online, b):
        seen = self.joined("one_step", observation=b["observations"], bound=b["share"][:, None])
        return jnp.tanh(self.perceptron(online, "one_step", seen))

    def passed(self, target, b, f):
        """Whether each chunk passes the gate, and the lesser distance of V_c and Q_c from where that changes."""
        bound = b["share"] * b["threshold"][0]
        q_cost = self.critics(target, "q_c", b["observations"], b["one_step_chunk"]).max(0)
        return (np.asarray((f["v_c"] <= bound) & (q_cost <= bound), dtype=float),
                np.minimum(np.abs(f["v_c"] - bound), np.abs(q_cost - bound)))

    def one_step_losses(self, online, b, f, t):
        chunk = self.one_step_chunk(online, b)
        q_reward = self.critics(f["target"], "q_r", b["observations"], chunk).min(0)
        q_cost = self.critics(f["target"], "q_c", b["observations"], chunk).max(0)
        unit = {n: 1e-6 + np.sqrt(((f[f"q_{n}"] - f[f"v_{n[0]}"]) ** 2).mean()) for n in ("reward", "cost")}
        gate = jnp.where(b["passed"] != 0, -q_reward / unit["reward"], q_cost / unit["cost"])
        return {"imitation": ((chunk - b["flow_chunk"]) ** 2).mean(), "gate": self.s["gate_weight"] * gate.mean()}

    def weights(self, b, f):
        """The weight of each window in advantage-weighted regression."""
        advantage = jnp.where(f["v_c"] <= b["threshold"][0], f["q_reward"] - f["v_r"], f["v_c"] - f["q_cost"])
        return jnp.exp(jnp.minimum(self.s["advantage_temperature"] * advantage, np.log(self.s["weight_cap"])))

    def mean(self, online, b):
        return jnp.tanh(self.perceptron(online, "mean", self.joined("mean", observation=b["observations"])))

    def gaussian_losses(self, online, b, f, t):
        deviation = jnp.clip(online["log_deviation"], -5, 2)
        z = (b["actions"] - self.mean(online, b)) / jnp.exp(deviation)
        density = (-0.5 * z**2 - deviation - 0.5 * np.log(2 * np.pi)).sum(1)
        return {"actor": -(b["weight"] * density).mean()}

    def losses(self, online, b, f, t, stages):
        compute = {"critics": self.critics_losses, "flow": self.flow_losses, "weighted-flow": self.flow_losses,
                   "gaussian": self.gaussian_losses, "one-step": self.one_step_losses}
        out = {}
        for stage in stages:
            out |= compute[self.kinds[stage]](online, b, f, t)
        return out


class Report:
    def __init__(self, bound):
        self.bound, self.worst, self.failed, self.close = bound, {}, False, 0

    def fail(self, text):
        self.failed = True
        print("DIFFERS", text)

    def compare(self, kind, name, mine, recorded):
        mine, recorded = np.asarray(mine, dtype=np.float64), np.asarray(recorded, dtype=np.float64)
        if mine.size != recorded.size:
            self.fail(f"{name}: shape {recorded.shape}, expected {mine.shape}")
            return
        error = np.abs(mine.ravel() - recorded.ravel()).max(initial=0) / max(np.abs(recorded).max(initial=0), 1e-12)
        if not error <= self.worst.get(kind, (-1.0,))[0]:
            self.worst[kind] = (error, name)
        if not error <= self.bound:
            self.fail(f"{name}: relative error {error:.3e}")

    def decide(self, kind, name, mine, recorded, margin, scale):
        """Compares decisions, such as labels. `margin` is the distance of each from the point where it changes.

        Below the bound, another order of summation may change the decision. An example is the row whose own value
        is the quantile. Such decisions are counted and taken as recorded.
        """
        close = (mine != recorded) & (np.abs(margin) <= self.bound * scale)
        self.close += int(close.sum())
        self.compare(kind, name, np.where(close, recorded, mine), recorded)

    def table(self):
        print(f"{'kind':<16} {'worst':>10}  where   (bound {self.bound:g})")
        for kind, (error, name) in self.worst.items():
            print(f"{kind:<16} {error:10.2e}  {name}")
        if self.close:
            print(f"{self.close} decisions, each made by less than the bound, taken as recorded")


def update(method, online, target, gradient, moments, step, steps):
    """Adam's step number `step` >= 1 of `steps`, then the target networks, for all entries of `gradient`. Returns new
    dicts."""
    s = method.s
    decay = 0.5 * (1 + np.cos(np.pi * (step - 1) / steps)) if s["rate_decay"] == "cosine" else 1.0
    b1, b2 = s["adam_beta1"], s["adam_beta2"]
    new_online, new_target = dict(online), dict(target)
    for name, g in gradient.items():
        m, v = moments.get(name, (0.0, 0.0))
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        moments[name] = (m, v)
        rate = decay * s["learning_rate"] / (1 - b1**step)
        new_online[name] = online[name] - rate * m / (np.sqrt(v) / np.sqrt(1 - b2**step) + s["adam_epsilon"])
        if name in target:
            new_target[name] = target[name] + s["polyak"] * (new_online[name] - target[name])
    return new_online, new_target


def check_names(trace, method, steps, report):
    """Reports what is missing and what is unknown. Returns whether the trace holds all that is needed."""
    nets = {net for stage in method.stages for net in KINDS[method.kinds[stage]].nets}
    if set(method.networks) != nets:
        report.fail(f"networks: {', '.join(method.networks)}, expected {', '.join(sorted(nets))}")
        return False
    online = method.parameters()
    target = [n for n in online if n.startswith("q_")]
    wanted = {"reward_range", "cost_range"} | {"initial/online/" + n for n in online}
    wanted |= {"initial/target/" + n for n in target}
    for i in range(steps):
        entries = ["windows", *BATCH] + ["threshold"] * method.has_region()
        entries += ["budget", "greatest_budget"] * (method.name == "budgeted")
        for stage in method.stages_of(i):
            kind = KINDS[method.kinds[stage]]
            entries += [*kind.entries, *("loss/" + n for n in kind.losses)]
            entries += ["step_costs"] * (stage == "critics" and method.s["backup"] == "feasibility")
            entries += ["allowed"] * (stage == "critics" and method.name in ("safe-chunks", "budgeted"))
            entries += ["next_budget"] * (stage == "critics" and method.name == "budgeted")
        entries += ["gradient/" + n for n in online] + ["after/online/" + n for n in online]
        entries += ["after/target/" + n for n in target]
        wanted |= {f"step.{i}/{n}" for n in entries}
    for kind, names in (("missing", wanted - trace.names), ("unknown", trace.names - wanted)):
        if names:
            report.fail(f"{kind}: {', '.join(sorted(names)[:5])}{' ...' if len(names) > 5 else ''}")
    return wanted <= trace.names


def check_threshold(method, at, step, f, online, b, previous, data, report):
    """`previous` is the recorded threshold of the step before. It is None at the first step."""
    rule, recorded = method.s["threshold"], b["threshold"][0]
    if rule == "zero":
        mine = 0.0
    elif rule == "limit":
        mine = data.limit_as_value(method.s["cost_limit"]) if data else recorded if previous is None else previous
    elif "critics" in method.stages_of(step):
        mine = method.threshold(f["v_c"], previous)
    elif method.s["label_dropout"] == 1 or step > method.critic_steps:  # labels are not used, or were made before
        mine = 0.0 if previous is None else previous
    else:
        mine = np.quantile(data.values(method, online), method.s["alpha"]) if data else recorded
    report.compare("threshold", at + "threshold", mine, recorded)


def check_budgets(method, at, b, data, report):
    """Adds what the networks see of the recorded budgets to the entries of a step."""
    greatest = b["greatest_budget"][0] if "budget" in b else None
    for name in ("budget", "next_budget"):
        b[name.replace("budget", "seen budget").replace("_", " ")] = method.budget(b.get(name), greatest)
    if "budget" not in b:
        return
    if not ((b["budget"] > 0) & (b["budget"] < greatest)).all():
        report.fail(f"{at}budget: not within 0 and {greatest}")
    if "next_budget" in b:
        report.compare("budget", at + "next_budget", method.next_budget(b), b["next_budget"])
    if data is not None:
        limit = max(method.s["greatest_limit"], method.s["cost_limit"])
        report.compare("budget", at + "greatest_budget", data.limit_as_value(limit), greatest)


def check(trace, report, data=None):
    method = Method(trace.metadata["method"], trace.settings, trace.networks)
    steps = int(trace.metadata["steps"])
    if steps < 1:
        report.fail("the trace has no steps")
    if not check_names(trace, method, steps, report):
        return
    online, target = trace.group("initial/online/"), trace.group("initial/target/")
    for name in target:
        report.compare("initial target", "initial/target/" + name, online[name], target[name])
    ranges = {name: trace[name] for name in ("reward_range", "cost_range")}
    if data is not None:
        for name, value in data.ranges().items():
            report.compare("batch", name, value, ranges[name])
        ranges["limit"] = data.limit_as_value(method.s["cost_limit"])
    elif method.s["cost_ceiling"] > 0:
        report.fail("the trace has a cost_ceiling, which follows from the data: give --data")
        return
    gradient = {name: np.zeros_like(value) for name, value in online.items()}
    moments, previous = {}, None
    for i in range(steps):
        at, stages = f"step.{i}/", method.stages_of(i)
        b = trace.batch(at)
        if data is not None:
            for name, value in data.batch(trace.file.get_tensor(at + "windows")).items():
                if name in b:
                    report.compare("batch", at + name, value, b[name])
        check_budgets(method, at, b, data, report)
        f, t = method.frozen(online, target, b), {}
        if method.has_region():
            check_threshold(method, at, i, f, online, b, previous, data, report)
            previous = b["threshold"][0]
        if "critics" in stages:
            unsafe, margin = method.unsafe(online, b, b.get("next_budget", previous))
            report.decide("unsafe", at + "unsafe", unsafe, b["unsafe"], margin, np.abs(f["v_c"]).max())
            t = method.targets(online, b, b["unsafe"], ranges)
            for name in t:
                report.compare("target", at + name, t[name], b[name])
            for name in ("q_reward", "q_cost"):
                report.compare("value", at + name, f[name], b[name])
            if "allowed" in b:
                allowed, margin = method.allowed(b, f)
                report.decide("allowed", at + "allowed", allowed, b["allowed"], margin, np.abs(f["v_c"]).max())
        if "actor" in stages and "weight" in b:
            report.compare("weight", at + "weight", method.weights(b, f), b["weight"])
        if "actor" in stages and method.kinds["actor"] == "gaussian":
            report.compare("mean", at + "mean", method.mean(online, b), b["mean"])
        elif "actor" in stages:
            label, margin = method.labels(stages, b, f)
            scale = max((np.abs(f[name]).max() for name in f if name != "target"), default=0.0)
            report.decide("label", at + "label", label, b["label"], margin, scale)
            kept = np.where(b["dropped_label"] == NULL, NULL, b["label"])
            report.compare("label", at + "dropped_label", kept, b["dropped_label"])
        if "one-step" in stages:
            report.compare("flow chunk", at + "flow_chunk", method.flow_chunks(online, b), b["flow_chunk"])
            report.compare("one-step chunk", at + "one_step_chunk", method.one_step_chunk(online, b),
                           b["one_step_chunk"])
            passed, margin = method.passed(target, b, f)
            report.decide("passed", at + "passed", passed, b["passed"], margin, np.abs(f["v_c"]).max())
        for name, mine in method.losses(online, b, f, t, stages).items():
            report.compare("loss", at + "loss/" + name, mine, b["loss/" + name][0])
        learned = {n: online[n] for n in online if method.stage_of(n) in stages}
        gradient |= jax.grad(lambda p: sum(method.losses({**online, **p}, b, f, t, stages).values()))(learned)
        for name in gradient:  # a network that the step does not train keeps its last gradient, at first zero
            report.compare("gradient", at + "gradient/" + name, gradient[name], b["gradient/" + name])
        step, length = i + 1 - method.begins[stages[0]], method.lengths[stages[0]]
        # What follows starts from the recorded numbers, so that one error does not show up as several.
        gradient = {n: b["gradient/" + n].reshape(online[n].shape) for n in online}
        learning = {n: gradient[n] for n in learned}
        online, target = update(method, online, target, learning, moments, step, length)
        for prefix, mine in (("after/online/", online), ("after/target/", target)):
            for name in mine:
                report.compare("weights after", at + prefix + name, mine[name], b[prefix + name])
        online, target = trace.group(at + "after/online/"), trace.group(at + "after/target/")


def columns_with_scores(observations, choice):
    """The columns that are seen by rank: `tied`: those in which a tenth of the rows or more hold one number."""
    for j, column in enumerate(observations.T):
        numbers, counts = np.unique(column, return_counts=True)
        if len(numbers) > 1 and (choice == "all" or choice == "tied" and counts.max() >= 0.1 * len(column)):
            yield j


def score_points(column):
    """A column's quantiles of Phi(-4.2), Phi(-4.1), ..., Phi(4.2) without repetition, and the mean z of each."""
    z = np.arange(-42, 43) / 10
    share = np.array([0.5 * math.erfc(-score / math.sqrt(2)) for score in z])
    ranks = np.minimum((share * len(column)).astype(int), len(column) - 1)
    values, which = np.unique(np.sort(column)[ranks], return_inverse=True)
    return values, np.bincount(which, z) / np.bincount(which)


class Data:
    """The windows of a DSRL file. A window has the number of its first row among all possible first rows."""

    def __init__(self, path, settings):
        import h5py

        with h5py.File(path) as file:  # the program stores single precision, whatever the file has
            d = {name: np.asarray(file[name], dtype=np.float32).astype(np.float64) for name in
                 ("observations", "next_observations", "actions", "rewards", "costs", "terminals", "timeouts")}
        for name in ("rewards", "costs", "terminals", "timeouts"):
            d[name] = d[name].ravel()
        self.s, self.d = settings, d
        for j in columns_with_scores(d["observations"], settings["normal_scores"]):
            points = score_points(d["observations"][:, j])
            for name in ("observations", "next_observations"):
                d[name][:, j] = np.interp(d[name][:, j], *points)
        if settings["normalize_observations"]:
            mean, scale = d["observations"].mean(0), 1 / (d["observations"].std(0) + 1e-3)
            for name in ("observations", "next_observations"):
                d[name] = (d[name] - mean) * scale
        rows, h = len(d["rewards"]), settings["chunk_length"]
        ends = np.flatnonzero((d["terminals"] > 0) | (d["timeouts"] > 0) | (np.arange(rows) == rows - 1))
        firsts = np.append(0, ends[:-1] + 1)
        self.longest = int((ends - firsts).max()) + 1
        self.end_of = np.repeat(ends, ends - firsts + 1)
        room = self.end_of - np.arange(rows) >= h - 1
        if settings["episodes"] == "within-limit":
            within = np.add.reduceat(d["costs"], firsts) <= settings["cost_limit"]
            room &= np.repeat(within, ends - firsts + 1)
        if settings["pad_terminals"]:
            room |= d["terminals"][self.end_of] > 0
        self.starts = np.flatnonzero(room)

    def batch(self, windows):
        s, d, h = self.s, self.d, self.s["chunk_length"]
        start = self.starts[windows.astype(int)]
        end = self.end_of[start]
        rows = start[:, None] + np.arange(h)
        inside = rows <= end[:, None]  # rows after the end have no action, reward or cost
        rows = np.minimum(rows, end[:, None])
        last = rows[:, -1]
        discounts = np.where(inside, s["discount"] ** np.arange(h), 0)
        follower = d["observations"][np.minimum(last + 1, end)]
        ended = (start + h - 1 >= end) & ((d["terminals"][end] > 0) | (s["timeouts"] == "terminal"))
        return {
            "observations": d["observations"][start],
            "next_observations": np.where((last < end)[:, None], follower, d["next_observations"][last]),
            "actions": (np.clip(d["actions"][rows], -1, 1) * inside[..., None]).reshape(len(start), -1),
            "rewards": (d["rewards"][rows] * discounts).sum(1) * s["reward_scale"],
            "costs": (d["costs"][rows] * discounts).sum(1) * s["cost_scale"],
            "step_costs": d["costs"][rows] * inside * s["cost_scale"],
            "mask": 1.0 - ended,
        }

    def ranges(self):
        """The least and greatest reward and cost of a step. Both ranges include 0, which rows after an end have."""
        return {f"{name}_range": np.array([min(d.min(), 0), max(d.max(), 0)]) * self.s[f"{name}_scale"]
                for name, d in (("reward", self.d["rewards"]), ("cost", self.d["costs"]))}

    def values(self, method, online):
        """V_c at every window's start."""
        parts = np.array_split(self.starts, len(self.starts) // 65536 + 1)
        return np.concatenate([method.value(online, "v_c", self.d["observations"][part]) for part in parts])

    def limit_as_value(self, limit):
        """An episode's cost limit as a discounted value: kappa (1 - gamma^T) / ((1 - gamma) T)."""
        s, steps = self.s, self.longest
        return limit * s["cost_scale"] * (1 - s["discount"] ** steps) / ((1 - s["discount"]) * steps)


def redo(paths, check):
    """Calls check(trace, report) for each trace; prints what differs. Whether anything does."""
    failed = False
    for path in paths:
        try:
            trace = Trace(path)
        except Exception as error:
            sys.exit(f"error: {path}: {error}")
        # The two programs sum the same numbers in different orders. In double precision they differ by about 1e-13
        # after a few layers. In single precision only coarse errors can be found.
        report = Report(1e-3 if trace.single else 1e-9)
        check(trace, report)
        print(f"--- {path}")
        report.table()
        failed |= report.failed
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", nargs="+", metavar="trace", help="one process redoes many sooner than many do")
    parser.add_argument("--data", help="DSRL file that the traces were made from, to rebuild their batches")
    arguments = parser.parse_args()

    def check_with_data(trace, report):
        try:
            data = Data(arguments.data, trace.settings) if arguments.data else None
        except ImportError as missing:
            print(f"skipped: {missing}")
            sys.exit(77)
        check(trace, report, data)

    sys.exit(redo(arguments.traces, check_with_data))


if __name__ == "__main__":
    main()
