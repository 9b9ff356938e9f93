#!/usr/bin/env bash
# Trains and scores what docs/results.md shows: bench/results.sh DATA_FOLDER OUT_FOLDER [quick|short|long]
#   quick  --preset quick, 3 seeds, one thread; METHODS chooses among safe (safe chunks), budgeted, r2pac (as printed),
#          r2pacbetter (R2PAC with better settings), clonesafe (cloning of the episodes within the limit), and safe chunks
#          of which one part is taken away: nomask, penalty (in place of the mask), nonorm (layer norm), nonormal
#          (normalised observations), noregion (the limit as the region), each as safe chunks act; tenfold is safe chunks
#          of ten times the steps, navigation those of the preset navigation; bench/quick_table.py OUT_FOLDER prints the table
#   short  12,000 joint steps of 3 x 256, batch 256: R2PAC and cloning of safe episodes, 3 seeds a file
#   long   200,000 joint steps of 3 x 128, batch 128, three readings of the penalty, and the flows of the
#          sequential schedule on the same critics; one seed
# DATA_FOLDER holds DSRL files. Finished runs and scores are kept, so that the same command goes on after a stop.
# R2PAC names the program (build/bin/r2pac), THREADS its threads (all), SEEDS the seeds of `quick` and `short`, STEPS
# other steps, TASKS the tasks (all of the folder).
set -euo pipefail
data=$1 out=$2 what=${3:-short}
r2pac=${R2PAC:-$(dirname "$0")/../build/bin/r2pac} threads=${THREADS:-0}
mkdir -p "$out/data" "$out/scores"

train() {  # name, then the arguments of train
  local name=$1
  shift
  [ -e "$out/$name/policy.safetensors" ] || "$r2pac" train --out "$out/$name" --threads "$threads" --quiet "$@"
}
score() {  # run, candidates, selection, guidance, then other arguments of eval
  local file=$out/scores/$1-$2-$3-$4.json
  [ -e "$file" ] || "$r2pac" eval "$out/$1" --candidates "$2" --select "$3" --guidance "$4" --episodes 20 \
    --threads "$threads" -o "$file" "${@:5}"
}
# R2PAC with all that safe chunks have but the mask.
chunks=$(printf ' --set %s' threshold=limit label_rule=allowed layer_norm=true normalize_observations=true rate_decay=cosine \
  cost_ceiling=4 cost_expectile=0.95 num_candidates=64 flow_steps=8 guidance_scale=1.5 selection=region bound_scale=0.25 budget=half)
stated() {  # run, number that its policy states
  "$r2pac" inspect "$out/$1" --json | sed -n "s/.*\"$2\": *\"\([^\"]*\)\".*/\1/p"
}
by_l_alone() {  # run, candidates: region, where l lies above Eq. 42's limit; elsewhere that is what region does
  local file=$out/scores/$1-$2-region-l.json l limit
  [ -e "$file" ] && return
  l=$(stated "$1" threshold) limit=$(stated "$1" value_limit)
  awk -v l="$l" -v limit="$limit" 'BEGIN { exit !(l > limit) }' || return 0
  "$r2pac" eval "$out/$1" --candidates "$2" --select region --threshold "$l" --episodes 20 --threads "$threads" -o "$file"
}

