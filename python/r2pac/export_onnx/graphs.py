"""The two ONNX models of a policy.

`flow_step`: one Euler step of the guided flow. `sampler`: all of acting. Both scale the observation
themselves, and compute what networks see of a budget. The label's share of the first layer is constant, so
that it is folded into one bias for each label, and all labels share the product with everything else.
"""

from __future__ import annotations

import itertools

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from r2pac.export_onnx.policy_file import BUDGET, PolicyFile

_State = dict[str, str]  # parts of a state by the inputs of networks that they are

OPSET, IR_VERSION = 18, 8
_NORM_EPSILON = 1e-5


class _Graph:
    """Collects nodes and constants; every operation returns the name of its result."""

    def __init__(self, constants: dict[str, TensorProto] | None = None, prefix: str = "") -> None:
        self.nodes: list[NodeProto] = []
        self.constants = {} if constants is None else constants  # shared with an enclosing graph
        self._names = (f"{prefix}t{i}" for i in itertools.count())

    def op(self, kind: str, *inputs: str, output: str | None = None, **attributes) -> str:
        output = output or next(self._names)
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def number(self, value: float) -> str:
        return self.constant(f"number {np.float32(value)!r}", np.float32(value))

    def whole(self, *values: int) -> str:
        return self.constant(f"whole {values}", np.array(values, np.int64))

    def sizes(self, *parts: str) -> str:
        return self.op("Concat", *parts, axis=0)


def flow_step(policy: PolicyFile) -> ModelProto:
    """observation [n, S], x [n, hA], time [n, 1] -> x_next [n, hA]. It takes spent [n] where it matters."""
    graph = _Graph()
    _euler_step(graph, policy, _state(graph, policy), "x", "time", output="x_next")
    s, chunk = policy.observation_dim, policy.chunk_dim
    return _model(
        graph,
        "flow_step",
        {"observation": ["n", s], "x": ["n", chunk], "time": ["n", 1]}
        | ({"spent": ["n"]} if policy.sees_budget and policy.budget != "none" else {}),
        {"x_next": ["n", chunk]},
    )


def sampler(policy: PolicyFile) -> ModelProto:
    """observation [n, S], noise [n, candidates, hA] -> action [n, A], chunk [n, h, A], q_c, v_r, v_c [n].

    Without critics there is one candidate and nothing but action and chunk. A policy that acts in one step takes no
    noise. With a budget there is a further input, spent [n].
    """
    graph = _Graph()
    s, a, h, chunk = policy.observation_dim, policy.action_dim, policy.chunk_length, policy.chunk_dim
    state = _state(graph, policy)
    inputs: dict[str, list] = {"observation": ["n", s]}
    if policy.one_step:
        count = graph.sizes(graph.op("Shape", "observation", start=0, end=1), graph.whole(1))  # [n, 1]
        rows, chunks = state, _one_step(graph, policy, state, count)
    else:
        inputs["noise"] = ["n", "candidates" if policy.has_critics else 1, chunk]
        count = graph.op("Shape", "noise", start=0, end=2)  # [n, candidates]
        rows = {}  # the state once for each candidate, [n * candidates, width]
        for name, part in state.items():
            spread = graph.op(
                "Expand", graph.op("Unsqueeze", part, graph.whole(1)), graph.sizes(count, graph.whole(1))
            )
            rows[name] = graph.op("Reshape", spread, graph.whole(-1, s if name == "observation" else 1))
        x = graph.op("Reshape", "noise", graph.whole(-1, chunk))
        chunks = graph.op("Clip", _integrate(graph, policy, rows, x), graph.number(-1), graph.number(1))
    picked = _choose(graph, policy, state, rows, chunks, count) if policy.has_critics else chunks  # [n, hA]
    graph.op("Slice", picked, graph.whole(0), graph.whole(a), graph.whole(1), output="action")
    graph.op("Reshape", picked, graph.whole(-1, h, a), output="chunk")
    scores = {"q_c": ["n"], "v_r": ["n"], "v_c": ["n"]} if policy.has_critics else {}
    return _model(
        graph,
        "sampler",
        inputs | ({"spent": ["n"]} if policy.budget != "none" else {}),
        {"action": ["n", a], "chunk": ["n", h, a]} | scores,
    )


def _one_step(graph: _Graph, policy: PolicyFile, state: _State, count: str) -> str:
    """The chunk [n, hA] that one pass says of each state; state: parts [n, width], count: n and 1."""
    unit = float(policy.tensors["threshold"][0])
    if unit > 0:
        shares = graph.op("Div", _bound(graph, policy), graph.number(unit))
        share = graph.op("Clip", shares, graph.number(0), graph.number(1))
    else:
        share = graph.number(0)
    of_rows = graph.op("Expand", share, count)  # [n, 1]
    said = _network(graph, policy, "one_step", 0, state | {"bound": of_rows})
    return graph.op("Tanh", said)


