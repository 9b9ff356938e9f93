#!/usr/bin/env bash
# Fuzzes everything that reads bytes of other people's: test/fuzz.sh MINUTES [target...]
# Each target of test/fuzz/ runs so many minutes, two at a time, under the address and undefined-behaviour
# sanitizers. It starts from test/fuzz/corpus/TARGET and keeps what it learns in build/fuzz. An input that ends a
# target is kept there and named. Needs clang and its runtime: ./setup.sh --fuzz. Ends with 77 without them.
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1-}" in
  "" | -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' test/fuzz.sh; exit $([ $# -gt 0 ] && echo 0 || echo 2) ;;
esac
seconds=$(awk -v minutes="$1" 'BEGIN { printf "%d", 60 * minutes }')
[ "$seconds" -gt 0 ] || { echo "fuzz: MINUTES must be a number above 0, not $1" >&2; exit 2; }
targets=("${@:2}")
[ ${#targets[@]} -gt 0 ] || targets=(safetensors json toml observation frames child_reply npz requests)

clang=${CLANGXX:-clang++}
build=$PWD/build/fuzz
if ! echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' |
  "$clang" -x c++ -fsanitize=fuzzer,address - -o /dev/null 2>/dev/null; then
  echo "fuzz: $clang with libFuzzer is not there; install it with ./setup.sh --fuzz" >&2
  exit 77
fi
cmake -S test/fuzz -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_COMPILER="$clang" \
  -DCMAKE_C_COMPILER="${clang/++/}" >/dev/null
cmake --build "$build" --target "${targets[@]/#/fuzz_}" -- --quiet

# Runs one target and prints its line; fails when an input ended it.
fuzz() {
  local name=$1 log=$build/$1.log learned=$build/learned/$1
  mkdir -p "$learned"
  if "$build/fuzz_$name" "$learned" "test/fuzz/corpus/$name" -max_total_time="$seconds" -timeout=20 \
    -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 -artifact_prefix="$build/$name-" 2>"$log"; then
    awk -v name="$name" '/stat::number_of_executed_units/ { print "fuzz: " name ": " $2 " inputs, none of them ends it" }' "$log"
  else
    echo "fuzz: $name was ended by an input:" >&2
    grep -E 'ERROR|runtime error|SUMMARY|Test unit written' "$log" >&2 || tail -n 20 "$log" >&2
    return 1
  fi
}

failed=0
for ((first = 0; first < ${#targets[@]}; first += 2)); do
  children=()
  for name in "${targets[@]:first:2}"; do
    fuzz "$name" &
    children+=($!)
  done
  for child in "${children[@]}"; do wait "$child" || failed=1; done
done
exit $failed