for file in "$data"/Safety*.hdf5; do
  task=$("$r2pac" config show --task "$file" | sed -n 's/^task = "\(.*\)"$/\1/p')
  [[ " ${TASKS:-$task} " = *" $task "* ]] || continue
  if [ "$what" = quick ]; then
    threads=1
    # name | settings of training | settings of acting, one score each
    while IFS='|' read -r name settings actings; do
      [[ " ${METHODS:-$name} " = *" $name "* ]] || continue
      [[ $settings = *--preset* ]] || settings="--preset quick $settings"
      for seed in ${SEEDS:-0 1 2}; do
        run=quick-$name-$task-$seed
        train "$run" --data "$file" --seed "$seed" $settings
        [ "$name" = clonesafe ] || [ -e "$out/scores/$run.diagnosis.json" ] ||  # a clone has no critics
          "$r2pac" diagnose "$out/$run" --data "$file" -o "$out/scores/$run.diagnosis.json" >/dev/null
        for acting in $actings; do
          score_as="$out/scores/$run-${acting//[^a-z0-9]/-}.json"
          [ -e "$score_as" ] || "$r2pac" eval "$out/$run" --episodes 20 --seed 2000 --threads 1 -o "$score_as" \
            ${acting//,/ --set } >/dev/null
        done
      done
    done <<RUNS
safe|--method safe-chunks|,budget=half ,budget=remaining ,budget=none ,budget=half,bound_scale=1 ,budget=remaining,bound_scale=1 ,budget=none,bound_scale=1
budgeted|--method budgeted|,budget=remaining
r2pac||,selection=least-cost ,selection=region
r2pacbetter|--set layer_norm=true --set normalize_observations=true --set penalty_reading=direct|,selection=region
clonesafe|--method cloning --set episodes=within-limit|,num_candidates=1
nomask|$chunks --set penalty_reading=none|,budget=half
penalty|$chunks --set penalty_reading=direct|,budget=half
nonorm|--method safe-chunks --set layer_norm=false|,budget=half
nonormal|--method safe-chunks --set normalize_observations=false|,budget=half
noregion|--method safe-chunks --set threshold=quantile|,budget=half
navigation|--method safe-chunks --preset navigation --hold-out 0.1|,budget=half ,budget=none
tenfold|--method safe-chunks --set critic_steps=280000 --set steps=200000|,budget=half
RUNS
  elif [ "$what" = short ]; then
    settings=(--steps "${STEPS:-12000}" --hidden 256,256,256 --batch 256)
    safe=$out/data/$(basename "$file" .hdf5)-safe.hdf5
    [ -e "$safe" ] || "$r2pac" data convert "$file" --from dsrl -o "$safe" --max-cost 5
    for seed in ${SEEDS:-0 1 2}; do
      train "r2pac-$task-$seed" --data "$file" --seed "$seed" --schedule joint "${settings[@]}"
      train "cloning-$task-$seed" --data "$safe" --task "$task" --seed "$seed" "${settings[@]}" \
        --method cloning
      for rule in "16 least-cost 2" "16 region 2" "4 least-cost 2" "4 region 2" "1 least-cost 2"; do
        score "r2pac-$task-$seed" $rule
      done
      by_l_alone "r2pac-$task-$seed" 16
      by_l_alone "r2pac-$task-$seed" 4
      score "cloning-$task-$seed" 1 least-cost 1 --label null
    done
    for selection in least-cost region; do score "r2pac-$task-0" 8 "$selection" 2; done
    for guidance in 1 1.5; do
      for selection in least-cost region; do score "r2pac-$task-0" 16 "$selection" "$guidance"; done
    done
  else
    settings=(--steps "${STEPS:-200000}" --hidden 128,128,128 --batch 128 --set checkpoint_every=20000 --set keep_checkpoints=20)
    curves=(--eval-env "$task" --eval-every 20000 --eval-episodes 10)
    for reading in absorbing direct none; do
      run=long-$reading-$task
      train "$run" --data "$file" --schedule joint "${settings[@]}" "${curves[@]}" --set penalty_reading=$reading
      train "$run-sequential" --data "$file" "${settings[@]}" "${curves[@]}" --set penalty_reading=$reading \
        --critics "$out/$run"
      for rule in "16 least-cost 2" "16 region 2" "1 least-cost 2"; do
        score "$run" $rule
        score "$run-sequential" $rule
      done
      by_l_alone "$run" 16
      by_l_alone "$run-sequential" 16
    done
  fi
done
[ "$what" = quick ] || "$r2pac" report "$out"/scores/*.json -o "$out/report"
