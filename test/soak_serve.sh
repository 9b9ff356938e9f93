#!/usr/bin/env bash
# `r2pac serve` under load: test/soak_serve.sh [--program R2PAC] [--loop REMOTE_LOOP] [--policy RUN] [--hertz N]
#   [--clients N] [--threads N] [--calm] MINUTES
# Half of the time on a machine that does nothing else, half beside a busy process for each processor. All the while
# control loops ask with deadlines (80 % of a tick). Unless --calm is given, others ask without, at 10 Hz and without
# pause; policies are swapped; and clients send garbage, say nothing or are killed. Prints how long actions took and how many deadlines
# were missed, and fails where a request failed, the server ended, or its descriptors or memory grew. Without --policy one
# with tiny networks is trained.
set -euo pipefail
cd "$(dirname "$0")/.."
program=build/bin/r2pac loop=build/bin/remote_loop policy= hertz=50 clients=2 threads=0 calm=
while [[ ${1-} == --* ]]; do
  case $1 in
    --calm) calm=1; shift; continue ;;
    --threads) threads=$2 ;;
    --program) program=$2 ;; --loop) loop=$2 ;; --policy) policy=$2 ;; --hertz) hertz=$2 ;; --clients) clients=$2 ;;
    *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' test/soak_serve.sh; exit 2 ;;
  esac
  shift 2
done
[ $# -eq 1 ] || { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' test/soak_serve.sh; exit 2; }
seconds=$(awk -v minutes="$1" 'BEGIN { printf "%d", 30 * minutes + 0.5 }') # of each half
[ "$seconds" -gt 0 ] || { echo "soak_serve: MINUTES must be above 0.02, not $1" >&2; exit 2; }

scratch=$(mktemp -d)
server= helpers=()
finish() {
  for id in "${helpers[@]}" $server; do kill "$id" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$scratch"
}
trap finish EXIT
train() { # name, seed
  "$program" train --data "$scratch/data.hdf5" --hidden 24,24 --batch 64 --steps 20 --seed "$2" --out "$scratch/$1" \
    >/dev/null 2>&1
}
if [ -z "$policy" ]; then
  "$program" data make reach-avoid -o "$scratch/data.hdf5" --episodes 30 --seed 3 >/dev/null
  train one 1 && train two 2
  policies=("$scratch"/{one,two}/policy.safetensors)
else
  [ -d "$policy" ] && policy=$policy/policy.safetensors
  policies=("$policy" "$policy")
fi
cp "${policies[0]}" "$scratch/policy.safetensors"
"$program" serve "$scratch/policy.safetensors" --socket "$scratch/s" --tcp 0 --patience 2 --threads "$threads" 2>"$scratch/log" &
server=$!
until grep -q '^serving' "$scratch/log"; do
  kill -0 $server 2>/dev/null || { cat "$scratch/log"; exit 1; }
  sleep 0.05
done
port=$(sed -n 's/^serving.* 127.0.0.1:\([0-9]*\).*/\1/p' "$scratch/log")
descriptors() { find /proc/$server/fd -mindepth 1 | wc -l; }
memory() { awk '/^VmRSS/ { print int($2 / 1024) }' /proc/$server/status; } # MiB

# What goes on beside the loops until it is killed.
trouble() {
  local turn=0 id=
  trap '[ -z "$id" ] || kill -KILL $id; exit' TERM
  while :; do
    turn=$((turn + 1))
    cp "${policies[turn % 2]}" "$scratch/new" && touch "$scratch/new" && mv "$scratch/new" "$scratch/policy.safetensors"
    (exec 3<>/dev/tcp/127.0.0.1/"$port" && head -c 100000 /dev/urandom >&3) 2>/dev/null || true
    (exec 3<>/dev/tcp/127.0.0.1/"$port" && printf 'R2SV' >&3 && sleep 0.3) 2>/dev/null || true
    "$loop" "$scratch/s" 60 200 0 >/dev/null 2>&1 &
    id=$!
    sleep 0.5
    kill -KILL $id && wait $id 2>/dev/null || true
    id=
  done
}
half() { # what
  local ids=() id
  if [ -n "$calm" ]; then sleep 1000; else trouble; fi &
  helpers+=($!)
  for ((k = 0; k < clients; ++k)); do
    "$loop" "$scratch/s" "$seconds" "$hertz" 0.8 "$k" >"$scratch/in-time-$k" 2>&1 &
    ids+=($!)
  done
  if [ -z "$calm" ]; then
    "$loop" "$scratch/s" "$seconds" 10 0 9 >"$scratch/in-time-never" 2>&1 &
    ids+=($!)
  fi
  for id in "${ids[@]}"; do wait "$id" || { cat "$scratch"/in-time-* "$scratch/log"; exit 1; }; done
  kill "${helpers[-1]}"
  wait "${helpers[-1]}" 2>/dev/null || true
  unset 'helpers[-1]'
  echo "$1:"
  sed 's/^/  /' "$scratch"/in-time-*
}
"$loop" "$scratch/s" 0.2 50 0 >/dev/null # so that what a first client makes is there
before=$(descriptors) mib=$(memory)
half "beside nothing else"
for ((k = $(nproc); k > 0; --k)); do
  while :; do :; done &
  helpers+=($!)
done
half "beside $(nproc) busy processes"
sleep 2.5 # until the last that stalled are dropped
after=$(descriptors) grown=$(($(memory) - mib))
echo "descriptors $before -> $after, memory $mib -> $((mib + grown)) MiB"
kill -TERM $server
status=0
wait $server || status=$?
server=
sed -n '/^stopped/,$p' "$scratch/log" | sed 's/^/  /'
[ $status -eq 0 ] || { echo "the server ended with $status"; cat "$scratch/log"; exit 1; }
# Two policies are in memory at times, and what an allocator keeps differs by some.
[ "$after" -le "$before" ] && [ "$grown" -le 64 ] || { echo "descriptors or memory grew"; exit 1; }
[ -n "$calm" ] || grep -q 'policies taken over: [1-9].*refused: 0' "$scratch/log"
