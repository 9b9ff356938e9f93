#!/usr/bin/env python3
"""Redoes the gradient steps of traces with the published code (osrl-lib) and compares every weight.

    r2pac trace --data FILE.hdf5 --method cpq --steps 3 --double -o trace.safetensors
    .baselines/bin/python3 python/check_oracle.py trace.safetensors... --data FILE.hdf5

The published classes get the recorded weights, batches and noise, in double precision, and take the same steps by
their own `train_one_step`. Weights that the trace does not have are not compared: without `dead_terms` those of the
auto-encoder, which have no effect on the others. Exit status: 0 all equal, 1 a difference, 77 a package is missing.
"""

import argparse
import sys
import tomllib
from collections import deque

try:
    import h5py
    import numpy as np
    import torch
    from osrl.algorithms import BC, CPQ, BCTrainer, COptiDICE, COptiDICETrainer, CPQTrainer
    from safetensors import safe_open
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

# The two programs sum the same numbers in different orders. In double precision they differ by about 1e-13.
TOLERANCE = 1e-9


class Trace:
    def __init__(self, path):
        self.file = safe_open(path, framework="np")
        metadata = self.file.metadata()
        self.method, self.steps = metadata["method"], int(metadata["steps"])
        self.settings = tomllib.loads(metadata["settings"])
        self.names = set(self.file.keys())
        if any(self.file.get_slice(name).get_dtype() == "F32" for name in self.names):
            sys.exit(f"error: {path}: this trace is in single precision; make it with --double")

    def __getitem__(self, name):
        return torch.from_numpy(np.array(self.file.get_tensor(name)))

    def matrix(self, name):
        x = self[name]
        return x.reshape(len(x), -1)


class Noise:
    """Gives recorded noise, in the order of the draws, to whatever draws normal numbers."""

    def __init__(self):
        self.drawn = deque()
        torch.distributions.normal._standard_normal = lambda shape, **_: self.next(shape)
        torch.normal = lambda mean, std: mean + std * self.next(mean.shape)
        torch.randn_like = lambda x: self.next(x.shape)

    def next(self, shape):
        noise = self.drawn.popleft()
        return torch.zeros(shape, dtype=torch.float64) if noise is None else noise.reshape(shape)


def layers(linears, network, member=None):
    """(name of the weights, tensor, how it is written there) of the dense layers of one of our networks."""
    for i, linear in enumerate(linears):
        yield f"{network}.{i}.weight", member, linear.weight
        yield f"{network}.{i}.bias", member, linear.bias


def linears(sequence):
    return [layer for layer in sequence if isinstance(layer, torch.nn.Linear)]


def ensemble(critic, network):
    for k, net in enumerate(critic.q_nets):
        yield from layers(linears(net), network, k)


def squashed_gaussian(actor):
    yield from layers(linears(actor.net), "trunk")
    yield from layers([actor.mu_layer], "mean")
    yield from layers([actor.log_std_layer], "log_deviation")


class Baseline:
    """A published method beside a trace: `online` and `target` list where our weights stand in it."""

    def target(self):
        return ()

    def numbers(self):
        """Learned numbers beside the weights: name in the trace, value."""
        return {}

    def copy_in(self, trace, prefix):
        for part, entries in (("online", self.online()), ("target", self.target())):
            for name, member, parameter in entries:
                if f"{prefix}{part}/{name}" in trace.names:
                    parameter.data.copy_(shaped(trace[f"{prefix}{part}/{name}"], member, parameter))

    def compare(self, trace, prefix, found):
        """The greatest difference of a weight, and which it is; `found` collects the names that were compared."""
        worst = (0.0, "")
        for part, entries in (("online", self.online()), ("target", self.target())):
            for name, member, parameter in entries:
                key = f"{prefix}after/{part}/{name}"
                if key not in trace.names:
                    continue
                found.add(key)
                difference = (shaped(trace[key], member, parameter) - parameter.data).abs().max().item()
                worst = max(worst, (difference if difference == difference else float("inf"), key))
        for name, value in self.numbers().items():
            if prefix + name in trace.names:
                worst = max(worst, (abs(trace[prefix + name].item() - value), prefix + name))
        return worst


def shaped(ours, member, parameter):
    """Our tensor [in, out] or [out], of one member of an ensemble, as PyTorch holds it."""
    if member is not None:
        ours = ours[member]
    return ours.reshape(-1, parameter.shape[0]).T if parameter.dim() == 2 else ours.reshape(parameter.shape)


class PublishedBC(Baseline):
    def __init__(self, settings, observation, action, data):
        self.model = BC(observation, action, 1.0, settings["hidden"])
        self.trainer = BCTrainer(self.model, None, actor_lr=settings["learning_rate"])

    def online(self):
        return layers(linears(self.model.actor.pi), "mean")

    def step(self, trace, prefix, noise):
        self.trainer.train_one_step(trace.matrix(prefix + "observations"), trace.matrix(prefix + "actions"))


