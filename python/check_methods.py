#!/usr/bin/env python3
"""Redoes the gradient steps of traces of published methods in JAX and compares every number.

    r2pac trace --data FILE.hdf5 --method cpq --set form=consistent --steps 3 --double -o trace.safetensors
    python check_methods.py trace.safetensors... --data FILE.hdf5

This is a second implementation of these methods, in all forms (docs/methods.md), in double precision. It takes the
recorded weights, batches and noise; from them it computes losses, gradients (by jax.grad), updated weights and
learned numbers. check_oracle.py compares the published forms with the published code.
Exit status: 0 all equal, 1 a difference, 77 a package is missing.
"""

import argparse
import sys
from typing import Callable, NamedTuple

try:
    import jax
    import jax.numpy as jnp
    import numpy as np

    from check_trace import Data
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

import check_trace


class Part(NamedTuple):
    """Networks that move together, and the losses by name that they lower: loss(parameters, everything else)."""

    nets: tuple
    losses: Callable
    rate: float = 1.0
    cosine: float = 0.0  # updates over which the rate falls to zero by half a cosine; 0: it stays
    polyak: float = 0.0  # of the followers; 0: as the settings say
    update: tuple = (0, 1)  # which of a step's updates of these networks it is, and how many there are
    clip: float = 0.0  # greatest norm of the gradient of them all; 0: any


def relu(x):
    return jnp.maximum(x, 0)


def mish(x):
    return x * jnp.tanh(jax.nn.softplus(x))


def perceptron(p, net, x, member=None, activation=relu):
    i = 0
    while f"{net}.{i}.weight" in p:
        weight, bias = (p[f"{net}.{i}.{part}"] for part in ("weight", "bias"))
        if member is not None:
            weight, bias = weight[member], bias[member]
        x = x @ weight.reshape(x.shape[1], -1) + bias
        i += 1
        if f"{net}.{i}.weight" in p:
            x = activation(x)
    return x


def twins(p, net, *parts):
    """[2, B], or [1, B] of a critic that stands alone"""
    x = jnp.concatenate(parts, axis=1)
    weight = p[f"{net}.0.weight"]
    members = range(weight.shape[0]) if weight.ndim == 3 else [None]
    return jnp.stack([perceptron(p, net, x, member)[:, 0] for member in members])


def heads(p, names, x):
    features = jnp.maximum(perceptron(p, names[0], x), 0)
    return [perceptron(p, name, features) for name in names[1:]]


ACTOR, ENCODER = ("trunk", "mean", "log_deviation"), ("encoder", "latent_mean", "latent_log_deviation")


class BC:
    def __init__(self, settings, data):
        pass

    def parts(self, b, s):
        def losses(p, _):
            action = jnp.tanh(perceptron(p, "mean", b["observations"]))
            return {"actor": ((action - b["actions"]) ** 2).mean()}

        return [Part(("mean",), losses)]

    def numbers(self, b, before):
        return {}


