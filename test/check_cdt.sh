#!/usr/bin/env bash
# CDT beside the program, by its published code: check_cdt.sh R2PAC SOURCE_FOLDER. How it acts and goes on
# (python/check_cdt.py), its command stopped by a signal, its scores, and its column of an experiment. Exits with 77
# where the published code is missing, and leaves out the experiment where Snakemake is.
set -euo pipefail
r2pac=$1 source=$2 python=$2/.baselines/bin/python3
[ -x "$python" ] || { echo "skipped: no published code; ./setup.sh --baselines"; exit 77; }
export PYTHONPATH=$source/python R2PAC_BINARY=$r2pac
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "$1" >&2; exit 1; }
mkdir "$scratch/check" "$scratch/data"
data=$scratch/data/robot.hdf5
"$r2pac" data make reach-avoid -o "$data" --episodes 20 >/dev/null
"$python" "$source/python/check_cdt.py" "$data" "$scratch/check"

train() { "$python" -m r2pac.baselines.cdt --data "$data" --size tiny --steps "$1" --seed 3 --out "$2" "${@:3}"; }
train 300 "$scratch/whole" >/dev/null
(exec "$python" -m r2pac.baselines.cdt --data "$data" --size tiny --steps 300 --seed 3 --out "$scratch/stopped" \
  --save-every 20 >"$scratch/said") & training=$!
for _ in $(seq 600); do grep -q '^step 20 of' "$scratch/said" && break; sleep 0.05; done
kill -TERM $training
status=0; wait $training || status=$?
[ $status -eq 75 ] || fail "a training that was told to stop ended with $status"
train 300 "$scratch/stopped" >"$scratch/said"
grep -q '^continuing at step' "$scratch/said" || fail "the training began anew"
cmp "$scratch/whole/policy.safetensors" "$scratch/stopped/policy.safetensors"
[ ! -e "$scratch/stopped/checkpoint.safetensors" ] || fail "a state remains beside the policy"
status=0; train 200 "$scratch/whole" >/dev/null 2>&1 || status=$?
[ $status -eq 4 ] || fail "the folder of another training was taken ($status)"

"$python" -m r2pac.score r2pac.baselines.cdt:make --set run="$scratch/whole" --env reach-avoid --episodes 2 \
  -o "$scratch/eval.json" >/dev/null
for text in '"method": "CDT"' '"program": "osrl-lib 0.1.0"' '"train_seed": 3' '"step": 300' '"cost_limit": 5.0'; do
  grep -q "$text" "$scratch/eval.json" || fail "eval.json does not say $text"
done
fingerprint=$("$r2pac" data info "$data" --json | sed -n 's/.*"fingerprint": "\([0-9a-f]*\)".*/\1/p')
[ -n "$fingerprint" ] && grep -q "\"data_fingerprint\": \"$fingerprint\"" "$scratch/eval.json" ||
  fail "eval.json has another fingerprint of the data"
"$r2pac" report "$scratch/eval.json" -o "$scratch/report" >/dev/null

[ -x "$source/.experiments/bin/snakemake" ] || { echo "no experiment: no Snakemake"; exit 0; }
cat >"$scratch/e.toml" <<'END'
title = "Beside"
tasks = [{ name = "robot", task = "ReachAvoid", data = "robot.hdf5" }]
seeds = [0]
methods = ["bc", "cdt"]
score = { episodes = 2 }
END
run() { "$r2pac" experiment run "$scratch/e.toml" --data "$scratch/data" --size tiny --peak 50 -o "$scratch/out" "$@"; }
run >"$scratch/table" 2>"$scratch/err" || { cat "$scratch/err" "$scratch"/out/jobs/*.log; exit 1; }
grep -Eq '^\| robot \|( [^|]*[0-9.]+ / [^|]*[0-9.]+[^|]* \|){2}$' "$scratch/table" || { cat "$scratch/table"; exit 1; }
run --dry-run >"$scratch/said"
grep -q '^4 jobs, 4 of them done' "$scratch/said"
"$r2pac" report "$scratch"/out/runs/*/*/*/seed*/eval-*.json "$scratch"/out/beside/*/*/*/seed*/eval-*.json \
  -o "$scratch/report" >"$scratch/said"
grep -q 'method=CDT, program=osrl-lib 0.1.0' "$scratch/said" || { cat "$scratch/said"; fail "the report does not name CDT"; }
