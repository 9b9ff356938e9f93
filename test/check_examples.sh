#!/bin/sh
# Each example program says what it is for when it is run without arguments, and what is wrong with what it is given:
# check_examples.sh REMOTE_LOOP [CONTROL_LOOP]
set -eu
scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT

# exits STATUS TEXT PROGRAM ARGUMENT...: ends with STATUS and says TEXT on standard error alone.
exits() {
  status=$1 text=$2 found=0
  shift 2
  "$@" >"$scratch/out" 2>"$scratch/errors" || found=$?
  if [ $found != "$status" ] || [ -s "$scratch/out" ] || ! grep -q "$text" "$scratch/errors"; then
    echo "$*: exited with $found instead of $status, or without \`$text\`:"
    cat "$scratch/out" "$scratch/errors"
    exit 1
  fi
}
for program in "$@"; do
  exits 2 "^${program##*/} [A-Z]* \[SECONDS\]" "$program"
  exits 2 "Prints how long actions" "$program"
  exits 2 "Prints how long actions" "$program" "$scratch/missing" 10 0
  exits 2 "Prints how long actions" "$program" "$scratch/missing" 10 50 0.8 1 1
done
exits 9 "remote_loop: no server can be reached" "$1" "$scratch/missing"
[ $# = 1 ] || exits 5 "control_loop: .*missing" "$2" "$scratch/missing"
