#!/usr/bin/env bash
# The commands of README.md work as they are printed: check_readme.sh PROGRAM. Each line of its blocks runs in one folder,
# in turn, with a file of five collected episodes, networks of seconds, and two methods of the table. What builds or
# installs is skipped by name: other parts of the continuous integration run it. Exits with 77 where the simulators or
# Snakemake are missing.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
export PATH=$(dirname "$1"):$PATH R2PAC_SIMULATORS_PYTHON=$source/.simulators/bin/python3
for need in simulators experiments; do
  [ -x "$source/.$need/bin/python3" ] || { echo "skipped: ./setup.sh --$need makes what this needs"; exit 77; }
done
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT && cd "$scratch"
ln -s "$source/experiments" experiments
mkdir data
file=SafetyBallRun-v0-80-940.hdf5
PYTHONPATH=$source/python "$R2PAC_SIMULATORS_PYTHON" -m r2pac.collect --task BallRun --episodes 5 --candidates 8 --quiet \
  -o "data/$file" >/dev/null
ln -s "data/$file" .

ran=0
while IFS= read -r command; do
  case $command in
    ./demo.sh* | ./test.sh* | ./setup.sh* | cmake* | pip* | build-cuda/*) echo "skipped: $command" && continue ;;
  esac
  command=${command//--preset quick/--preset tiny}
  command=${command//--size mini/--size tiny --only method=bc,method=r2pac}
  command=${command//DATA_FOLDER/data}
  echo "\$ $command"
  bash -c "$command" >out.txt 2>&1 </dev/null || { cat out.txt; exit 1; }
  ran=$((ran + 1))
done < <(awk '/^```/ { inside = !inside; next } inside' "$source/README.md" | sed 's/  *# .*//')
[ "$ran" -ge 6 ] || { echo "README.md has only $ran commands that were run"; exit 1; }
for made in runs/ball/policy.safetensors values.csv runs/ball/eval.json report/report.html out/table1-tiny/table.md; do
  [ -s "$made" ] || { echo "there is no $made"; ls -R . | head -60; exit 1; }
done
