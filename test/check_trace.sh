#!/bin/sh
# Traces of several settings, made by the program and redone in JAX.
# usage: check_trace.sh R2PAC PYTHON SCRIPT; exits 77 where Python or a package is missing
set -eu
r2pac=$1 python=$2 script=$3
command -v "$python" >/dev/null || exit 77
"$python" -c 'import jax, safetensors, h5py' 2>/dev/null || exit 77
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$r2pac" data make reach-avoid -o "$folder/data.hdf5" --episodes 40 >/dev/null

redo() {
  echo "--- $*"
  "$r2pac" trace --data "$folder/data.hdf5" --task reach-avoid --hidden 24,24 --batch 64 -o "$folder/trace" "$@"
  "$python" "$script" "$folder/trace" --data "$folder/data.hdf5"
}
redo --double --steps 3 --schedule joint
redo --double --steps 4 --schedule sequential --set critic_steps=2
redo --double --steps 3 --schedule joint --set twin_critics=false --set layer_norm=true --set activation=gelu_tanh \
  --set threshold_ema=0.9 --set penalty_reading=direct
redo --double --steps 2 --schedule joint --set timeouts_are_terminal=true --set penalty_reading=none
redo --steps 2 --schedule joint

# A trace in which one gradient was changed must be refused.
"$r2pac" trace --data "$folder/data.hdf5" --task reach-avoid --hidden 24,24 --batch 64 --double --steps 1 --schedule joint -o "$folder/trace"
"$python" - "$folder/trace" "$folder/changed" <<'PYTHON'
import sys
from safetensors import safe_open
from safetensors.numpy import save_file
with safe_open(sys.argv[1], framework="np") as file:
    tensors = {name: file.get_tensor(name) for name in file.keys()}
    metadata = {k: v for k, v in file.metadata().items() if "xxh3" not in k}
tensors["step.0/gradient/v_c.1.weight"] = tensors["step.0/gradient/v_c.1.weight"] * (1 + 1e-8)
save_file(tensors, sys.argv[2], metadata)
PYTHON
if "$python" "$script" "$folder/changed" >/dev/null; then
  echo "a changed gradient was accepted" >&2
  exit 1
fi
echo "a changed gradient is refused"