class CPQ:
    def __init__(self, settings, data):
        self.s, self.limit = settings, data.limit_as_value(settings["cost_limit"])
        self.consistent = settings["form"] == "consistent"
        self.penalizes = self.consistent or settings["dead_terms"]
        self.far = None

    def sampled(self, p, states, noise):
        mean, log = heads(p, ACTOR, states)
        return mean + jnp.exp(jnp.clip(log, -20, 2)) * noise

    def divergences(self, p, pairs):
        mean, log = heads(p, ENCODER, pairs)
        log = jnp.clip(log, -4, 15)
        return mean, log, -0.5 * (1 + 2 * log - mean**2 - jnp.exp(2 * log))

    def parts(self, b, s):
        before, gamma = s["numbers"], self.s["discount"]

        def auto_encoder(p, _):
            mean, log, divergence = self.divergences(p, jnp.hstack([b["observations"], b["actions"]]))
            code = mean + jnp.exp(log) * b["noise_latent"]
            action = jnp.tanh(perceptron(p, "decoder", jnp.hstack([b["observations"], code])))
            return {"reconstruction": ((action - b["actions"]) ** 2).mean(), "divergence": 0.5 * divergence.mean()}

        def next_pairs(now, noise):
            return b["next_observations"], jnp.tanh(self.sampled(now["online"], b["next_observations"], noise))

        def reward(p, now):
            pairs = next_pairs(now, b["noise_next_reward"])
            within = twins(now["target"], "q_c", *pairs).min(0) <= self.limit
            target = b["rewards"] + gamma * b["mask"] * within * twins(now["target"], "q_r", *pairs).min(0)
            q = twins(p, "q_r", b["observations"], b["actions"])
            return {"q_r": ((q - target) ** 2).mean(1).sum()}

        def cost_of_far(p, now):
            costs, distances = [], []
            for k in range(10):
                action = self.sampled(now["online"], b["observations"], b[f"noise_far.{k}"])
                action = jnp.tanh(action) if self.consistent else action
                pairs = b["observations"], action
                distances.append(self.divergences(now["online"], jnp.hstack(pairs))[2].mean(1))
                costs.append(twins(p if self.consistent else now["target"], "q_c", *pairs).min(0))
            far = jnp.stack(distances) >= jnp.quantile(jnp.stack(distances), 0.75)
            return (far * jnp.stack(costs)).mean()

        def cost(p, now):
            mask = b["mask"] if self.consistent else 1.0
            target = b["costs"] + gamma * mask * twins(now["target"], "q_c", *next_pairs(now, b["noise_next_cost"])).min(0)
            q = twins(p, "q_c", b["observations"], b["actions"])
            out = {"q_c": ((q - target) ** 2).mean(1).sum()}
            if self.penalizes:
                far = cost_of_far(p, now)
                self.far = jax.lax.stop_gradient(far)
                out["far"] = -np.exp(before["log_multiplier"]) * far
            return out

        def actor(p, now):
            pairs = b["observations"], jnp.tanh(self.sampled(p, b["observations"], b["noise_own_action"]))
            within = jax.lax.stop_gradient(twins(now["online"], "q_c", *pairs).min(0) <= self.limit)
            return {"actor": -(within * twins(now["online"], "q_r", *pairs).min(0)).mean()}

        parts = [Part((*ENCODER, "decoder"), auto_encoder)] if self.penalizes else []
        return [*parts, Part(("q_r",), reward), Part(("q_c",), cost), Part(ACTOR, actor, 0.1)]

    def numbers(self, b, before):
        out = {"limit_value": self.limit}
        if self.penalizes:
            log = before["log_multiplier"]
            out["log_multiplier"] = np.clip(log + 1e-4 * np.exp(log) * (1.5 * self.limit - float(self.far)), -5, 5)
        return out


class COptiDICE:
    def __init__(self, settings, data):
        self.s, rows = settings, np.isin(np.arange(len(data.end_of)), data.starts)
        first = np.append(True, data.end_of[1:] != data.end_of[:-1])
        self.initial_share = (first & rows).sum() / rows.sum()
        self.deviation = {name: data.d[name][rows].std(0) for name in ("observations", "actions")}
        self.consistent = settings["form"] == "consistent"
        self.limit = data.limit_as_value(settings["cost_limit"])
        self.limit *= 1 - settings["discount"] if self.consistent else 1

    def parts(self, b, s):
        gamma, alpha, stop = self.s["discount"], 0.5, jax.lax.stop_gradient
        first = (1 - gamma) * b["initial"] / self.initial_share
        before = s["online"]
        multiplier = jax.nn.softplus(before["cost_multiplier"])

        def error_of(p):
            nu, after = (twins(p, "nu", b[name]).min(0) for name in ("observations", "next_observations"))
            return nu, b["rewards"] - multiplier * b["costs"] + gamma * b["mask"] * after - nu

        def ratio_of(error):
            x = error / alpha
            return jnp.where(x < 0, jnp.exp(jnp.minimum(x, 0)), x + 1)

        def ratios(p, _):
            nu, error = error_of(p)
            w = ratio_of(error)
            divergence = jnp.where(w < 1, w * (jnp.log(w + 1e-10) - 1) + 1, 0.5 * (w - 1) ** 2)
            out = {"nu": (first * nu + w * error - alpha * divergence).mean()}
            w = stop(w)
            chi, after = (twins(p, "chi", b[name]).min(0) for name in ("observations", "next_observations"))
            level = first * chi + w * (b["costs"] + gamma * b["mask"] * after - chi)
            weight = jax.nn.softmax(level / jax.nn.softplus(before["bound_temperature"])) * len(w)
            out["chi"] = (weight * level).mean()
            weight = stop(weight)
            divergence = (weight * jnp.log(weight) - weight + 1).mean()
            temperature, price = (jax.nn.softplus(p[name])[0] for name in ("bound_temperature", "cost_multiplier"))
            out |= {"bound_temperature_goal": 0.01 * temperature, "bound_temperature": -temperature * divergence}
            out |= {"cost_multiplier_goal": self.limit * price,
                    "cost_multiplier": -price * (weight * w * b["costs"]).mean()}
            return out

        def actor(p, now):
            states, actions = (b[name] + 0.1 * self.deviation[name] * b["noise_" + name]
                               for name in ("observations", "actions"))
            if self.consistent:
                actions = np.arctanh(np.clip(actions, -(1 - 1e-6), 1 - 1e-6))
            w = stop(ratio_of(error_of(now["online"])[1]))
            mean, log = heads(p, ACTOR, states)
            log = jnp.clip(log, -20, 2)
            density = -0.5 * ((actions - mean) / jnp.exp(log)) ** 2 - log - 0.5 * np.log(2 * np.pi)
            return {"actor": -(w * density.sum(1)).mean()}

        return [Part(("nu", "chi", "cost_multiplier", "bound_temperature"), ratios), Part(ACTOR, actor)]

    def numbers(self, b, before):
        return {}


