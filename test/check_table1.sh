#!/usr/bin/env bash
# The first table of the paper in its smallest size, from data that are collected here: check_table1.sh R2PAC SOURCE_FOLDER.
# Its form must be that of test/golden/table1-tiny.md; what the policies score is not looked at. Exits with 77 where
# the simulators or Snakemake are missing.
set -euo pipefail
r2pac=$1 source=$2
skip() { echo "skipped: $1"; exit 77; }
[ -x "$source/.simulators/bin/python3" ] || skip "no simulators; ./setup.sh --simulators"
[ -x "$source/.experiments/bin/snakemake" ] || skip "no Snakemake; ./setup.sh --experiments"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/data"
for task in BallRun CarRun; do
  PYTHONPATH=$source/python "$source/.simulators/bin/python3" -m r2pac.collect --task $task --episodes 5 --candidates 8 \
    --quiet -o "$scratch/data/Safety$task-v0-80-5.hdf5" >/dev/null
done
# All columns but CDT, which runs by other code (check_cdt.sh).
run() {
  R2PAC_SIMULATORS_PYTHON=$source/.simulators/bin/python3 "$r2pac" experiment run "$source/experiments/table1.toml" \
    --only method=bc,method=bc-safe,method=cpq,method=coptidice,method=caps,method=fisor,method=bcrl,method=cloning,method=r2pac,method=safe-chunks,method=budgeted \
    --data "$scratch/data" --size tiny -o "$scratch/out" "$@"
}
run >/dev/null 2>"$scratch/err" || { cat "$scratch/err"; exit 1; }
# Numbers become N; marks of what is safe or best depend on them.
form() { sed -E 's/-?[0-9]+\.[0-9]+/N/g; /^\| /s/(\*\*|\\\*|[¹²])//g; s#[0-9]+/2#N/2#g' "$1"; }
form "$scratch/out/table1-tiny/table.md" >"$scratch/form"
diff "$source/test/golden/table1-tiny.md" "$scratch/form"
for kind in tex html csv; do
  [ -s "$scratch/out/table1-tiny/table.$kind" ] || { echo "there is no table.$kind"; exit 1; }
done
# The same command again has nothing to do.
run --dry-run | grep -q '^46 jobs, 46 of them done'
