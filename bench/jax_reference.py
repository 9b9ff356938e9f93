"""The joint gradient step and the action of R2PAC in JAX on the CPU: the twin of bench/torch_reference.py.

  python bench/jax_reference.py --serve [--precision fp32|bf16] --threads 1

Answers bench/rivals.py (bench/reference.py). Each work is one function that is compiled as a whole; what a step changes
is donated to it. With bf16 the products take operands of that type, and weights, moments and losses stay in single
precision. The same losses as in model/r2pac.cpp, so that the work is the same.
"""

import argparse
import math
import os
from functools import partial

import reference
from reference import BOUND, CANDIDATES, CHUNK, DISCOUNT, EXPECTILE, FLOW_STEPS, GUIDANCE, LABEL, OBSERVATION

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--serve", action="store_true", required=True)
parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
parser.add_argument("--threads", type=int, default=1)

BETAS, EPSILON = (0.9, 0.999), 1e-8  # of Adam


def make_nets(key, nets, inputs, outputs, width):
    """Weights [nets, in, out] and biases [nets, 1, out] of each layer."""
    sizes = [inputs] + [width] * 4 + [outputs]
    layers = []
    for fan_in, fan_out in zip(sizes, sizes[1:]):
        bound = 1 / math.sqrt(fan_in)
        for shape in ((nets, fan_in, fan_out), (nets, 1, fan_out)):
            key, own = jax.random.split(key)
            layers.append(jax.random.uniform(own, shape, minval=-bound, maxval=bound))
    return layers


def forward(layers, x):
    """x [rows, in] -> [nets, rows, out]: one net after another, which on a CPU is no slower than batched products."""
    # Not layer[net], by which each net's gradient would be one of all nets.
    return jnp.stack([forward_one(net, x) for net in zip(*(jnp.unstack(layer) for layer in layers))])


def forward_one(layers, x):
    for i in range(0, len(layers), 2):
        y = product(x, layers[i].astype(x.dtype)) + layers[i + 1]
        x = gelu(y).astype(x.dtype)
    return y


def product(x, weight):
    """In single precision, also of bf16: XLA is fastest so."""
    return jax.lax.dot(x, weight, preferred_element_type=jnp.float32)


def gelu(x):
    """As jax.nn.gelu(x, approximate=False), which takes the slower erfc."""
    return 0.5 * x * (1 + jax.lax.erf(x * math.sqrt(0.5)))


def expectile_loss(difference, expectile):
    return jnp.where(difference > 0, expectile, 1 - expectile) * difference**2


def losses(learned, targets, dtype, s, later, a, reward, cost, mask, noise, flow_time, dropout):
    """`learned`: four critics (two for reward, two for cost), two values, the velocity field and its labels."""
    pair = jnp.concatenate([s, a], 1).astype(dtype)
    target_q = forward(targets, pair)
    least_reward = jnp.minimum(target_q[0], target_q[1])
    most_cost = jnp.maximum(target_q[2], target_q[3])
    frozen = jax.lax.stop_gradient(learned["values"])
    later_reward, later_cost = jnp.clip(forward(frozen, later.astype(dtype)), -BOUND, BOUND)
    v_reward, v_cost = forward(learned["values"], s.astype(dtype))
    now_reward, now_cost = jax.lax.stop_gradient((v_reward, v_cost))
    threshold = jnp.quantile(now_cost, reference.LIMIT_RANK)
    unsafe = (later_cost > threshold) & (mask != 0)
    reward_target = jnp.where(unsafe, reference.UNSAFE_TARGET, reward + DISCOUNT * mask * later_reward)
    cost_target = cost + DISCOUNT * mask * later_cost
    target = jnp.stack([reward_target, reward_target, cost_target, cost_target])
    good = jnp.where(now_cost <= threshold, least_reward >= now_reward, most_cost <= now_cost)
    label = jnp.where(dropout < reference.LABEL_DROPOUT, 0, 1 + good)[:, 0]
    point, direction = noise + flow_time * (a - noise), a - noise
    loss = ((target - forward(learned["critics"], pair)) ** 2).mean(1).sum()
    loss += expectile_loss(least_reward - v_reward, EXPECTILE).mean()
    loss += expectile_loss(v_cost - most_cost, EXPECTILE).mean()
    x = jnp.concatenate([s, learned["labels"][label], point, flow_time], 1)
    return loss + ((forward(learned["velocity"], x.astype(dtype))[0] - direction) ** 2).mean()


