"""The joint gradient step and the action of R2PAC at full size in PyTorch, timed: for comparison with `r2pac bench`.

  python bench/torch_reference.py [--device cuda] [--precision fp32|tf32|bf16] [--mode eager|compiled]
                                  [--against FILE]...

Prints a table; FILE is the output of `r2pac bench step|action --json`, for the ratio to it. `eager` runs as written; `compiled` is torch.compile(mode="reduce-overhead"), which on a GPU replays CUDA graphs.
Both get what PyTorch does best: nets of one shape as one batched product, fused Adam, one call for Polyak. Data
are random numbers on the device; the same losses as in model/r2pac.cpp, so that the work is the same.
"""

import argparse
import json
import math
import time

import torch
import torch.nn.functional as F

OBSERVATION, CHUNK, LABEL = 72, 10, 32
FLOW_STEPS, CANDIDATES, GUIDANCE = 32, 16, 2.0
EXPECTILE, DISCOUNT, LIMIT_RANK, POLYAK = 0.9, 0.99**5, 0.9, 0.005


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
    """x [nets or 1, rows, in] -> [nets, rows, out]."""
    x = x.expand(layers[0].shape[0], -1, -1)
    for i in range(0, len(layers), 2):
        x = torch.baddbmm(layers[i + 1].to(x.dtype), x, layers[i].to(x.dtype))
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
        fused = args.device.startswith("cuda")
        self.optimiser = torch.optim.Adam(self.parameters, lr=3e-4, fused=fused, capturable=fused)
        rows = 20000
        self.data = torch.rand(rows, 2 * OBSERVATION + CHUNK + 2, device=args.device) * 2 - 1
        self.batch = args.batch
        self.loss = torch.compile(self.losses, mode="reduce-overhead") if args.mode == "compiled" else self.losses

    def draw(self):
        rows = torch.randint(self.data.shape[0], (self.batch,), device=self.data.device)
        return self.data[rows].split([OBSERVATION, OBSERVATION, CHUNK, 1, 1], dim=1)

    def losses(self, s, later, a, reward, cost):
        with torch.no_grad():
            target_q = forward(self.targets, torch.cat([s, a], 1)[None].to(self.dtype))
            least_reward = torch.minimum(target_q[0], target_q[1])
            most_cost = torch.maximum(target_q[2], target_q[3])
        v = forward(self.values, torch.cat([s, later])[None].to(self.dtype))
        v_reward, v_cost = v[0, : self.batch], v[1, : self.batch]
        later_reward, later_cost = v[0, self.batch :].detach(), v[1, self.batch :].detach()
        threshold = torch.quantile(v_cost.detach(), LIMIT_RANK)
        reward_target = torch.where(later_cost > threshold, -100.0, reward + DISCOUNT * later_reward)
        target = torch.stack([reward_target, reward_target, *[cost + DISCOUNT * later_cost] * 2])
        q = forward(self.critics, torch.cat([s, a], 1)[None].to(self.dtype))
        loss = (target - q).square().mean(1).sum()
        loss = loss + expectile_loss(least_reward - v_reward, EXPECTILE).mean()
        loss = loss + expectile_loss(v_cost - most_cost, EXPECTILE).mean()
        good = torch.where(v_cost.detach() <= threshold, least_reward >= v_reward.detach(), most_cost <= v_cost.detach())
        label = torch.where(torch.rand_like(reward) < 0.1, 0, 1 + good.long())[:, 0]
        noise, flow_time = torch.randn_like(a), torch.rand_like(reward)
        point = torch.lerp(noise, a, flow_time)
        x = torch.cat([s, self.labels[label], point, flow_time], 1)
        velocity = forward(self.velocity, x[None].to(self.dtype))[0]
        return loss + (velocity - (a - noise)).square().mean()

    def __call__(self):
        self.optimiser.zero_grad(set_to_none=True)
        self.loss(*self.draw()).backward()
        self.optimiser.step()
        torch._foreach_lerp_(self.targets, [weight.detach() for weight in self.critics], POLYAK)


class Action:
    """32 guided Euler steps of 16 candidates for each observation; the one of least cost is taken."""

    def __init__(self, args, observations):
        self.dtype = torch.bfloat16 if args.precision == "bf16" else torch.float32
        def frozen(nets):
            return [weight.detach().to(self.dtype) for weight in nets]

        self.velocity = frozen(make_nets(1, OBSERVATION + LABEL + CHUNK + 1, CHUNK, args))
        self.critics = frozen(make_nets(2, OBSERVATION + CHUNK, 1, args))
        self.labels = torch.randn(3, LABEL, device=args.device)
        self.s = torch.rand(observations, OBSERVATION, device=args.device)
        self.run = torch.compile(self.sample, mode="reduce-overhead") if args.mode == "compiled" else self.sample

    def sample(self, s):
        count = s.shape[0] * CANDIDATES
        s = s.repeat_interleave(CANDIDATES, 0)
        # What of the first layer does not change over the steps is computed once.
        both = torch.cat([s, s]).to(self.dtype)
        label = self.labels[[2, 0]].repeat_interleave(count, 0).to(self.dtype)
        weight = self.velocity[0][0]
        constant = torch.cat([both, label], 1) @ weight[: OBSERVATION + LABEL] + self.velocity[1][0]
        of_chunk, of_time = weight[OBSERVATION + LABEL : -1], weight[-1]
        chunk = torch.randn(count, CHUNK, device=s.device)
        for step in range(FLOW_STEPS):
            x = F.gelu(constant + chunk.to(self.dtype).repeat(2, 1) @ of_chunk + (step / FLOW_STEPS) * of_time)
            good, null = forward(self.velocity[2:], x[None])[0].chunk(2)
            chunk = chunk + (null + GUIDANCE * (good - null)) / FLOW_STEPS
        chunk = chunk.clamp(-1, 1)
        cost = forward(self.critics, torch.cat([s, chunk], 1)[None].to(self.dtype)).amax(0)
        best = cost.view(-1, CANDIDATES).argmin(1)
        return chunk.view(-1, CANDIDATES, CHUNK)[torch.arange(best.shape[0], device=s.device), best]

    @torch.no_grad()
    def __call__(self):
        return self.run(self.s)


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


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="fp32")
    parser.add_argument("--mode", choices=["eager", "compiled"], default="eager")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--observations", type=int, nargs="+", default=[1, 132])
    parser.add_argument("--trials", type=int, default=101)
    parser.add_argument("--warm-up", type=int, default=20)
    parser.add_argument("--against", action="append", default=[])
    args = parser.parse_args()
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high" if args.precision == "tf32" else "highest")
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