class CAPS:
    """As the published code has it: costs count as rewards below zero, and both signals are learned alike."""

    def __init__(self, settings, data):
        self.s = settings
        self.known = {"threshold": data.limit_as_value(settings["cost_limit"]), "episode_steps": data.longest}
        cost_expectile = settings["cost_expectile"]
        self.expectile = {"r": settings["expectile"],
                          "c": settings["expectile"] if cost_expectile == "auto" else cost_expectile}

    def parts(self, b, s):
        before, follower = s["online"], dict(s["target"])
        sign, earned = {"r": 1, "c": -1}, {"r": b["rewards"], "c": -b["costs"]}
        pairs = b["observations"], b["actions"]
        heads = self.s["heads"]

        def value(p, signal, states):
            return sign[signal] * perceptron(p, "v_" + signal, b[states])[:, 0]

        def advantage(p, signal):
            return (sign[signal] * twins(follower, "q_" + signal, *pairs)).min(0) - value(p, signal, "observations")

        def critics(p, _):
            out = {}
            for signal, tau in self.expectile.items():
                target = earned[signal] + self.s["discount"] * b["mask"] * value(before, signal, "next_observations")
                q = sign[signal] * twins(p, "q_" + signal, *pairs)
                out["q_" + signal] = ((q - target) ** 2).mean()
                advantages = advantage(p, signal)
                out["v_" + signal] = (jnp.where(advantages > 0, tau, 1 - tau) * advantages**2).mean()
            return out

        def actor(p, _):
            earns, saves = (jnp.minimum(jnp.exp(self.s["advantage_temperature"] * advantage(before, signal)),
                                        self.s["weight_cap"]) for signal in "rc")
            features = relu(perceptron(p, "trunk", b["observations"]))
            out = {}
            for k in range(heads):
                weight = earns if k == 0 else saves if k == heads - 1 else earns + k / ((heads - 1) / 2) * saves
                error = b["actions"] - jnp.tanh(perceptron(p, "mean", features, k))
                density = (-0.5 * error**2 - 0.5 * np.log(2 * np.pi)).sum(1)
                out[f"head.{k}"] = -(weight * density).mean() / heads
            return out

        return [Part(("q_r", "q_c", "v_r", "v_c"), critics), Part(("trunk", "mean"), actor, cosine=1e6)]

    def numbers(self, b, before):
        return self.known


