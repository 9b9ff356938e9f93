#!/bin/sh
# Traces of published methods, made by the program and redone by another one.
# usage: check_methods.sh R2PAC PYTHON SCRIPT [published]; exits 77 where Python or a package is missing
# With `published` the script knows the published forms only: it is the published code (./setup.sh --baselines).
set -eu
r2pac=$1 python=$2 script=$3 forms=${4-both}
command -v "$python" >/dev/null || { echo "skipped: there is no $python"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$r2pac" data make reach-avoid -o "$folder/data.hdf5" --episodes 40 >/dev/null
mkdir "$folder/traces"
make() {  # a trace named after its options; the limit lies among the first values of cost
  "$r2pac" trace --data "$folder/data.hdf5" --task reach-avoid --hidden 24,24 --batch 65 --double --steps 4 \
    --set cost_limit=0.05 --set vae_hidden=20,20 -o "$folder/traces/$*" "$@"
}
make --method bc
make --method bc-safe --set cost_limit=20 --set learning_rate=0.01
make --method cpq
make --method cpq --set dead_terms=true
make --method cpq --set dead_terms=true --set learning_rate=0.01 --set polyak=0.3 --set cost_scale=0.5
make --method coptidice
make --method coptidice --set learning_rate=0.01 --set cost_limit=3
if [ "$forms" = both ]; then
  make --method caps
  make --method caps --set heads=4 --set learning_rate=0.01 --set polyak=0.3 --set cost_scale=0.5 \
    --set cost_expectile=0.8 --set weight_cap=1.1 --set twin_critics=false
  make --method bcrl
  make --method bcrl --set learning_rate=0.01 --set polyak=0.3 --set cost_scale=0.5 --set timeouts=terminal \
    --set weight_cap=1.1 --set twin_critics=false --set cost_expectile=0.9 --set steps=6 --set layer_norm=false
  make --method bcrl --set steps=5 --set reward_scale=1000 --set expectile=0.9
  make --method fisor --set actor_hidden=16,16,16
  make --method fisor --set actor_hidden=20 --set learning_rate=0.01 --set polyak=0.3 --set feasibility_scale=3 \
    --set timeouts=bootstrap --set weight_cap=1.1 --set twin_critics=false
  make --method cpq --set form=consistent
  make --method cpq --set form=consistent --set learning_rate=0.01 --set polyak=0.3 --set timeouts=bootstrap
  make --method coptidice --set form=consistent
  make --method coptidice --set form=consistent --set learning_rate=0.01 --set cost_limit=3
fi
status=0
"$python" "$script" "$folder"/traces/* --data "$folder/data.hdf5" || status=$?
[ "$status" -eq 0 ] || exit "$status"

# A weight that was changed must be found.
"$python" - "$folder/traces/--method cpq" "$folder/changed" <<'PYTHON'
import sys
from safetensors import safe_open
from safetensors.numpy import save_file
with safe_open(sys.argv[1], framework="np") as file:
    tensors = {name: file.get_tensor(name) for name in file.keys()}
    metadata = {k: v for k, v in file.metadata().items() if "xxh3" not in k}
name = "step.3/after/online/trunk.0.weight"
save_file({**tensors, name: tensors[name] + 1e-8}, sys.argv[2], metadata)
PYTHON
status=0
"$python" "$script" "$folder/changed" --data "$folder/data.hdf5" >"$folder/said" || status=$?
if [ "$status" -ne 1 ] || ! grep -q "trunk.0.weight" "$folder/said"; then
  echo "a changed weight was accepted (status $status)" >&2
  exit 1
fi
echo "a changed weight is found"
