"""The paper's Figure 3: V_r, V_c and the penalised V_r over states of a data set, laid out by UMAP.

    python umap_values.py RUN SafetyBallRun-v0-80-940.hdf5 -o umap.png

The penalised V_r is V_r where the state is safe, V_c <= l, and elsewhere the return of paying the penalty C
for ever, -C / (1 - gamma). A policy that was trained with the penalty has it in its V_r already; for V_r by
itself train one with penalty_reading = "none". The policy's method must have critics. Needs the extra packages
of `pip install '.[examples]'`.
"""

import argparse

import matplotlib
import numpy as np
import r2pac
import umap

matplotlib.use("Agg")
from matplotlib import pyplot

parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
parser.add_argument("policy", help="run folder or policy.safetensors")
parser.add_argument("data", help="DSRL file (HDF5)")
parser.add_argument("-o", "--out", default="umap.png", help="picture to write (PNG, PDF, SVG)")
parser.add_argument("--states", type=int, default=5000, help="states drawn from the data")
parser.add_argument("--seed", type=int, default=0, help="of the draw and of UMAP")
arguments = parser.parse_args()

policy, data = r2pac.Policy.load(arguments.policy), r2pac.Dataset(arguments.data)
count = min(arguments.states, data.rows)
rows = np.random.default_rng(arguments.seed).choice(data.row_indices, count, replace=False)
states = data.observations[rows]
values = policy.values(states)
penalised = np.where(values.safe, values.v_r, -policy.settings["penalty"] / (1 - policy.settings["discount"]))

standard = (states - states.mean(axis=0)) / (states.std(axis=0) + 1e-6)
place = umap.UMAP(random_state=arguments.seed, n_jobs=1).fit_transform(standard)

figure, axes = pyplot.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
panels = {"$V_r$": values.v_r, "$V_c$": values.v_c, r"penalised $\bar V_r$": penalised}
for axis, (title, color) in zip(axes, panels.items(), strict=True):
    dots = axis.scatter(*place.T, c=color, s=4, cmap="viridis", rasterized=True)
    figure.colorbar(dots, ax=axis)
    axis.set(title=title, xticks=[], yticks=[])
share = values.safe.mean()
limit = f"$V_c \\leq {policy.threshold:.2f}$"
figure.suptitle(f"{policy.task or data.name}: {count} states, {share:.0%} safe ({limit})")
figure.savefig(arguments.out, dpi=150)
print(f"{count} states, {share:.1%} safe -> {arguments.out}")