class BCRL:
    """Budgets are absolute here: the networks see how far a budget is above what a state or an action costs."""

    def __init__(self, settings, data):
        self.s = settings
        self.greatest = data.ranges()["cost_range"][1] / (1 - settings["discount"])
        self.known = {"threshold": data.limit_as_value(settings["cost_limit"]), "episode_steps": data.longest,
                      "greatest_budget": self.greatest}

    def value(self, p, net, *parts):
        x, i = jnp.hstack(parts), 0
        while f"{net}.{i + 1}.weight" in p:
            x = x @ p[f"{net}.{i}.weight"].reshape(x.shape[1], -1) + p[f"{net}.{i}.bias"]
            if self.s["layer_norm"]:
                centred = x - x.mean(1, keepdims=True)
                x = centred / jnp.sqrt((centred**2).mean(1, keepdims=True) + 1e-6)
                x = x * p[f"{net}.{i}.norm.gain"].ravel() + p[f"{net}.{i}.norm.bias"].ravel()
            x, i = relu(x), i + 1
        return x @ p[f"{net}.{i}.weight"].ravel() + p[f"{net}.{i}.bias"]

    def parts(self, b, s):
        states, after = b["observations"], b["next_observations"]
        actions = np.clip(b["actions"], -0.99999, 0.99999)
        gamma, beta, cap = (self.s[name] for name in ("discount", "advantage_temperature", "weight_cap"))
        taus = [self.s["expectile"] if self.s[name] == "auto" else self.s[name]
                for name in ("expectile", "cost_expectile")]

        def costs(now):
            return twins(now["target"], "q_c", states, actions).max(0), self.value(now["online"], "v_c", states)

        def surpluses(now, drawn):
            of_action, of_state = costs(now)
            budget = drawn + jnp.maximum(of_action, of_state)
            return (budget - of_action)[:, None], (budget - of_state)[:, None]

        def cost_value(p, now):
            over = costs(now)[0] - self.value(p, "v_c", states)
            return {"v_c": (jnp.where(over < 0, taus[1], 1 - taus[1]) * over**2).mean()}

        def cost_critic(p, now):
            target = b["costs"] + gamma * b["mask"] * self.value(now["online"], "v_c", after)
            return {"q_c": ((twins(p, "q_c", states, actions) - target) ** 2).mean()}

        def value(p, now):
            of_action, of_state = surpluses(now, b["value_surplus"])
            over = twins(now["target"], "q_r", states, of_action, actions).min(0) - self.value(p, "v_r", states, of_state)
            return {"v_r": (jnp.where(over > 0, taus[0], 1 - taus[0]) * over**2).mean()}

        def critic(p, now):
            later = b["next_surplus"][:, None]
            target = b["rewards"] + gamma * b["mask"] * self.value(now["online"], "v_r", after, later)
            return {"q_r": ((twins(p, "q_r", states, gamma * later, actions) - target) ** 2).mean()}

        def density(p, names, seen):
            features = relu(perceptron(p, names[0], seen)) * b["dropout"].reshape(len(seen), -1)
            mean, log = jnp.tanh(perceptron(p, names[1], features)), jnp.clip(perceptron(p, names[2], features), -20, 2)
            return (-0.5 * ((actions - mean) / jnp.exp(log)) ** 2 - log - 0.5 * np.log(2 * np.pi)).sum(1)

        def weight(advantage):
            return jax.lax.stop_gradient(jnp.minimum(jnp.exp(beta * advantage), cap))

        def actors(p, now):
            of_action, of_state = surpluses(now, b["actor_surplus"])
            seen = jnp.hstack([states, jnp.clip(of_state, 0, self.greatest)])
            q, v = twins(now["online"], "q_r", states, of_action, actions).min(0), self.value(now["online"], "v_r", seen)
            q_c, v_c = costs(now)
            return {"mean": -(weight(q - v) * density(p, ACTOR, seen)).mean(),
                    "safe_mean": -(weight(v_c - q_c) * density(p, self.SAFE, states)).mean()}

        learns = [Part((name,), losses, clip=10.0)
                  for name, losses in (("v_c", cost_value), ("q_c", cost_critic), ("v_r", value), ("q_r", critic))]
        decays = self.s["rate_decay"] == "cosine"
        return [*learns, Part((*ACTOR, *self.SAFE), actors, cosine=self.s["steps"] if decays else 0.0)]

    SAFE = ("safe_trunk", "safe_mean", "safe_log_deviation")

    def numbers(self, b, before):
        for name in ("value_surplus", "next_surplus", "actor_surplus"):  # within what is drawn, and not all alike
            assert (b[name] > 0).all() and (b[name] < self.greatest).all() and b[name].std() > 0.2 * self.greatest
        return self.known