def _choose(
    graph: _Graph, policy: PolicyFile, state: _State, rows: _State, chunks: str, count: str
) -> str:
    """The chosen chunk [n, hA] of each observation, and the outputs q_c, v_r, v_c.

    state: parts [n, width], rows: parts [n * candidates, width], chunks [n * candidates, hA], count: n and
    candidates.
    """
    inputs = rows | {"chunk": chunks}
    q_c = graph.op("Reshape", _extreme(graph, policy, "q_c", "Max", inputs), count)  # [n, candidates]
    v_r, v_c = (_network(graph, policy, name, 0, state) for name in ("v_r", "v_c"))  # [n, 1]
    chosen = graph.op("ArgMin", q_c, axis=1, keepdims=1)  # [n, 1]
    if policy.selection == "region":
        q_r = graph.op("Reshape", _extreme(graph, policy, "q_r", "Min", inputs), count)
        threshold = _bound(graph, policy)
        admissible = graph.op("LessOrEqual", q_c, threshold)
        best = graph.op(
            "ArgMax", graph.op("Where", admissible, q_r, graph.number(-np.inf)), axis=1, keepdims=1
        )
        there_is_one = graph.op(
            "LessOrEqual", graph.op("ReduceMin", q_c, graph.whole(1), keepdims=1), threshold
        )
        by_reward = graph.op("And", graph.op("LessOrEqual", v_c, threshold), there_is_one)
        chosen = graph.op("Where", by_reward, best, chosen)

    flat = graph.whole(-1)
    graph.op("Reshape", graph.op("GatherElements", q_c, chosen, axis=1), flat, output="q_c")
    graph.op("Reshape", v_r, flat, output="v_r")
    graph.op("Reshape", v_c, flat, output="v_c")
    stacked = graph.op("Reshape", chunks, graph.sizes(count, graph.whole(policy.chunk_dim)))
    return graph.op("GatherND", stacked, chosen, batch_dims=1)


def _bound(graph: _Graph, policy: PolicyFile) -> str:
    """What a decision may cost: the policy's bound, but at most what is left of the cost limit, and minus
    infinity where nothing is. One number, or [n, 1] where it keeps a budget."""
    bound = graph.constant("threshold", policy.region_bound)
    if policy.budget == "none":
        return bound
    rest = graph.op("Sub", graph.number(float(policy.metadata["cost_limit"])), "spent")
    rest = graph.op("Unsqueeze", rest, graph.whole(1))
    allowed = graph.op("Mul", rest, graph.number(policy.share_of_rest))
    spent_all = graph.op("Less", rest, graph.number(0))
    return graph.op("Where", spent_all, graph.number(-np.inf), graph.op("Min", allowed, bound))


def _integrate(graph: _Graph, policy: PolicyFile, state: _State, x: str) -> str:
    """All Euler steps from time 0, as a loop."""
    steps = policy.settings["flow_steps"]
    body = _Graph(graph.constants, "step ")
    time = body.op("Div", body.op("Cast", "step", to=TensorProto.FLOAT), body.number(steps))
    size = body.sizes(body.op("Shape", "x before", start=0, end=1), body.whole(1))
    _euler_step(body, policy, state, "x before", body.op("Expand", time, size), output="x after")
    body.op("Identity", "go on", output="still on")
    value = helper.make_tensor_value_info
    floats = TensorProto.FLOAT
    loop = helper.make_graph(
        body.nodes,
        "euler_steps",
        [
            value("step", TensorProto.INT64, []),
            value("go on", TensorProto.BOOL, []),
            value("x before", floats, [None, policy.chunk_dim]),
        ],
        [value("still on", TensorProto.BOOL, []), value("x after", floats, [None, policy.chunk_dim])],
    )
    trips = graph.constant("flow_steps", np.int64(steps))
    return graph.op("Loop", trips, graph.constant("yes", np.bool_(True)), x, body=loop)


def _euler_step(graph: _Graph, policy: PolicyFile, state: _State, x: str, time: str, output: str) -> None:
    """x + (null + guidance * (good - null)) / flow_steps, or x + null / flow_steps."""
    network = policy.networks["velocity"]
    label_rows = network.rows_of("label")
    weight, bias = (policy.network("velocity")[0][part].astype(np.float64) for part in ("weight", "bias"))
    shared = np.delete(weight, label_rows, axis=0).astype(np.float32)
    inputs = state | {"chunk": x, "time": time}
    others = graph.op("Concat", *(inputs[name] for name in network.inputs if name != "label"), axis=1)
    known = graph.op("MatMul", others, graph.constant("velocity.0.shared", shared))
    velocities = []
    for label in policy.labels:
        folded = bias + policy.tensors["label_table"][label].astype(np.float64) @ weight[label_rows]
        first = graph.op("Add", known, graph.constant(f"velocity.0.bias.{label}", folded.astype(np.float32)))
        velocities.append(_remaining_layers(graph, policy, "velocity", 0, first))
    velocity, *good = velocities
    for other in good:
        difference = graph.op("Sub", other, velocity)
        guided = graph.op("Mul", difference, graph.number(policy.settings["guidance_scale"]))
        velocity = graph.op("Add", velocity, guided)
    step = graph.op("Div", velocity, graph.number(policy.settings["flow_steps"]))
    graph.op("Add", x, step, output=output)


