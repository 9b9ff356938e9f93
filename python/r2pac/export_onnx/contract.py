"""What the ONNX models take and give, for a program that has never heard of this one."""

from __future__ import annotations

import json
from typing import Any

from r2pac.export_onnx.graphs import OPSET
from r2pac.export_onnx.policy_file import PolicyFile

FORMAT = "r2pac-onnx-1"


def contract(policy: PolicyFile) -> dict[str, Any]:
    """The content of contract.json. Sizes that may vary are names: n, candidates.

    A policy without critics has one candidate and neither scores nor a threshold, and one that acts in one step has no
    noise; `absent` says so.
    """
    s, a, h, chunk = policy.observation_dim, policy.action_dim, policy.chunk_length, policy.chunk_dim
    settings, metadata = policy.settings, policy.metadata

    def tensor(
        name: str, shape: list, meaning: str, limits: list | None = None, unit: str = ""
    ) -> dict[str, Any]:
        return {
            "name": name,
            "type": "float32",
            "shape": shape,
            "range": limits,
            "unit": unit,
            "meaning": meaning,
        }

    observation = tensor(
        "observation", ["n", s], "as it comes from the environment, not scaled", unit="the environment's"
    )
    action = tensor(
        "action", ["n", a], "the first action of the chunk", [-1, 1], "share of the actuator's range"
    )
    planned = tensor(
        "chunk",
        ["n", h, a],
        "the chosen actions of this and the next steps",
        [-1, 1],
        "share of the actuator's range",
    )
    spent = []
    if policy.budget != "none":
        what = "half of what" if policy.budget == "half" else "what"
        spent = [
            tensor(
                "spent",
                ["n"],
                "undiscounted cost of the episode so far; chunks are chosen by their return where they are within "
                f"`threshold` and {what} is left of `cost_limit`, and of least cost where nothing is left"
                + (", as far as the network has learned it" if policy.one_step else "")
                + ("; the networks see it, too" if policy.sees_budget else ""),
                [0, None],
                "the environment's",
            )
        ]
    noise = []
    if not policy.one_step:
        noise = [
            tensor(
                "noise",
                ["n", "candidates" if policy.has_critics else 1, chunk],
                "independent standard normal numbers, fresh for every decision",
            )
        ]
    scaled = {kind: f"discounted {kind} times {metadata[f'{kind}_scale']}" for kind in ("reward", "cost")}
    scores = [
        tensor("q_c", ["n"], "greatest cost critic's value of the chunk", unit=scaled["cost"]),
        tensor("v_r", ["n"], "value of the observation", unit=scaled["reward"]),
        tensor(
            "v_c",
            ["n"],
            "cost value of the observation; safe where it is at most `threshold`",
            unit=scaled["cost"],
        ),
    ]
    return {
        "format": FORMAT,
        "opset": OPSET,
        "policy": {
            "task": metadata["task"],
            "method": policy.method,
            "version": metadata["version"],
            "step": int(metadata["step"]),
            "data_fingerprint": metadata["data_fingerprint"],
            "file_xxh3_128": metadata.get("file_xxh3_128", ""),
        },
        "cost_limit": float(metadata["cost_limit"]),
        "threshold": float(policy.region_bound) if policy.has_critics else None,
        "absent": absent(policy),
        "discount": settings["discount"],
        "observation_dim": s,
        "action_dim": a,
        "chunk_length": h,
        "flow_steps": settings["flow_steps"],
        "guidance_scale": settings["guidance_scale"],
        "candidates": policy.candidates,
        "selection": policy.selection if policy.has_critics and not policy.one_step else None,
        "budget": policy.budget,
        "models": {
            "sampler.onnx": {
                "meaning": "acts: plan anew at every step of an episode and execute `action`",
                "inputs": [
                    observation,
                    *noise,
                    *spent,
                ],
                "outputs": [action, planned] + (scores if policy.has_critics else []),
            },
            "flow_step.onnx": {
                "meaning": "one Euler step of the guided flow, for a program with a loop of its own: start from "
                "standard normal x, do steps k = 0 ... flow_steps - 1 at time k / flow_steps, clip x to [-1, 1]",
                "inputs": [
                    observation,
                    tensor("x", ["n", chunk], "chunk on its way, time-major"),
                    tensor("time", ["n", 1], "flow time: 0 is noise, 1 is data", [0, 1]),
                    *(spent if policy.sees_budget else []),
                ],
                "outputs": [tensor("x_next", ["n", chunk], "chunk one step later")],
            },
        },
    }


def absent(policy: PolicyFile) -> str:
    """What a policy does not have, in words; empty where it has everything."""
    if policy.one_step:
        return "the policy acts in one pass: sampler.onnx takes no noise, has no candidates and chooses nothing"
    if policy.has_critics:
        return ""
    return f"method {policy.method} trains no critics: one candidate, no q_c, v_r, v_c and no threshold"


def contract_text(policy: PolicyFile) -> str:
    return json.dumps(contract(policy), indent=2) + "\n"
