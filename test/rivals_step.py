"""Two joint steps of a trace, redone by what `r2pac bench rivals` measures: rivals_step.py torch|jax TRACE

Both get the recorded weights, batches, noise and labels, and must find the recorded losses, gradients and weights. So what
is measured is the work of the program. Ends with status 1 at the first difference.
"""

import json
import pathlib
import struct
import sys
from types import SimpleNamespace

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "bench"))

NETS = {"critics": ("q_r", "q_c"), "values": ("v_r", "v_c"), "velocity": ("velocity",)}


def tensors_of(path):
    """Of a safetensors file; all are F32 but window numbers, which nobody asks for."""
    data = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    entries = json.loads(data[8 : 8 + size])
    entries.pop("__metadata__", None)
    return {name: np.frombuffer(data[8 + size :][slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"])
            for name, entry in entries.items()}


def nets_of(tensors, prefix, group):
    """Weights [nets, in, out] and biases [nets, 1, out] of each layer, as the references hold them."""
    layers = []
    for layer in range(5):
        parts = {part: [tensors[f"{prefix}{name}.{layer}.{part}"] for name in NETS[group]] for part in ("weight", "bias")}
        if parts["weight"][0].ndim == 2:
            parts = {part: [one[None] for one in some] for part, some in parts.items()}
        layers += [np.concatenate(parts["weight"]), np.concatenate(parts["bias"])[:, None]]
    return layers


def learned_of(tensors, prefix):
    nets = {group: nets_of(tensors, prefix, group) for group in NETS}
    return nets | {"labels": tensors[prefix + "label_table"]}


def batch_of(tensors, prefix):
    columns = [tensors[prefix + name] for name in
               ("observations", "next_observations", "actions", "rewards", "costs", "mask", "noise", "flow_time")]
    dropped = (tensors[prefix + "dropped_label"] > 0).astype(np.float32)  # 0 is below every dropout, 1 above
    return [column.reshape(len(column), -1) for column in (*columns, dropped)]


def flat(learned):
    return [tensor for group in (*NETS, "labels") for tensor in
            (learned[group] if isinstance(learned[group], list) else [learned[group]])]


class Torch:
    def __init__(self, initial, targets, observation, chunk, width, batch):
        import torch
        import torch_reference

        torch_reference.OBSERVATION, torch_reference.CHUNK = observation, chunk
        self.torch = torch
        self.step = torch_reference.Step(
            SimpleNamespace(device="cpu", precision="fp32", mode="eager", width=width, batch=batch))
        with torch.no_grad():
            for mine, given in zip([*self.step.parameters, *self.step.targets], [*flat(initial), *targets]):
                mine.copy_(torch.tensor(given))

    def __call__(self, batch):
        batch = [self.torch.tensor(column) for column in batch]
        loss = float(self.step.losses(*batch))
        self.step.learn(*batch)
        gradients = [parameter.grad.numpy() for parameter in self.step.parameters]
        return (loss, gradients, [parameter.detach().numpy() for parameter in self.step.parameters],
                [target.numpy() for target in self.step.targets])


class Jax:
    def __init__(self, initial, targets, *_):
        import jax
        import jax_reference

        self.jax, self.reference = jax, jax_reference
        learned = jax.tree.map(jax.numpy.asarray, initial)
        self.state = {"learned": learned, "targets": jax.tree.map(jax.numpy.asarray, targets), "step": 0,
                      "moments": [jax.tree.map(jax.numpy.zeros_like, learned) for _ in range(2)]}

    def __call__(self, batch):
        dtype = self.jax.numpy.float32
        loss, gradients = self.jax.value_and_grad(self.reference.losses)(
            self.state["learned"], self.state["targets"], dtype, *batch)
        self.state = self.reference.Step.learn(self.state, dtype, *batch)
        return float(loss), flat(gradients), flat(self.state["learned"]), self.state["targets"]


def require(what, found, wanted, tolerance):
    difference = float(np.max(np.abs(np.asarray(found) - np.asarray(wanted))))
    if not difference <= tolerance:
        sys.exit(f"{what} differ by {difference:.2g}, allowed {tolerance:.2g}")


def main():
    which, path = sys.argv[1:]
    tensors = tensors_of(path)
    initial, targets = learned_of(tensors, "initial/online/"), nets_of(tensors, "initial/target/", "critics")
    rows, observation = tensors["step.0/observations"].shape
    redo = {"torch": Torch, "jax": Jax}[which](
        initial, targets, observation, tensors["step.0/actions"].shape[1], initial["critics"][0].shape[2], rows)
    for number in range(2):
        prefix = f"step.{number}/"
        loss, gradients, after, slow = redo(batch_of(tensors, prefix))
        recorded = sum(float(tensors[f"{prefix}loss/{name}"].sum()) for name in ("q_r", "q_c", "v_r", "v_c", "flow"))
        require(f"{which}: losses of step {number}", loss, recorded, 1e-5 * recorded)  # sums in another order
        for found, wanted in zip(gradients, flat(learned_of(tensors, prefix + "gradient/")), strict=True):
            require(f"{which}: gradients of step {number}", found, wanted, 1e-3 * np.abs(wanted).max() + 1e-9)
        # Adam moves a weight whose gradient is all but zero by its sign, so single ones may differ by a whole step of
        # 3e-4, and targets by Polyak's share of it.
        for what, mine, wanted, tolerance in (
                ("weights", after, flat(learned_of(tensors, prefix + "after/online/")), 3e-6),
                ("targets", slow, nets_of(tensors, prefix + "after/target/", "critics"), 2e-8)):
            mean = np.mean([np.mean(np.abs(np.asarray(found) - one)) for found, one in zip(mine, wanted, strict=True)])
            require(f"{which}: {what} after step {number}, in the mean,", mean, 0, tolerance)
    print(f"{which}: the steps are those of the trace")


main()
