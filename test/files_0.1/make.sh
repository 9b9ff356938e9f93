#!/bin/sh
# Makes the files of this folder with the program of commit d28c3e8 (version 0.1.0): ./make.sh R2PAC OUT
set -eu
r2pac=$(realpath "$1")
export R2PAC_ISA=baseline
mkdir "$2"
cd "$2"

"$r2pac" data make reach-avoid -o data.hdf5 --episodes 3
for i in 1 2 3 4 5; do
  awk -v i=$i 'BEGIN { for (j = 0; j < 7; ++j) printf "%s%.3f", j ? "," : "[", sin(7 * i + 3 * j); print "]" }'
done >observations.jsonl

train() {  # run folder, flags
  run=$1
  shift
  "$r2pac" train --data data.hdf5 --task reach-avoid --hidden 8,8 --batch 16 --steps 40 --seed 5 --threads 1 \
    --set label_dim=4 --set log_every=10 --set checkpoint_every=20 --set keep_checkpoints=9 --out "$run" --quiet "$@"
}
train joint --schedule joint --set selection=region --set alpha=0.5
train sequential --schedule sequential --set timeouts_are_terminal=true --set normalize_observations=true
train cloning --schedule sequential --set critic_steps=0 --set label_dropout=1

"$r2pac" sample joint --obs observations.jsonl --seed 3 >joint/sample.jsonl
"$r2pac" sample sequential --obs observations.jsonl --seed 3 >sequential/sample.jsonl
"$r2pac" sample cloning --obs observations.jsonl --seed 3 --candidates 1 --guidance 1 --label null >cloning/sample.jsonl
"$r2pac" eval joint --env reach-avoid --episodes 2 --seed 1
"$r2pac" trace --data data.hdf5 --config joint/config.toml --steps 1 --threads 1 -o trace.safetensors

# Kept: a checkpoint in the middle of the joint run, and one in each phase of the sequential run.
rm -r cloning/checkpoints */manifest.json */timing.jsonl
rm joint/checkpoints/*40.safetensors sequential/checkpoints/*[48]0.safetensors
