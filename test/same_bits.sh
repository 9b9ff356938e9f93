#!/usr/bin/env bash
# Whether two builds of the program compute the same numbers, bit for bit, and whether the second goes on with what
# the first wrote. For whoever changes the program without meaning to change a number.
#
#   test/same_bits.sh [--only WORD] OLD NEW    build folders or programs; WORD: of the names of configurations
#   test/same_bits.sh --self-check PROGRAM     whether this script sees faults
#
# Per configuration both programs train a small policy on the built-in robot's data, record traces, act and are
# scored. One line says what was compared, how many values, and `same` or where they differ. The line `old files`:
# NEW acts with the policy of OLD, and resumes from OLD's checkpoint and settings to OLD's end. Exit status 1 at any
# difference or failure, 2 for a wrong call. Names that changed between the programs stand in compare_runs.py.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
usage() { sed -n '5,6s/^# *//p' "$0" >&2; exit 2; }
program_of() {
  local path
  for path in "$1/bin/r2pac" "$1/r2pac" "$1"; do
    [ -f "$path" ] && [ -x "$path" ] && { realpath "$path"; return; }
  done
  echo "same_bits: there is no program in $1" >&2
  return 1
}
compare() { python3 "$here/compare_runs.py" "$@"; }

only=
if [ "${1-}" = --only ]; then only=${2-}; shift 2 || usage; fi
[ $# = 2 ] || usage
if [ "$1" = --self-check ]; then old=$(program_of "$2") || exit 2; new=$old
else old=$(program_of "$1") && new=$(program_of "$2") || exit 2; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# Name | settings of both | only of OLD, if of version 0.1 | only of NEW | flags of acting | how: NAME=VALUE for the environment,
# threads:N, killed (and resumed), critics (of another run), scored (on the way), ends (data with genuine ends).
configurations='
sequential |
joint | schedule=joint
sequential, critics for 25 steps | critic_steps=25
single critics | twin_critics=false schedule=joint
layer norm | layer_norm=true
tanh GELU | activation=gelu_tanh schedule=joint
direct penalty | penalty_reading=direct
no penalty | penalty_reading=none schedule=joint
smoothed threshold | threshold_ema=0.9 schedule=joint
timeouts as terminals | | timeouts_are_terminal=true | timeouts=terminal threshold=limit
timeouts as terminals, joint | schedule=joint | timeouts_are_terminal=true | timeouts=terminal threshold=limit
normalised observations | normalize_observations=true
unbounded values | bounded_values=false schedule=joint
genuine ends | schedule=joint | | | | ends
padded ends | pad_terminals=true | | | | ends
xavier | initializer=xavier
by region | selection=region alpha=0.5 schedule=joint
by region, when acting | | | | --select region --threshold 0.1
one candidate | num_candidates=1 schedule=joint
guidance 1, 5 flow steps | guidance_scale=1 flow_steps=5
null label, 3 candidates | schedule=joint | | | --label null --candidates 3
scales | reward_scale=3 cost_scale=0.5 cost_limit=7 discount=0.9 chunk_length=3
all at once | schedule=joint twin_critics=false layer_norm=true activation=gelu_tanh normalize_observations=true pad_terminals=true selection=region | | | | ends threads:2
cloning | num_candidates=1 guidance_scale=1 | schedule=sequential critic_steps=0 label_dropout=1 | method=cloning | --candidates 1 --guidance 1 --label null
cloning, joint | normalize_observations=true num_candidates=1 guidance_scale=1 | schedule=sequential critic_steps=0 label_dropout=1 | method=cloning schedule=joint | --candidates 1 --guidance 1 --label null | threads:2
critics of another run | critic_steps=0 | | | | critics
scored on the way | schedule=joint | | | | scored
2 threads | | | | | threads:2
2 threads, joint | schedule=joint | | | | threads:2
wide, 2 threads | schedule=joint hidden=200,136 batch=128 steps=4 checkpoint_every=2 | | | | threads:2
baseline | schedule=joint | | | | R2PAC_ISA=baseline
avx2 | | | | | R2PAC_ISA=avx2
avx2, 2 threads | schedule=joint | | | | R2PAC_ISA=avx2 threads:2
bf16 when acting | schedule=joint | | | --precision bf16
killed and resumed | steps=1200 log_every=100 | | | | killed
killed and resumed, joint | steps=1200 log_every=100 schedule=joint threshold_ema=0.9 | | | | killed'

small='hidden=24,17 batch=40 steps=40 label_dim=4 log_every=10 checkpoint_every=20 keep_checkpoints=100'

set_flags() { for setting in "$@"; do printf -- '--set\n%s\n' "$setting"; done; }

# act PROGRAM POLICY OUT FLAGS...: what the policy does.
act() {
  local program=$1 policy=$2 out=$3
  shift 3
  "$program" sample "$policy" --obs observations.jsonl --seed 3 "$@" >"$out/sample.jsonl"
  "$program" eval "$policy" --env reach-avoid --episodes 2 --seed 1 -o "$out/eval.json" "$@" >/dev/null
  case $kinds in *values*) "$program" values "$policy" --data "$data" -o "$out/values.csv" >/dev/null ;; esac
}

