#!/usr/bin/env bash
# Maps of values: check_value_map.sh R2PAC SOURCE_FOLDER. A tiny experiment whose report is such a map, the same picture
# again, and what is said of policies that make no pair. Exits with 77 where UMAP is missing.
set -euo pipefail
r2pac=$1 source=$2 python=$2/.umap/bin/python3
[ -x "$python" ] || { echo "skipped: no UMAP; ./setup.sh --umap"; exit 77; }
export PYTHONPATH=$source/python R2PAC_BINARY=$r2pac OMP_NUM_THREADS=1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
fail() { echo "$1" >&2; exit 1; }
mkdir data
"$r2pac" data make reach-avoid -o data/robot.hdf5 --episodes 10 >/dev/null
cat >maps.toml <<'END'
title = "Maps"
tasks = [{ name = "robot", task = "ReachAvoid", data = "robot.hdf5" }]
seeds = [0]
methods = ["r2pac"]
score = { episodes = 1 }
report = "umap"
[variants]
"w/o penalised V_r" = { penalty_reading = "none" }
"ours" = {}
END
mkdir -p out/maps-tiny
"$r2pac" experiment plan maps.toml --data data --size tiny --peak 50 -o out >out/maps-tiny/plan.jsonl
report() { "$r2pac" experiment report out/maps-tiny --html >table 2>said; }
report
grep -q 'note: no map of robot: no seed has a finished training' said || fail "nothing is said of trainings that are missing"
"$python" - out/maps-tiny/plan.jsonl >ids <<'END'
import json, sys
print(*(job["id"] for job in map(json.loads, open(sys.argv[1])) if job["kind"] == "train"))
END
for id in $(cat ids); do "$r2pac" experiment job "$id" --plan out/maps-tiny/plan.jsonl; done
report || { cat said; fail "there is no report"; }
grep -q 'umap-robot.png, umap-robot.pdf' said || { cat said; fail "the map is not named"; }
grep -q 'umap-TASK.png' out/maps-tiny/report.html || fail "the page does not say where the map is"

plain=$(echo out/runs/*/*/penalty*/seed*) penalised=$(echo out/runs/*/*/default/seed*)
module=(-m r2pac.value_map)
map() { "$python" "${module[@]}" --plain "$1" --penalised "$2" --data "$3" --out again.png "${@:4}" >said 2>&1; }
map "$plain" "$penalised" data/robot.hdf5 || { cat said; fail "there is no map"; }
cmp again.png out/maps-tiny/umap-robot.png || fail "the same arguments give another picture"
rm again.png

refuses() {  # STATUS TEXT ARGUMENTS OF map
  local status=0
  map "${@:3}" || status=$?
  [ $status -eq "$1" ] && grep -q "$2" said || { cat said; fail "status $status instead of $1, $2"; }
  [ ! -e again.png ] || fail "there is a picture"
}
refuses 4 'trained with the penalty' "$penalised" "$penalised" data/robot.hdf5
refuses 4 'trained without the penalty' "$plain" "$plain" data/robot.hdf5
refuses 3 'cannot be read' "$plain" "$penalised" data/none.hdf5
refuses 5 'cannot read the file' "$plain" none data/robot.hdf5
refuses 2 'states must be from' "$plain" "$penalised" data/robot.hdf5 --states 15
"$r2pac" data make reach-avoid -o other.hdf5 --episodes 5 --seed 8 >/dev/null
"$r2pac" train --data other.hdf5 --preset tiny --out other --quiet >/dev/null 2>&1
refuses 3 'different data' "$plain" other data/robot.hdf5
"$python" - <<'END'  # observations of one number less
import h5py
with h5py.File("data/robot.hdf5") as old, h5py.File("narrow.hdf5", "w") as new:
    for name, column in old.items():
        new[name] = column[:, :-1] if name.endswith("observations") else column[:]
END
refuses 3 'the data have observations of' "$plain" "$penalised" narrow.hdf5
module=(-c 'import sys; sys.modules["umap"] = None; from r2pac.value_map import main; sys.exit(main())')
refuses 2 './setup.sh --umap' "$plain" "$penalised" data/robot.hdf5