class PublishedCPQ(Baseline):
    def __init__(self, settings, observation, action, data):
        rate = settings["learning_rate"]
        width, *others = settings["vae_hidden"]
        assert others == [width], "the published auto-encoder has two layers of one width"
        self.model = CPQ(observation, action, 1.0, settings["hidden"], settings["hidden"], width, 10,
                         settings["discount"], settings["polyak"], 0.5, 2, 2, 1.5,
                         settings["cost_limit"] * settings["cost_scale"], data.longest)
        self.trainer = CPQTrainer(self.model, None, actor_lr=0.1 * rate, critic_lr=rate, alpha_lr=1e-4, vae_lr=rate)

    def online(self):
        model, vae = self.model, self.model.vae
        yield from ensemble(model.critic, "q_r")
        yield from ensemble(model.cost_critic, "q_c")
        yield from squashed_gaussian(model.actor)
        yield from layers([vae.e1, vae.e2], "encoder")
        yield from layers([vae.mean], "latent_mean")
        yield from layers([vae.log_std], "latent_log_deviation")
        yield from layers([vae.d1, vae.d2, vae.d3], "decoder")

    def target(self):
        yield from ensemble(self.model.critic_old, "q_r")
        yield from ensemble(self.model.cost_critic_old, "q_c")

    def numbers(self):
        return {"log_multiplier": self.model.log_alpha.item(), "limit_value": self.model.q_thres}

    def step(self, trace, prefix, noise):
        def recorded(name):
            return trace.matrix(f"{prefix}noise_{name}") if f"{prefix}noise_{name}" in trace.names else None

        far = [recorded(f"far.{k}") for k in range(10)]
        noise.drawn.extend([
            recorded("latent"), recorded("next_reward"), recorded("next_cost"),
            None,  # the sample of a forward pass that only wants the distribution
            None if far[0] is None else torch.stack(far),
            None,  # a code that is decoded for nobody
            recorded("own_action")])
        self.trainer.train_one_step(
            trace.matrix(prefix + "observations"), trace.matrix(prefix + "next_observations"),
            trace.matrix(prefix + "actions"), trace[prefix + "rewards"].flatten(), trace[prefix + "costs"].flatten(),
            1 - trace[prefix + "mask"].flatten())
        assert not noise.drawn, "some recorded noise was not used"


class PublishedCOptiDICE(Baseline):
    def __init__(self, settings, observation, action, data):
        rate = settings["learning_rate"]
        self.model = COptiDICE(observation, action, 1.0, "softchi", data.initial_share, data.observation_deviation,
                               data.action_deviation, settings["hidden"], settings["hidden"], settings["discount"],
                               0.5, 0.01, 2, 2, settings["cost_limit"] * settings["cost_scale"], data.longest)
        self.trainer = COptiDICETrainer(self.model, None, actor_lr=rate, critic_lr=rate, scalar_lr=rate)

    def online(self):
        yield from ensemble(self.model.nu_network, "nu")
        yield from ensemble(self.model.chi_network, "chi")
        yield from squashed_gaussian(self.model.actor)
        yield "cost_multiplier", None, self.model.lmbda
        yield "bound_temperature", None, self.model.tau

    def step(self, trace, prefix, noise):
        noise.drawn.extend([trace.matrix(prefix + "noise_observations"), trace.matrix(prefix + "noise_actions"),
                            None])  # the sample of a forward pass that only wants the distribution
        self.trainer.train_one_step([
            *(trace.matrix(prefix + name) for name in ("observations", "next_observations", "actions")),
            trace[prefix + "rewards"].flatten(), trace[prefix + "costs"].flatten(),
            1 - trace[prefix + "mask"].flatten(), trace[prefix + "initial"].flatten()])
        assert not noise.drawn, "some recorded noise was not used"


METHODS = {"bc": PublishedBC, "bc-safe": PublishedBC, "cpq": PublishedCPQ, "coptidice": PublishedCOptiDICE}


class Data:
    """What the published programs know of the whole data set."""

    def __init__(self, path):
        with h5py.File(path) as file:
            ends = np.flatnonzero((file["terminals"][:] > 0) | (file["timeouts"][:] > 0))
            self.longest = int(np.diff(ends, prepend=-1).max())
            self.initial_share = len(ends) / len(file["rewards"])
            self.observation_deviation, self.action_deviation = (
                np.std(np.asarray(file[name], dtype=np.float64), axis=0) for name in ("observations", "actions"))


def check(path, noise, data):
    trace = Trace(path)
    if trace.method not in METHODS:
        sys.exit(f"error: {path}: its method is {trace.method}; the published code has {', '.join(METHODS)}")
    observation, action = (trace.matrix(f"step.0/{name}").shape[1] for name in ("observations", "actions"))
    baseline = METHODS[trace.method](trace.settings, observation, action, data)
    baseline.copy_in(trace, "initial/")
    worst, found = (0.0, ""), set()
    for i in range(trace.steps):
        baseline.step(trace, f"step.{i}/", noise)
        worst = max(worst, baseline.compare(trace, f"step.{i}/", found))
    missing = {name for name in trace.names if "/after/" in name} - found
    failed = worst[0] > TOLERANCE or bool(missing) or not found
    print(f"{path}: {len(found)} tensors of {trace.steps} steps, greatest difference {worst[0]:.1e} ({worst[1]})")
    for name in sorted(missing):
        print(f"  {name} is not in the published code")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", nargs="+", metavar="trace")
    parser.add_argument("--data", required=True, help="DSRL file that the traces were made from")
    arguments = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    noise, data = Noise(), Data(arguments.data)
    results = [check(path, noise, data) for path in arguments.traces]
    sys.exit(1 if any(results) else 0)


if __name__ == "__main__":
    main()