# train PROGRAM OUT FLAGS...: to the end; with `killed`, a kill without warning on the way.
train() {
  local program=$1 run=$2/run child
  shift 2
  set -- "$program" train --data "$data" --out "$run" --quiet --threads "$threads" "$@"
  if [ $killed = 1 ]; then
    "$@" >/dev/null &
    child=$!
    while kill -0 $child 2>/dev/null && [ ! -f "$run/checkpoints/step-000000020.safetensors" ]; do sleep 0.01; done
    kill -KILL $child
    wait $child 2>/dev/null || true
    [ ! -f "$run/policy.safetensors" ] || { echo "the run ended before the kill" >&2; return 1; }
  fi
  "$@" >/dev/null
}

# compute PROGRAM OUT SETTINGS...: all that is compared.
compute() {
  local program=$1 out=$2 flags more=()
  shift 2
  mkdir -p "$out"
  readarray -t flags < <(set_flags task=reach-avoid $small "$@")
  if [ $critics = 1 ]; then
    train "$program" "$out/critics" "${flags[@]}" --set critic_steps=40
    more=(--critics "$out/critics/run")
  fi
  [ $scored = 0 ] || more=(--eval-env reach-avoid --eval-every 20 --eval-episodes 2)
  train "$program" "$out" "${flags[@]}" "${more[@]}"
  "$program" trace --data "$data" "${flags[@]}" --steps 3 --threads "$threads" -o "$out/trace.safetensors" >/dev/null
  "$program" trace --data "$data" "${flags[@]}" --steps 3 --double -o "$out/double-trace.safetensors" >/dev/null
  act "$program" "$out/run" "$out" $acting
}

# go_on OLD_OUT OUT: NEW with OLD's files.
go_on() {
  local first
  mkdir -p "$2/run/checkpoints"
  first=$(ls "$1/run/checkpoints" | head -n 1)
  cp "$1/run/checkpoints/$first" "$2/run/checkpoints"
  cp "$1"/run/{metrics,timing}.jsonl "$2/run"
  killed=0
  train "$new" "$2" --config "$1/run/config.toml"
  act "$new" "$1/run/policy.safetensors" "$2" $acting
  "$new" inspect "$1/trace.safetensors" >/dev/null
  "$new" inspect "$2/run" >/dev/null
}

# in_background LOG COMMAND...: stops at the first failure and leaves the words of it.
in_background() {
  local log=$1
  shift
  (set -e; for entry in $environment; do export "${entry?}"; done; "$@") >"$log" 2>&1 &
}

failed=0 compared=0 skipped=0
# finish NAME LOG ARGUMENTS...: the line of a comparison.
finish() {
  local name=$1
  shift
  if ! words=$(compare "$@"); then failed=$((failed + 1)); fi
  compared=$((compared + 1))
  printf '%-42s %s\n' "$name" "$words"
}
broken() {
  printf '%-42s FAILS: %s\n' "$1" "$(grep -v '^ *$' "$2" | head -n 4 | tr '\n' ';')"
  failed=$((failed + 1))
}