def _state(graph: _Graph, policy: PolicyFile) -> _State:
    """What the networks see of the observation and, if they do, of the budget."""
    state = {"observation": _seen(graph, policy, "observation")}
    if policy.sees_budget:
        most = graph.number(policy.greatest_budget)
        within = graph.op("Clip", _bound(graph, policy), graph.number(0), most)
        costs = graph.op("Div", within, graph.number(float(policy.metadata["cost_scale"])))
        budget = graph.op("Log", graph.op("Add", costs, graph.number(1)))
        size = graph.sizes(graph.op("Shape", "observation", start=0, end=1), graph.whole(1))
        state[BUDGET] = graph.op("Expand", budget, size)
    return state


def _seen(graph: _Graph, policy: PolicyFile, observation: str) -> str:
    """What the networks see of an observation."""
    mean, scale = (
        graph.constant(f"observation_{part}", policy.tensors[f"observation_{part}"])
        for part in ("mean", "scale")
    )
    return graph.op("Mul", graph.op("Sub", _scores(graph, policy, observation), mean), scale)


def _scores(graph: _Graph, policy: PolicyFile, observation: str) -> str:
    """Columns with a map through it, the others as they are. A map is a sum of ramps, one for each of its pieces."""
    if "observation_values" not in policy.tensors:
        return observation
    values, scores = (policy.tensors[f"observation_{part}"] for part in ("values", "scores"))
    widths = np.diff(values)
    slopes = np.divide(np.diff(scores), widths, out=np.zeros_like(widths), where=widths > 0)
    above = graph.op(
        "Sub",
        graph.op("Unsqueeze", observation, graph.whole(2)),
        graph.constant("observation_ramps", values[:, :-1]),
    )
    ramps = graph.op(
        "Min", graph.op("Max", above, graph.number(0)), graph.constant("observation_widths", widths)
    )
    risen = graph.op(
        "ReduceSum",
        graph.op("Mul", ramps, graph.constant("observation_slopes", slopes)),
        graph.whole(2),
        keepdims=0,
    )
    mapped = graph.op("Add", risen, graph.constant("observation_lowest", scores[:, 0]))
    has_map = graph.constant("observation_has_map", values[:, 0] < values[:, -1])
    return graph.op("Where", has_map, mapped, observation)


def _extreme(graph: _Graph, policy: PolicyFile, name: str, kind: str, inputs: dict[str, str]) -> str:
    """Max or Min over the critics of one name, [rows, 1]."""
    count = policy.networks[name].count
    return graph.op(kind, *(_network(graph, policy, name, k, inputs) for k in range(count)))


def _network(graph: _Graph, policy: PolicyFile, name: str, member: int, inputs: dict[str, str]) -> str:
    """A whole perceptron on rows of its inputs by name."""
    x = graph.op("Concat", *(inputs[key] for key in policy.networks[name].inputs), axis=1)
    return _remaining_layers(graph, policy, name, member, _dense(graph, policy, name, member, 0, x))


def _dense(graph: _Graph, policy: PolicyFile, name: str, member: int, layer: int, x: str) -> str:
    weight, bias = (
        graph.constant(f"{name}.{member}.{layer}.{part}", policy.network(name, member)[layer][part])
        for part in ("weight", "bias")
    )
    return graph.op("Add", graph.op("MatMul", x, weight), bias)


def _remaining_layers(graph: _Graph, policy: PolicyFile, name: str, member: int, x: str) -> str:
    """What follows the first product of a perceptron: activation, normalisation, the other layers."""
    for i, layer in enumerate(policy.network(name, member)[:-1]):
        x = _gelu(graph, policy, x)
        if "norm.gain" in layer:
            gain, bias = (
                graph.constant(f"{name}.{member}.{i}.{part}", layer[part])
                for part in ("norm.gain", "norm.bias")
            )
            x = graph.op("LayerNormalization", x, gain, bias, axis=-1, epsilon=_NORM_EPSILON)
        x = _dense(graph, policy, name, member, i + 1, x)
    return x


def _gelu(graph: _Graph, policy: PolicyFile, x: str) -> str:
    if policy.settings["activation"] == "gelu_tanh":
        cube = graph.op("Mul", graph.op("Mul", x, x), x)
        inner = graph.op("Add", x, graph.op("Mul", cube, graph.number(0.044715)))
        gate = graph.op("Tanh", graph.op("Mul", inner, graph.number(np.sqrt(2 / np.pi))))
    else:
        gate = graph.op("Erf", graph.op("Mul", x, graph.number(np.sqrt(0.5))))
    half = graph.op("Mul", x, graph.number(0.5))
    return graph.op("Mul", half, graph.op("Add", gate, graph.number(1)))


def _model(graph: _Graph, name: str, inputs: dict[str, list], outputs: dict[str, list]) -> ModelProto:
    def values(shapes: dict[str, list]) -> list:
        return [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in shapes.items()]

    proto = helper.make_graph(
        graph.nodes, name, values(inputs), values(outputs), list(graph.constants.values())
    )
    model = helper.make_model(
        proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="r2pac"
    )
    checker.check_model(model, full_check=True)
    return model