class FISOR:
    def __init__(self, settings, data):
        self.s, self.data = settings, data
        steps = 5
        i = np.arange(1, steps + 1)
        self.alpha_hat = np.cumprod(np.exp(-0.1 / steps - 0.5 * (10 - 0.1) * (2 * i - 1) / steps**2))
        width = settings["actor_hidden"] or settings["hidden"]
        self.blocks = [f"block_{k}" for k in range(len(width))]

    def rows(self, b, first, count):
        rows = self.data.batch(b["windows"][first:first + count])
        rows["actions"] = np.clip(rows["actions"], -(1 - 1e-5), 1 - 1e-5)
        return rows, (rows["observations"], rows["actions"])

    def believed(self, now, rows, pairs):
        """The least Q_r and the greatest Q_h of the followers, V_r and V_h."""
        v = [perceptron(now["online"], name, rows["observations"])[:, 0] for name in ("v_r", "v_c")]
        return twins(now["target"], "q_r", *pairs).min(0), twins(now["target"], "q_c", *pairs).max(0), *v

    def noise_in(self, p, x, states, time, dropouts):
        turns = 2 * np.pi * time[:, None] * p["frequencies"].reshape(1, -1)
        embedded = perceptron(p, "time", jnp.hstack([jnp.cos(turns), jnp.sin(turns)]), activation=mish)
        x = perceptron(p, "entrance", jnp.hstack([x, states, embedded]))
        for name, dropout in zip(self.blocks, dropouts, strict=True):
            y = x * dropout
            y = (y - y.mean(1, keepdims=True)) / jnp.sqrt(y.var(1, keepdims=True) + 1e-6)
            y = y * p[name + ".norm.gain"].ravel() + p[name + ".norm.bias"].ravel()
            x = x + perceptron(p, name, y, activation=mish)
        return perceptron(p, "exit", mish(x))

    def parts(self, b, s):
        half, gamma = self.s["batch"] // 2, self.s["discount"]
        critic_rows, critic_pairs = self.rows(b, 0, min(256, self.s["batch"]))

        def actor(k):
            rows, pairs = self.rows(b, k * half, half)
            noise, time = b[f"noise.{k}"].reshape(half, -1), b[f"time.{k}"].ravel()
            dropouts = [b[f"dropout.{k}.{i}"].reshape(half, -1) for i in range(len(self.blocks))]

            def losses(p, now):
                q_r, q_h, v_r, v_h = self.believed(now, rows, pairs)
                unsafe = jnp.minimum(jnp.exp(5 * (v_h - q_h)), 150)
                earns = jnp.minimum(jnp.exp(self.s["advantage_temperature"] * (q_r - v_r)), self.s["weight_cap"])
                weight = jnp.where(v_h > 0, unsafe, jnp.where(q_h <= 0, earns, 0))
                remains = self.alpha_hat[time.astype(int)][:, None]
                x = np.sqrt(remains) * rows["actions"] + np.sqrt(1 - remains) * noise
                error = noise - self.noise_in(p, x, rows["observations"], time, dropouts)
                return {f"actor.{k}": (weight * (error**2).sum(1)).mean()}

            return Part(("time", "frequencies", "entrance", *self.blocks, "exit"), losses, cosine=3e6, polyak=0.001,
                        update=(k, 2))

        def values(p, now):
            q_r, q_h, _, _ = self.believed(now, critic_rows, critic_pairs)
            over = q_r - perceptron(p, "v_r", critic_rows["observations"])[:, 0]
            below = q_h - perceptron(p, "v_c", critic_rows["observations"])[:, 0]
            tau = self.s["expectile"]
            return {"v_r": (jnp.where(over > 0, tau, 1 - tau) * over**2).mean(),
                    "v_c": (jnp.where(below < 0, tau, 1 - tau) * below**2).mean()}

        def critics(p, now):
            r = critic_rows
            v_r, v_h = (perceptron(now["online"], name, r["next_observations"])[:, 0] for name in ("v_r", "v_c"))
            h = np.where(r["costs"] > 0, self.s["feasibility_scale"], -1.0)
            goes_on = (1 - gamma) * h + gamma * jnp.maximum(h, v_h)
            targets = {"q_r": r["rewards"] + gamma * r["mask"] * v_r, "q_c": jnp.where(r["mask"] > 0, goes_on, h)}
            return {name: ((twins(p, name, *critic_pairs) - jax.lax.stop_gradient(target)) ** 2).mean()
                    for name, target in targets.items()}

        return [actor(0), actor(1), Part(("v_r", "v_c"), values), Part(("q_r", "q_c"), critics)]

    def numbers(self, b, before):
        return {"threshold": 0.0}


