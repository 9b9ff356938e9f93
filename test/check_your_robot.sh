#!/usr/bin/env bash
# The commands of docs/your-robot.md work as they are printed: check_your_robot.sh PROGRAM. They run in one folder, in turn, on
# a log of 40 short episodes, with networks of seconds; what is small is said in `small`.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
. "$source/test/page_commands.sh"
export PATH=$(dirname "$1"):$PATH
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT && cd "$scratch"
awk -v episodes=40 -v steps=30 -f "$source/test/make_log.awk" >log.csv

small() {
  local command=${1//--preset quick/--preset tiny}
  echo "${command//r2pac ope/r2pac ope --steps 60}"
}
run_page "$source/docs/your-robot.md" 12
require robot.png runs/robot/ope.json
grep -q '"format": "r2pac-ope-1"' runs/robot/ope.json
cut -d, -f4 scaled.csv | awk 'NR > 1 && ($1 > 1 || $1 < -1) { exit 1 }'  # the page's scale is the log's
