#!/usr/bin/env bash
# The commands of README.md work as they are printed: check_readme.sh PROGRAM. Each line of its blocks runs in one folder,
# in turn, with a file of five collected episodes, networks of seconds, and two methods of the table. What builds or
# installs is skipped by name: other parts of the continuous integration run it. Exits with 77 where the simulators or
# Snakemake are missing.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
. "$source/test/page_commands.sh"
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

small() {
  local command=$1
  case $command in ./demo.sh* | ./test.sh* | ./setup.sh* | cmake* | pip* | build-cuda/*) return ;; esac
  command=${command//--preset quick/--preset tiny}
  command=${command//--size mini/--size tiny --only method=bc,method=r2pac}
  echo "${command//DATA_FOLDER/data}"
}
run_page "$source/README.md" 6
require runs/ball/policy.safetensors values.csv runs/ball/eval.json report/report.html out/table1-tiny/table.md
