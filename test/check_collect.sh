#!/usr/bin/env bash
# Every driver of r2pac.collect makes a file that the program takes: check_collect.sh R2PAC SOURCE_FOLDER. Two candidates
# for each task; what they earn is not looked at. With R2PAC_THOROUGH=N about N times as many. Exits with 77 where the
# simulators are missing.
set -euo pipefail
r2pac=$1 source=$2
export R2PAC=$r2pac PYTHON=${R2PAC_SIMULATORS_PYTHON:-$source/.simulators/bin/python3} PYTHONPATH=$source/python
export OMP_NUM_THREADS=1 TIMES=${R2PAC_THOROUGH:-1}
"$PYTHON" -c 'import h5py, bullet_safety_gym' 2>/dev/null || { echo "skipped: no simulators; ./setup.sh --simulators"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

collect() {  # TASK: says what is wrong
  set -euo pipefail
  local task=$1 candidates=$((2 * TIMES)) seed=0 file
  # Most swimmers cost more than the cap: of the first 14 of seed 0 all do, of the first 8 of this seed all but two.
  [ "$task" != SwimmerVelocity ] || { candidates=$((8 * TIMES)) seed=4; }
  fail() { echo "$task: $1" >&2; cat "$task/said" >&2; exit 255; }  # xargs stops
  mkdir "$task" && cd "$task"
  "$PYTHON" -m r2pac.collect --task "$task" --episodes 2 --candidates $candidates --seed $seed --jobs 1 --quiet >said 2>&1 ||
    { cd ..; fail "there is no file"; }
  file=$(ls -- *.hdf5)  # under the name that tells the task
  cd ..
  "$R2PAC" data check "$task/$file" >"$task/said" 2>&1 || fail "data check finds errors"
  grep -Eq 'no faults found|errors: 0' "$task/said" || fail "data check says nothing"
  # The program finds it as the task's, by its name, and can train on it; its episodes are complete.
  printf 'tasks = ["%s"]\nseeds = [0]\nmethods = ["bc"]\n' "$task" >"$task/e.toml"
  "$R2PAC" experiment plan "$task/e.toml" --data "$task" --size tiny --peak 50 >"$task/said" 2>&1 || fail "it gives no plan"
  grep -q '"kind":"train"' "$task/said" || fail "its name tells another task"
  "$R2PAC" data info "$task/$file" --json >"$task/said" 2>&1 || fail "data info fails"
  grep -q '"episodes": [12],' "$task/said" || fail "it has other episodes than two of the candidates"
  grep -q '"unfinished_last_episode": false' "$task/said" || fail "its last episode has no end"
}
export -f collect
"$PYTHON" -c 'from r2pac.collect.tasks import TASKS; print(*TASKS, sep="\n")' >tasks
xargs -P "$(nproc)" -I{} bash -c 'collect {}' <tasks || exit 1
[ "$(ls -- */*.hdf5 | wc -l)" -eq "$(wc -l <tasks)" ] || { echo "a task has no file"; exit 1; }
echo "$(wc -l <tasks) tasks"
