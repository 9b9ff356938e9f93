#!/bin/sh
# Traces of several settings, made by the program and redone in JAX.
# usage: check_trace.sh R2PAC PYTHON SCRIPT [DEVICE]; exits 77 where Python or a package is missing
# On the CPU in double precision; on another device in single precision, which the script allows for.
set -eu
r2pac=$1 python=$2 script=$3 device=${4-cpu}
if [ "$device" = cpu ]; then precision=--double; else precision=; fi
command -v "$python" >/dev/null || exit 77
"$python" -c 'import jax, safetensors, h5py' 2>/dev/null || exit 77
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$r2pac" data make reach-avoid -o "$folder/data.hdf5" --episodes 40 >/dev/null
# Every other episode as if it had ended genuinely, which the robot's never do.
"$python" - "$folder/data.hdf5" <<'PYTHON'
import sys
import h5py
import numpy as np
with h5py.File(sys.argv[1], "r+") as file:
    ends = np.flatnonzero(file["timeouts"][:])[::2]
    file["timeouts"][ends] = False
    file["terminals"][ends] = True
PYTHON

mkdir "$folder/traces"
make() {  # a trace named after its options
  "$r2pac" trace --device "$device" --data "$folder/data.hdf5" --task reach-avoid --hidden 24,24 --batch 65 \
    -o "$folder/traces/$*" "$@"
}
status=0
"$r2pac" trace --device "$device" --data "$folder/data.hdf5" --hidden 8 --steps 1 -o "$folder/trace" >/dev/null || status=$?
[ "$status" -ne 6 ] || { echo "skipped: no such device"; exit 77; }
make $precision --steps 3 --schedule joint
make $precision --steps 4 --schedule sequential --set critic_steps=2 --set alpha=0.5  # a row's own value is the threshold
make $precision --steps 2 --schedule sequential --set critic_steps=1 --set label_dropout=1
make $precision --steps 3 --schedule joint --set twin_critics=false --set layer_norm=true --set activation=gelu_tanh \
  --set threshold_ema=0.9 --set penalty_reading=direct
make $precision --steps 2 --schedule joint --set timeouts=terminal --set threshold=limit --set penalty_reading=none
make $precision --steps 2 --schedule joint --set pad_terminals=true --set normalize_observations=true --set steps=1
make $precision --steps 2 --schedule joint --set normal_scores=all --set normalize_observations=true --set steps=1
make $precision --steps 2 --schedule joint --set threshold=zero
make $precision --steps 2 --set method=cloning
make $precision --steps 3 --schedule joint --set label_rule=reward
make $precision --steps 3 --set critic_steps=1 --set label_rule=reward
make $precision --steps 3 --schedule joint --set actor=gaussian --set weight_cap=20
make $precision --steps 3 --set critic_steps=1 --set actor=gaussian
make $precision --steps 3 --schedule joint --set actor=weighted-flow
make $precision --steps 3 --set critic_steps=1 --set actor=weighted-flow
make $precision --steps 3 --schedule joint --set backup=feasibility --set pad_terminals=true
make $precision --steps 3 --set critic_steps=2 --set backup=feasibility --set feasibility_scale=1 --set bounded_values=false
make $precision --steps 3 --schedule joint --method safe-chunks --set actor_hidden=12,8,8 --set cost_expectile=0.97
make $precision --steps 3 --schedule joint --method safe-chunks --set cost_ceiling=0.01 --set bounded_values=false
make $precision --steps 4 --method safe-chunks --set critic_steps=2 --set steps=2 --set rate_decay=cosine
make $precision --steps 4 --method safe-chunks --set critic_steps=2 --set threshold=quantile --set cost_limit=1
make $precision --steps 3 --schedule joint --method safe-chunks --set actor=one-step --set actor_hidden=12,8,8
make $precision --steps 5 --method safe-chunks --set actor=one-step --set critic_steps=1 --set steps=2 --set cost_limit=0.2
make $precision --steps 4 --set actor=one-step --set critic_steps=1 --set steps=1 --set distill_steps=2 --set gate_weight=3 \
  --set twin_critics=false --set activation=gelu_tanh --set distill_flow_steps=2
make $precision --steps 3 --schedule joint --method budgeted --set cost_scale=0.5
make $precision --steps 4 --method budgeted --set critic_steps=2 --set greatest_limit=3 --set actor_hidden=12,8,8
make $precision --steps 2 --method budgeted --set critic_steps=1 --set label_dropout=1 --set cost_limit=30
make $precision --steps 2 --schedule joint --set activation=relu --set episodes=within-limit
make --steps 2 --schedule joint
"$python" "$script" "$folder"/traces/* --data "$folder/data.hdf5"
if [ "$device" != cpu ]; then exit 0; fi

# A trace in which one gradient was changed, or from which one loss was taken, must be refused.
"$r2pac" trace --data "$folder/data.hdf5" --task reach-avoid --hidden 24,24 --batch 64 --double --steps 1 --schedule joint -o "$folder/trace"
"$python" - "$folder/trace" "$folder/changed" "$folder/shortened" "$folder/older" <<'PYTHON'
import sys
from safetensors import safe_open
from safetensors.numpy import save_file
with safe_open(sys.argv[1], framework="np") as file:
    tensors = {name: file.get_tensor(name) for name in file.keys()}
    metadata = {k: v for k, v in file.metadata().items() if "xxh3" not in k}
gradient = tensors["step.0/gradient/v_c.1.weight"]
save_file({**tensors, "step.0/gradient/v_c.1.weight": gradient * (1 + 1e-8)}, sys.argv[2], metadata)
del tensors["step.0/loss/v_c"]
save_file(tensors, sys.argv[3], metadata)
save_file(tensors, sys.argv[4], {**metadata, "format": "r2pac-trace-1"})
PYTHON
status=0
"$python" "$script" "$folder/older" 2>"$folder/said" || status=$?
if [ "$status" -ne 1 ] || ! grep -q "not a trace of the format .*its format: r2pac-trace-1" "$folder/said"; then
  echo "a trace of another format was accepted (status $status)" >&2
  exit 1
fi
for case in changed shortened; do
  status=0
  "$python" "$script" "$folder/$case" >"$folder/said" || status=$?
  if [ "$status" -ne 1 ] || ! grep -q "DIFFERS .*v_c" "$folder/said"; then
    echo "a $case trace was accepted (status $status)" >&2
    exit 1
  fi
done
echo "a changed gradient, a missing loss and another format are refused"
