#!/usr/bin/env bash
# The price of acting in one pass: bench/one_step.sh DATA_FOLDER OUT_FOLDER
# Trains safe chunks with actor=one-step on each DSRL file, and scores that policy and the flow that it was distilled
# from, with 64 candidates of 8 steps (safe chunks' own), 16 of 32, 16 of 8 and one of 8. Prints one table: return
# and cost of 20 episodes, the share within the limit, and the milliseconds of one decision on one thread. Finished
# runs and scores are kept.
# R2PAC names the program (build/bin/r2pac), TASKS the tasks (all of the folder), SEED the seed (0), and SETTINGS
# further arguments of train (--preset quick).
set -euo pipefail
data=$1 out=$2
r2pac=${R2PAC:-$(dirname "$0")/../build/bin/r2pac}
mkdir -p "$out/scores"
number() { sed -n "s/^ *\"$1\": *\([-0-9.e+]*\),*$/\1/p"; }

echo '| task | acting | return | of 64 x 8 | cost | limit | within | ms |'
echo '|---|---|---:|---:|---:|---:|---:|---:|'
for file in "$data"/Safety*.hdf5; do
  task=$("$r2pac" config show --task "$file" | sed -n 's/^task = "\(.*\)"$/\1/p')
  [[ " ${TASKS:-$task} " = *" $task "* ]] || continue
  run=$out/$task-${SEED:-0}
  [ -e "$run/policy.safetensors" ] || "$r2pac" train --data "$file" --method safe-chunks --set actor=one-step \
    --seed "${SEED:-0}" --threads 1 --quiet --out "$run" ${SETTINGS:---preset quick} >/dev/null
  best=
  while IFS='|' read -r name acting; do
    scores=$out/scores/$task-${SEED:-0}-${name// /-}.json
    [ -e "$scores" ] || "$r2pac" eval "$run" --episodes 20 --seed 500 --threads 1 -o "$scores" $acting >/dev/null
    ms=$("$r2pac" bench action --policy "$run" --threads 1 --json $acting | number median_ms)
    earned=$(number return_mean <"$scores")
    best=${best:-$earned}
    awk -v task="$task" -v name="$name" -v earned="$earned" -v best="$best" -v cost="$(number cost_mean <"$scores")" \
      -v limit="$(number cost_limit <"$scores")" -v within="$(number share_within_limit <"$scores")" -v ms="$ms" \
      'BEGIN { printf "| %s | %s | %.1f | %.1f %% | %.2f | %g | %.2f | %.3f |\n", task, name, earned,
                      100 * earned / best, cost, limit, within, ms }'
  done <<'ACTINGS'
64 x 8|--set act_with=flow --candidates 64 --flow-steps 8
16 x 32|--set act_with=flow --candidates 16 --flow-steps 32
16 x 8|--set act_with=flow --candidates 16 --flow-steps 8
1 x 8|--set act_with=flow --candidates 1 --flow-steps 8
one step|
ACTINGS
done
