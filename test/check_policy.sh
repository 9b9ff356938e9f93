#!/bin/sh
# Policies of several settings, trained by the program and redone in NumPy.
# usage: check_policy.sh R2PAC PYTHON SCRIPT; exits 77 where Python or a package is missing
set -eu
r2pac=$1 python=$2 script=$3
command -v "$python" >/dev/null || exit 77
"$python" -c 'import numpy, safetensors' 2>/dev/null || exit 77
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$r2pac" data make reach-avoid -o "$folder/data.hdf5" --episodes 20 >/dev/null
i=0
for settings in "num_candidates=16" "twin_critics=false layer_norm=true" \
  "activation=gelu_tanh normalize_observations=true" "selection=region alpha=1 penalty_reading=none" \
  "selection=region alpha=0.02 twin_critics=false"; do
  i=$((i + 1))
  set --
  for setting in $settings; do set -- "$@" --set "$setting"; done
  echo "--- $settings"
  "$r2pac" train --data "$folder/data.hdf5" --task reach-avoid --hidden 24,24 --batch 64 --steps 60 --quiet \
    --out "$folder/run$i" "$@" >/dev/null
  "$python" "$script" "$folder/run$i/policy.safetensors"
done