class Step:
    """One joint gradient step with Adam and Polyak."""

    def __init__(self, batch, width, dtype):
        keys = jax.random.split(jax.random.key(0), 6)
        learned = {
            "critics": make_nets(keys[0], 4, OBSERVATION + CHUNK, 1, width),
            "values": make_nets(keys[1], 2, OBSERVATION, 1, width),
            "velocity": make_nets(keys[2], 1, OBSERVATION + LABEL + CHUNK + 1, CHUNK, width),
            "labels": jax.random.normal(keys[3], (3, LABEL)),
        }
        data = jax.random.uniform(keys[4], (reference.ROWS, 2 * OBSERVATION + CHUNK + 3), minval=-1, maxval=1)
        self.data = data.at[:, -1].set(1)
        self.state = {
            "learned": learned,
            "targets": jax.tree.map(jnp.copy, learned["critics"]),
            "moments": [jax.tree.map(jnp.zeros_like, learned) for _ in BETAS],
            "step": jnp.zeros((), jnp.int32),
            "key": keys[5],
        }
        self.step = jax.jit(partial(self.stepped, batch=batch, dtype=dtype), donate_argnums=0)

    @staticmethod
    def draw(data, key, batch):
        """A batch, and the noise, the time and the number for the label's dropout of each of its rows."""
        of_rows, of_noise, of_time = jax.random.split(key, 3)
        rows = data[jax.random.randint(of_rows, (batch,), 0, data.shape[0])]
        ends = [OBSERVATION, 2 * OBSERVATION, 2 * OBSERVATION + CHUNK]
        parts = jnp.split(rows, [*ends, ends[-1] + 1, ends[-1] + 2], axis=1)
        return *parts, jax.random.normal(of_noise, (batch, CHUNK)), *jax.random.uniform(of_time, (2, batch, 1))

    @staticmethod
    def stepped(state, data, batch, dtype):
        key, own = jax.random.split(state["key"])
        return Step.learn(state, dtype, *Step.draw(data, own, batch)) | {"key": key}

    @staticmethod
    def learn(state, dtype, *drawn):
        learned, step = state["learned"], state["step"] + 1
        gradient = jax.grad(losses)(learned, state["targets"], dtype, *drawn)
        first, second = (
            jax.tree.map(lambda m, g, beta=beta, power=power: beta * m + (1 - beta) * g**power, moment, gradient)
            for moment, beta, power in zip(state["moments"], BETAS, (1, 2)))
        rate = reference.RATE / (1 - BETAS[0] ** step)
        spread = 1 / (1 - BETAS[1] ** step)
        learned = jax.tree.map(
            lambda w, m, v: w - rate * m / (jnp.sqrt(v * spread) + EPSILON), learned, first, second)
        targets = jax.tree.map(
            lambda slow, fast: slow + reference.POLYAK * (fast - slow), state["targets"], learned["critics"])
        return {"learned": learned, "targets": targets, "moments": [first, second], "step": step}

    def __call__(self):
        self.state = jax.block_until_ready(self.step(self.state, self.data))


class Action:
    """32 guided Euler steps of 16 candidates for each observation; the one of least cost is taken."""

    def __init__(self, observations, width, dtype):
        keys = jax.random.split(jax.random.key(0), 5)
        velocity = make_nets(keys[0], 1, OBSERVATION + LABEL + CHUNK + 1, CHUNK, width)
        critics = make_nets(keys[1], 2, OBSERVATION + CHUNK, 1, width)
        nets = jax.tree.map(lambda weight: weight.astype(dtype), [velocity, critics])
        labels = jax.random.normal(keys[2], (3, LABEL))
        self.s = jax.random.uniform(keys[3], (observations, OBSERVATION))
        self.key = keys[4]
        self.sample = jax.jit(partial(self.sampled, nets, labels, dtype))  # compiled for these weights

    @staticmethod
    def sampled(nets, labels, dtype, s, key):
        velocity, critics = nets
        key, own = jax.random.split(key)
        s = jnp.repeat(s, CANDIDATES, 0)
        count = s.shape[0]
        # What of the first layer does not change over the steps is computed once.
        both = jnp.concatenate([s, s]).astype(dtype)
        label = jnp.repeat(labels[jnp.array([2, 0])], count, 0).astype(dtype)
        weight, hidden = velocity[0][0], [layer[0] for layer in velocity[2:]]
        constant = product(jnp.concatenate([both, label], 1), weight[: OBSERVATION + LABEL]) + velocity[1][0]
        of_chunk, of_time = weight[OBSERVATION + LABEL : -1], weight[-1]

        def euler(step, chunk):
            x = constant + product(jnp.tile(chunk.astype(dtype), (2, 1)), of_chunk) + (step / FLOW_STEPS) * of_time
            good, null = jnp.split(forward_one(hidden, gelu(x).astype(dtype)), 2)
            return chunk + (null + GUIDANCE * (good - null)) / FLOW_STEPS

        chunk = jax.lax.fori_loop(0, FLOW_STEPS, euler, jax.random.normal(own, (count, CHUNK)))
        chunk = jnp.clip(chunk, -1, 1)
        cost = forward(critics, jnp.concatenate([s, chunk], 1).astype(dtype)).max(0)
        best = cost.reshape(-1, CANDIDATES).argmin(1)
        return chunk.reshape(-1, CANDIDATES, CHUNK)[jnp.arange(best.shape[0]), best], key

    def __call__(self):
        chunk, self.key = self.sample(self.s, self.key)
        return jax.block_until_ready(chunk)


def make(work, dtype):
    if work in reference.ACTIONS:
        return Action(reference.ACTIONS[work], reference.STEPS["joint step"][1], dtype)
    return Step(*reference.STEPS[work], dtype)


if __name__ == "__main__":
    args = parser.parse_args()
    os.environ["NPROC"] = str(args.threads)  # how many threads XLA makes; read when it starts

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402

if __name__ == "__main__":
    wanted = jnp.bfloat16 if args.precision == "bf16" else jnp.float32
    reference.serve(f"JAX {jax.__version__}, jit", lambda work: make(work, wanted))
