"""Scores a policy as most PyTorch programs do, one episode after another, and beside it by `r2pac eval`.

  python bench/evaluation_reference.py POLICY [--env SafetyBallRun-v0] [--episodes 20] [--r2pac build/bin/r2pac]
                                       [--repeat 3] [--precision fp32 bf16]

Needs the simulators (python/simulators.lock) and torch in the Python that runs it. Both sides get the same policy,
flow steps, candidates and episodes, start their own simulators within the measured time, and act by the same rule; noise
differs, so scores agree only statistically. Prints seconds, scores and the ratio for each --precision of `r2pac eval`;
PyTorch computes in single precision, acts with all threads and with one, and the faster counts; weights are loaded and
the sampler is warmed up before the clock starts.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import tomllib

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
from r2pac import env_server, simulators  # noqa: E402


def read_safetensors(path):
    """Tensors and metadata of a file that r2pac wrote."""
    raw = pathlib.Path(path).read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    metadata = header.pop("__metadata__")
    types = {"F32": np.float32, "F64": np.float64}
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        array = np.frombuffer(raw[8 + size + begin : 8 + size + end], types[entry["dtype"]])
        tensors[name] = torch.from_numpy(array.reshape(entry["shape"]).copy())
    return tensors, metadata


class Policy:
    """Sixteen guided chunks by Euler steps, the one of least cost; as in docs/formats.md."""

    def __init__(self, path):
        self.tensors, metadata = read_safetensors(path)
        settings = tomllib.loads(metadata["settings"])
        self.flow_steps, self.candidates = settings["flow_steps"], settings["num_candidates"]
        self.guidance = settings["guidance_scale"]
        self.action_dim, self.chunk = int(metadata["action_dim"]), self.tensors["example.noise"].shape[1]
        self.layers = len(settings["hidden"]) + 1

    def network(self, name, x):
        """x [..., in] through a network; critics of an ensemble give [2, ..., out]."""
        for layer in range(self.layers):
            weight, bias = self.tensors[f"{name}.{layer}.weight"], self.tensors[f"{name}.{layer}.bias"]
            x = torch.matmul(x, weight) + (bias if bias.dim() == 1 else bias[:, None, :])
            if layer + 1 < self.layers:
                x = F.gelu(x)
        return x

    @torch.inference_mode()
    def act(self, observation):
        n = self.candidates
        observation = torch.as_tensor(observation, dtype=torch.float32)
        observation = (observation - self.tensors["observation_mean"]) * self.tensors["observation_scale"]
        both = observation.expand(2 * n, -1)
        labels = self.tensors["label_table"][[0] * n + [2] * n]
        x = torch.randn(n, self.chunk)
        for step in range(self.flow_steps):
            flow_time = torch.full((2 * n, 1), step / self.flow_steps)
            velocity = self.network("velocity", torch.cat([both, labels, x.repeat(2, 1), flow_time], 1))
            x = x + (velocity[:n] + self.guidance * (velocity[n:] - velocity[:n])) / self.flow_steps
        x = x.clamp(-1, 1)
        cost = self.network("q_c", torch.cat([both[:n], x], 1)).amax(0)[:, 0]
        return x[cost.argmin(), : self.action_dim].numpy()


def evaluate_sequentially(policy, env_id, episodes):
    """Mean return and cost of episodes 0 .. episodes - 1, stepped one after another."""
    env = env_server.Copy(simulators.factory(env_id), reuse=False)
    returns, costs = [], []
    for seed in range(episodes):
        observation, total, cost, done = env.reset(seed), 0.0, 0.0, False
        while not done:
            step = env.step(policy.act(observation))
            observation, total, cost = step.observation, total + step.reward, cost + step.cost
            done = step.terminated or step.truncated
        returns.append(total)
        costs.append(cost)
    env.close()
    return float(np.mean(returns)), float(np.mean(costs))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("policy", help="policy.safetensors of a run")
    parser.add_argument("--env", default="SafetyBallRun-v0", help="id of the simulator")
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--r2pac", default="build/bin/r2pac")
    parser.add_argument("--repeat", type=int, default=3, help="the fastest of so many counts, on both sides")
    parser.add_argument("--precision", nargs="+", default=["fp32"], choices=["fp32", "bf16"], help="of r2pac eval")
    args = parser.parse_args()
    policy = Policy(args.policy)
    policy.act(policy.tensors["example.observation"].numpy())

    sequential, ours, results = {}, {}, {}
    environment = dict(os.environ, R2PAC_SIMULATORS_PYTHON=sys.executable,
                       PYTHONPATH=str(pathlib.Path(__file__).resolve().parent.parent / "python"))
    for _ in range(args.repeat):
        for threads in sorted({1, len(os.sched_getaffinity(0))}):
            torch.set_num_threads(threads)
            begin = time.perf_counter()
            score = evaluate_sequentially(policy, args.env, args.episodes)
            sequential.setdefault(threads, []).append(time.perf_counter() - begin)
        for precision in args.precision:
            with tempfile.TemporaryDirectory() as folder:
                begin = time.perf_counter()
                done = subprocess.run([args.r2pac, "eval", args.policy, "--env", args.env,
                                       "--episodes", str(args.episodes), "--precision", precision,
                                       "-o", os.path.join(folder, "eval.json"), "--json"],
                                      env=environment, check=True, stdout=subprocess.PIPE)
                ours.setdefault(precision, []).append(time.perf_counter() - begin)
            results[precision] = json.loads(done.stdout)
    for threads, seconds in sequential.items():
        print(f"PyTorch {torch.__version__}, {threads} thread(s), one episode after another: {min(seconds):.2f} s, "
              f"return {score[0]:.1f}, cost {score[1]:.2f}")
    best = min(min(seconds) for seconds in sequential.values())
    for precision, seconds in ours.items():
        result = results[precision]
        print(f"r2pac eval, {args.episodes} episodes together, {precision}: {min(seconds):.2f} s, "
              f"return {result['return_mean']:.1f}, cost {result['cost_mean']:.2f}, ratio {best / min(seconds):.1f}")


if __name__ == "__main__":
    main()
