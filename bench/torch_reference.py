"""The joint gradient step and the action of R2PAC in PyTorch, timed: for comparison with `r2pac bench`.

  python bench/torch_reference.py [--device cuda] [--precision fp32|tf32|bf16] [--mode eager|compiled]
                                  [--against FILE]...
  python bench/torch_reference.py --serve --device cpu --threads 1 ...

The first prints a table of the full size; FILE is the output of `r2pac bench step|action --json`, for the ratio to it.
The second answers bench/rivals.py (bench/reference.py). `eager` runs as written; `compiled` is torch.compile, on a GPU
with CUDA graphs. Both get what PyTorch does best: on a GPU nets of one shape as one batched product, fused Adam, one
call for Polyak. Data are random numbers on the device; the same losses as in model/r2pac.cpp, so that the work is the
same.
"""

import argparse
import json
import math
import time

import reference
import torch
import torch.nn.functional as F
from reference import BOUND, CANDIDATES, CHUNK, DISCOUNT, EXPECTILE, FLOW_STEPS, GUIDANCE, LABEL, OBSERVATION


def make_nets(nets, inputs, outputs, args):
    """Weights [nets, in, out] and biases [nets, 1, out] of each layer."""
    sizes = [inputs] + [args.width] * 4 + [outputs]
    layers = []
    for fan_in, fan_out in zip(sizes, sizes[1:]):
        bound = 1 / math.sqrt(fan_in)
        for shape in ((nets, fan_in, fan_out), (nets, 1, fan_out)):
            layers.append(torch.empty(shape, device=args.device).uniform_(-bound, bound).requires_grad_())
    return layers


def forward(layers, x):
    """x [rows, in] -> [nets, rows, out]."""
    if x.device.type == "cpu":  # where a batched product is no faster, and much slower if compiled
        # Not layer[net], by which each net's gradient would be one of all nets.
        return torch.stack([forward_one(net, x) for net in zip(*(layer.unbind() for layer in layers))])
    x = x.expand(layers[0].shape[0], -1, -1)
    for i in range(0, len(layers), 2):
        x = torch.baddbmm(layers[i + 1].to(x.dtype), x, layers[i].to(x.dtype))
        if i + 2 < len(layers):
            x = F.gelu(x)
    return x.float()


def forward_one(layers, x):
    for i in range(0, len(layers), 2):
        x = F.linear(x, layers[i].to(x.dtype).t(), layers[i + 1][0].to(x.dtype))
        if i + 2 < len(layers):
            x = F.gelu(x)
    return x.float()


def expectile_loss(difference, expectile):
    return torch.where(difference > 0, expectile, 1 - expectile) * difference.square()


class Step:
    """Four critics (two for reward, two for cost) and their targets, two values, the velocity field."""

    def __init__(self, args):
        self.dtype = torch.bfloat16 if args.precision == "bf16" else torch.float32
        self.critics = make_nets(4, OBSERVATION + CHUNK, 1, args)
        self.targets = [weight.detach().clone() for weight in self.critics]
        self.values = make_nets(2, OBSERVATION, 1, args)
        self.velocity = make_nets(1, OBSERVATION + LABEL + CHUNK + 1, CHUNK, args)
        self.labels = torch.randn(3, LABEL, device=args.device, requires_grad=True)
        self.parameters = [*self.critics, *self.values, *self.velocity, self.labels]
        self.optimiser = torch.optim.Adam(self.parameters, lr=reference.RATE, fused=True,
                                          capturable=args.device.startswith("cuda"))
        self.data = torch.rand(reference.ROWS, 2 * OBSERVATION + CHUNK + 3, device=args.device) * 2 - 1
        self.data[:, -1] = 1
        self.batch = args.batch
        self.loss = compiled(self.losses, args) if args.mode == "compiled" else self.losses

    def draw(self):
        """A batch, and the noise, the time and the number for the label's dropout of each of its rows."""
        device = self.data.device
        rows = torch.randint(self.data.shape[0], (self.batch,), device=device)
        batch = self.data[rows].split([OBSERVATION, OBSERVATION, CHUNK, 1, 1, 1], dim=1)
        return *batch, torch.randn(self.batch, CHUNK, device=device), *torch.rand(2, self.batch, 1, device=device)

    def losses(self, s, later, a, reward, cost, mask, noise, flow_time, dropout):
        pair = torch.cat([s, a], 1).to(self.dtype)
        with torch.no_grad():
            target_q = forward(self.targets, pair)
            least_reward = torch.minimum(target_q[0], target_q[1])
            most_cost = torch.maximum(target_q[2], target_q[3])
            later_reward, later_cost = forward(self.values, later.to(self.dtype)).clamp(-BOUND, BOUND)
        v_reward, v_cost = forward(self.values, s.to(self.dtype))
        with torch.no_grad():
            threshold = torch.quantile(v_cost, reference.LIMIT_RANK)
            unsafe = (later_cost > threshold) & (mask != 0)
            reward_target = torch.where(unsafe, reference.UNSAFE_TARGET, reward + DISCOUNT * mask * later_reward)
            cost_target = cost + DISCOUNT * mask * later_cost
            target = torch.stack([reward_target, reward_target, cost_target, cost_target])
            good = torch.where(v_cost <= threshold, least_reward >= v_reward, most_cost <= v_cost)
            label = torch.where(dropout < reference.LABEL_DROPOUT, 0, 1 + good.long())[:, 0]
            point, direction = torch.lerp(noise, a, flow_time), a - noise
        q = forward(self.critics, pair)
        loss = (target - q).square().mean(1).sum()
        loss = loss + expectile_loss(least_reward - v_reward, EXPECTILE).mean()
        loss = loss + expectile_loss(v_cost - most_cost, EXPECTILE).mean()
        x = torch.cat([s, self.labels[label], point, flow_time], 1)
        return loss + (forward(self.velocity, x.to(self.dtype))[0] - direction).square().mean()

    def __call__(self):
        self.learn(*self.draw())

    def learn(self, *drawn):
        self.optimiser.zero_grad(set_to_none=True)
        self.loss(*drawn).backward()
        self.optimiser.step()
        torch._foreach_lerp_(self.targets, [weight.detach() for weight in self.critics], reference.POLYAK)


