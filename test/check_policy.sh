#!/bin/sh
# Policies of several settings, trained by the program and redone elsewhere.
# usage: check_policy.sh R2PAC PYTHON numpy|onnx FOLDER; FOLDER holds check_policy.py and the package r2pac. numpy redoes
# the policy's example, onnx exports and compares. Exits 77 where Python or a package is missing
set -eu
r2pac=$1 python=$2 way=$3 source=$4
case $way in
  numpy) packages='numpy, safetensors' ;;
  onnx) packages='onnx, onnxruntime, safetensors' ;;
  *) echo "check_policy.sh: $way is neither numpy nor onnx" >&2; exit 2 ;;
esac
command -v "$python" >/dev/null || exit 77
"$python" -c "import $packages" 2>/dev/null || exit 77
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

redo() {  # run folder
  if [ "$way" = numpy ]; then
    "$python" "$source/check_policy.py" "$1/policy.safetensors"
  else
    PYTHONPATH=$source "$python" -B -m r2pac.export_onnx "$1" -o "$1/onnx"
  fi
}

"$r2pac" data make reach-avoid -o "$folder/data.hdf5" --episodes 20 >/dev/null
i=0
for settings in "num_candidates=16" "twin_critics=false layer_norm=true" \
  "activation=gelu_tanh normalize_observations=true" "selection=region alpha=1 penalty_reading=none" \
  "selection=region alpha=0.02 twin_critics=false" "twin_critics=false layer_norm=true selection=region alpha=1" \
  "activation=gelu_tanh normalize_observations=true selection=region alpha=0.02" \
  "selection=region region_bound=0.5 label=null threshold=limit" "method=cloning normalize_observations=true" \
  "label_rule=reward" "actor=gaussian" "actor=weighted-flow" "backup=feasibility selection=region" \
  "method=safe-chunks actor=one-step" "method=safe-chunks actor=one-step act_with=flow budget=none" \
  "actor=one-step budget=remaining actor_hidden=20,12,8" \
  "method=safe-chunks actor_hidden=20,12,8" "method=safe-chunks budget=remaining cost_limit=2 cost_scale=0.5 bound_scale=0.5" \
  "method=budgeted" "method=budgeted budget=none cost_limit=30 twin_critics=false" \
  "method=budgeted selection=least-cost budget=remaining cost_scale=0.5 actor_hidden=20,12,8"; do
  i=$((i + 1))
  set --
  for setting in $settings; do set -- "$@" --set "$setting"; done
  echo "--- $settings"
  "$r2pac" train --data "$folder/data.hdf5" --task reach-avoid --hidden 24,24 --batch 64 --steps 60 --quiet \
    --out "$folder/run$i" "$@" >/dev/null
  if [ "$settings" = "actor=gaussian" ]; then
    if redo "$folder/run$i" 2>"$folder/said" || ! grep -q "only flows" "$folder/said"; then
      echo "a policy without a flow was not refused, or without the reason" >&2
      exit 1
    fi
  else
    redo "$folder/run$i"
  fi
done