METHODS = {"bc": BC, "bc-safe": BC, "cpq": CPQ, "coptidice": COptiDICE, "caps": CAPS, "fisor": FISOR,
           "bcrl": BCRL}
MATRICES = ("observations", "actions", "next_observations", "mean")


def adam(settings, part, value, gradient, moments, step):
    b1, b2 = settings["adam_beta1"], settings["adam_beta2"]
    m, v = moments
    index, per_step = part.update
    step = step * per_step + index + 1
    m, v = b1 * m + (1 - b1) * gradient, b2 * v + (1 - b2) * gradient * gradient
    rate = part.rate * settings["learning_rate"] / (1 - b1**step)
    if part.cosine:
        rate *= (1 + np.cos(np.pi * (step - 1) / part.cosine)) / 2
    return value - rate * m / (np.sqrt(v) / np.sqrt(1 - b2**step) + settings["adam_epsilon"]), (m, v)


def check(trace, report, path):
    settings, data = trace.settings, Data(path, trace.settings)
    method = METHODS[trace.metadata["method"]](settings, data)
    state = {part: trace.group(f"initial/{part}/") for part in ("online", "target")}
    state["numbers"] = {"log_multiplier": 0.0}
    moments = {name: (0.0, 0.0) for name in state["online"]}
    for i in range(int(trace.metadata["steps"])):
        at = f"step.{i}/"
        b = trace.group(at)
        for name in b:
            if name in MATRICES or name.startswith("noise_"):
                b[name] = b[name].reshape(len(b[name]), -1)
        for name, value in data.batch(trace.file.get_tensor(at + "windows")).items():
            if name in b:
                report.compare("batch", at + name, value, b[name])
        before, losses, moved = dict(state["numbers"]), {}, set()
        for part in method.parts(b, {**state, "online": dict(state["online"])}):
            names = [name for name in state["online"] if name.split(".")[0] in part.nets]
            learned = {name: state["online"][name] for name in names}

            def total(p):
                return sum(part.losses({**state["online"], **p}, state).values())

            losses |= part.losses(state["online"], state)
            gradients = {name: np.asarray(gradient) for name, gradient in jax.grad(total)(learned).items()}
            norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients.values()))
            shorter = part.clip / norm if 0 < part.clip < norm else 1.0
            for name, gradient in gradients.items():
                if part.update[0] + 1 == part.update[1]:  # the trace has those of the last one
                    report.compare("gradient", at + "gradient/" + name, gradient, b["gradient/" + name])
                state["online"][name], moments[name] = adam(settings, part, state["online"][name],
                                                            shorter * gradient, moments[name], i)
                if name in state["target"]:
                    old = state["target"][name]
                    polyak = part.polyak or settings["polyak"]
                    state["target"][name] = old + polyak * (state["online"][name] - old)
            moved |= set(names)
        if moved != set(state["online"]):
            report.fail(f"{at}: nothing here trains {', '.join(sorted(set(state['online']) - moved))}")
        for name, value in method.numbers(b, before).items():
            report.compare("number", at + name, value, b[name])
            state["numbers"][name] = b[name][0]
        recorded = {name.removeprefix("loss/") for name in b if name.startswith("loss/")}
        if recorded != set(losses):
            report.fail(f"{at}: losses {', '.join(sorted(recorded))}, expected {', '.join(sorted(losses))}")
        for name in recorded & set(losses):
            report.compare("loss", at + "loss/" + name, losses[name], b["loss/" + name][0])
        for part in ("online", "target"):
            for name in state[part]:
                report.compare("weights after", f"{at}after/{part}/{name}", state[part][name], b[f"after/{part}/{name}"])
            # What follows starts from the recorded numbers, so that one error does not show up as several.
            state[part] = trace.group(f"{at}after/{part}/")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", nargs="+", metavar="trace")
    parser.add_argument("--data", required=True, help="DSRL file that the traces were made from")
    arguments = parser.parse_args()
    check_trace.METHODS |= {name: () for name in METHODS}  # which Trace reads
    sys.exit(check_trace.redo(arguments.traces, lambda trace, report: check(trace, report, arguments.data)))


if __name__ == "__main__":
    main()