class Action(torch.nn.Module):
    """32 guided Euler steps of 16 candidates for each observation; the one of least cost is taken."""

    def __init__(self, args, observations):
        super().__init__()
        self.dtype = torch.bfloat16 if args.precision == "bf16" else torch.float32

        def frozen(nets):
            return torch.nn.ParameterList(
                [torch.nn.Parameter(weight.detach().to(self.dtype), requires_grad=False) for weight in nets])

        self.velocity = frozen(make_nets(1, OBSERVATION + LABEL + CHUNK + 1, CHUNK, args))
        self.critics = frozen(make_nets(2, OBSERVATION + CHUNK, 1, args))
        self.labels = torch.nn.Parameter(torch.randn(3, LABEL, device=args.device), requires_grad=False)
        self.s = torch.rand(observations, OBSERVATION, device=args.device)
        self.run = compiled(self.sample, args) if args.mode == "compiled" else self.sample

    def sample(self, s):
        count = s.shape[0] * CANDIDATES
        s = s.repeat_interleave(CANDIDATES, 0)
        # What of the first layer does not change over the steps is computed once.
        both = torch.cat([s, s]).to(self.dtype)
        label = self.labels[[2, 0]].repeat_interleave(count, 0).to(self.dtype)
        weight, hidden = self.velocity[0][0], list(self.velocity)[2:]
        constant = torch.cat([both, label], 1) @ weight[: OBSERVATION + LABEL] + self.velocity[1][0]
        of_chunk, of_time = weight[OBSERVATION + LABEL : -1], weight[-1]
        chunk = torch.randn(count, CHUNK, device=s.device)
        for step in range(FLOW_STEPS):
            x = F.gelu(constant + chunk.to(self.dtype).repeat(2, 1) @ of_chunk + (step / FLOW_STEPS) * of_time)
            good, null = forward(hidden, x)[0].chunk(2)
            chunk = chunk + (null + GUIDANCE * (good - null)) / FLOW_STEPS
        chunk = chunk.clamp(-1, 1)
        cost = forward(list(self.critics), torch.cat([s, chunk], 1).to(self.dtype)).amax(0)
        best = cost.view(-1, CANDIDATES).argmin(1)
        return chunk.view(-1, CANDIDATES, CHUNK)[torch.arange(best.shape[0], device=s.device), best]

    @torch.no_grad()
    def __call__(self):
        return self.run(self.s)


def compiled(function, args):
    if args.device.startswith("cuda"):
        return torch.compile(function, mode="reduce-overhead")
    import torch._inductor.config

    torch._inductor.config.freezing = True  # where nothing is learned, weights are packed once
    return torch.compile(function, dynamic=False)  # each work has sizes of its own


def milliseconds(work, args):
    """Median of the trials after a warm-up, which includes compilation."""
    cuda = args.device.startswith("cuda")

    def once():
        if cuda:
            torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        if cuda:
            torch.cuda.synchronize()
        return 1e3 * (time.perf_counter() - start)

    for _ in range(args.warm_up):
        once()
    times = sorted(once() for _ in range(args.trials))
    return times[len(times) // 2]


def r2pac_times(paths):
    """Median ms of the rows `joint step` and `action` of `r2pac bench --json`, by our names for them."""
    times = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for row in json.load(file)["rows"]:
                name = row["name"]
                if name == "action" or name.endswith("observations"):  # its shape begins with the number of observations
                    name = ", ".join(["action", row["shape"].split(",")[0]])
                times.setdefault(name, row["median_ms"])
    return times


def make(work, args):
    if work in reference.ACTIONS:
        args.width = reference.STEPS["joint step"][1]
        return Action(args, reference.ACTIONS[work])
    args.batch, args.width = reference.STEPS[work]
    return Step(args)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="fp32")
    parser.add_argument("--mode", choices=["eager", "compiled"], default="eager")
    parser.add_argument("--batch", type=int, default=reference.STEPS["joint step"][0])
    parser.add_argument("--width", type=int, default=reference.STEPS["joint step"][1])
    parser.add_argument("--observations", type=int, nargs="+", default=[1, 132])
    parser.add_argument("--trials", type=int, default=101)
    parser.add_argument("--warm-up", type=int, default=20)
    parser.add_argument("--against", action="append", default=[])
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--threads", type=int, help="of the CPU")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high" if args.precision == "tf32" else "highest")
    if args.serve:
        return reference.serve(f"PyTorch {torch.__version__.partition('+')[0]}, {args.mode}", lambda work: make(work, args))
    rows = [("joint step", milliseconds(Step(args), args))]
    for observations in args.observations:
        rows.append((f"action, {observations} obs", milliseconds(Action(args, observations), args)))
    ours = r2pac_times(args.against)
    print(f"PyTorch {torch.__version__}, {args.mode}, {args.precision}; medians of {args.trials} trials\n")
    print("| work | PyTorch, ms | r2pac, ms | ratio |\n|---|---:|---:|---:|")
    for name, ms in rows:
        own, ratio = (f"{ours[name]:.3f}", f"{ms / ours[name]:.2f}") if name in ours else ("-", "-")
        print(f"| {name} | {ms:.3f} | {own} | {ratio} |")


if __name__ == "__main__":
    main()
