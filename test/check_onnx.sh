#!/bin/sh
# Policies of several settings, trained by the program, exported to ONNX and compared.
# usage: check_onnx.sh R2PAC PYTHON FOLDER_OF_THE_PACKAGE; exits 77 where Python or a package is missing
set -eu
r2pac=$1 python=$2 package=$3
command -v "$python" >/dev/null || exit 77
"$python" -c 'import onnx, onnxruntime, safetensors' 2>/dev/null || exit 77
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$r2pac" data make reach-avoid -o "$folder/data.hdf5" --episodes 20 >/dev/null
i=0
for settings in "num_candidates=16" "twin_critics=false layer_norm=true selection=region alpha=1" \
  "activation=gelu_tanh normalize_observations=true selection=region alpha=0.02"; do
  i=$((i + 1))
  set --
  for setting in $settings; do set -- "$@" --set "$setting"; done
  echo "--- $settings"
  "$r2pac" train --data "$folder/data.hdf5" --task reach-avoid --hidden 24,24 --batch 64 --steps 60 --quiet \
    --out "$folder/run$i" "$@" >/dev/null
  PYTHONPATH=$package "$python" -B -m r2pac.export_onnx "$folder/run$i" -o "$folder/out$i"
done