"$old" data make reach-avoid -o robot.hdf5 --episodes 20 >/dev/null &&
  compare --make-ends ends.npz && "$old" data convert ends.npz -o ends.hdf5 >/dev/null || exit 1
for i in 1 2 3 4 5 6; do
  awk -v i=$i 'BEGIN { for (j = 0; j < 7; ++j) printf "%s%.3f", j ? "," : "[", sin(7 * i + 3 * j); print "]" }'
done >observations.jsonl

# Version 0.1 had other settings for what the column "only of OLD" says.
renamed=0
if "$old" config show | grep '^timeouts_are_terminal =' >/dev/null; then renamed=1; fi

# read_configuration LINE: into variables.
read_configuration() {
  local word how
  IFS='|' read -r name settings old_only new_only acting how <<<"$1"
  name=${name%"${name##*[! ]}"}
  [ $renamed = 1 ] || old_only=$new_only
  data=robot.hdf5 threads=1 killed=0 critics=0 scored=0 environment= cloning=
  kinds='policy checkpoints metrics sample eval values' kinds_of_new='trace double-trace'
  case $name in
    cloning*)
      kinds=${kinds% values}
      [ $renamed = 0 ] || cloning=--cloning
      ;;
  esac
  for word in $how; do
    case $word in
      threads:*) threads=${word#*:} ;;
      killed) killed=1 ;;
      critics) critics=1 ;;
      scored) scored=1 kinds_of_new+=' scores-on-the-way safe-best' ;;
      ends) data=ends.hdf5 ;;
      *=*) environment+=" $word" ;;
      *) echo "same_bits: unknown word $word of $name" >&2; exit 1 ;;
    esac
  done
}

if [ "$1" = --self-check ]; then
  read_configuration 'seeds | | | | | scored'
  in_background log.0 compute "$old" a seed=0; first=$!
  in_background log.1 compute "$old" b seed=0; second=$!
  wait $first && wait $second || { cat log.?; exit 1; }
  in_background log.2 compute "$old" c seed=1
  wait $! || { cat log.2; exit 1; }
  echo "the same twice: $(compare a b $kinds $kinds_of_new)" && compare a b $kinds $kinds_of_new >/dev/null || exit 1
  compare --self-check a $kinds $kinds_of_new || exit 1
  for kind in $kinds $kinds_of_new; do
    echo "another seed: $(compare a c $kind)"
    ! compare a c $kind >/dev/null || exit 1
  done
  exit 0
fi

start=$SECONDS
while read -r line; do
  [ -n "$line" ] && [[ ${line%%|*} == *"$only"* ]] || continue
  read_configuration "$line"
  case "$line" in *avx2*) needs=avx2 ;; *bf16*) needs=avx512_bf16 ;; *) needs= ;; esac
  if [ -n "$needs" ] && ! grep -qw "$needs" /proc/cpuinfo; then
    printf '%-42s skipped: this machine has no %s\n' "$name" "$needs"
    skipped=$((skipped + 1))
    continue
  fi
  rm -rf old new on
  in_background log.old compute "$old" old $settings $old_only; first=$!
  in_background log.new compute "$new" new $settings $new_only; second=$!
  wait $first; first=$?
  wait $second; second=$?
  if [ $first != 0 ]; then broken "$name (OLD)" log.old; continue; fi
  if [ $second != 0 ]; then broken "$name" log.new; else finish "$name" old new $cloning $kinds $kinds_of_new; fi
  in_background log.on go_on old on
  if wait $!; then finish "  its old files" old on $kinds
  else broken "  its old files" log.on; fi
done <<<"$configurations"
echo "$compared comparisons, $failed different or failed, $skipped skipped, $((SECONDS - start)) s"
[ $compared -gt 0 ] && [ $failed = 0 ]
