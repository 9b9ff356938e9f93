#!/usr/bin/env bash
# bench/gpu_report.sh in a bundle of stand-ins, on a machine whose nvidia-smi and CUDA programs are stand-ins, too:
# what the page says of parts that pass, fail, hang or are interrupted, and that time ends when it must.
# shellcheck disable=SC2016  # what stands in single quotes is for the shells of the stand-ins
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/bundle/bench" "$folder/bundle/bin" "$folder/tools"
cp "$root/bench/gpu_report.sh" "$folder/bundle/bench"
echo "| built for | compute capability 90 |" >"$folder/bundle/built.md"

# stand_in FILE WORDS: a program that does as the words say.
stand_in() {
  printf '#!/bin/sh\n%s\n' "$2" >"$folder/$1"
  chmod +x "$folder/$1"
}
stand_in tools/nvidia-smi 'case $* in *query-gpu=name) echo Stand-in ;; *) echo Stand-in, 580, 9.0, 1, 1, 1, 1 ;; esac'
stand_in tools/compute-sanitizer 'echo "checked: $*"'
stand_in bundle/bin/r2pac 'echo "| name | ms |"; echo "| $2 | 1 |"'
stand_in bundle/bin/test_cuda_fails 'echo "a check failed"; exit 1'
stand_in bundle/bin/test_cuda_hangs 'echo "before the hang"; sleep 60'
stand_in bundle/bin/test_cuda_mma 'test -x "$R2PAC_BINARY"'
stand_in bundle/bin/test_cuda_skips 'echo "skipped: no CUDA device"; exit 77'

# report SECONDS: runs it; its exit status is in $status.
report() {
  status=0
  PATH=$folder/tools:$PATH R2PAC_PYTHON=/nowhere/python R2PAC_REPORT_SECONDS=$1 \
    "$folder/bundle/bench/gpu_report.sh" --quick "$folder/page.md" >"$folder/said" 2>&1 || status=$?
}
# expect PATTERN...: each matches a line of the page.
expect() {
  for text in "$@"; do
    grep -qx -- "$text" "$folder/page.md" || { echo "not on the page: $text"; cat "$folder/page.md"; exit 1; }
  done
}
expect_status() {
  [ "$status" -eq "$1" ] || { echo "status $status instead of $1"; cat "$folder/said"; exit 1; }
}
refuse() {
  ! grep -q "$1" "$folder/page.md" || { echo "on the page: $1"; cat "$folder/page.md"; exit 1; }
}

SECONDS=0
report 10  # the tests have 4 seconds
expect_status 1
[ "$SECONDS" -le 10 ] || { echo "took $SECONDS seconds"; exit 1; }
expect "# R2PAC on Stand-in" "| built for | compute capability 90 |" "| test_cuda_fails | \*\*FAIL\*\*, status 1 |" \
  "a check failed" "| test_cuda_hangs | \*\*out of time\*\* after [34] s |" "before the hang" \
  "| test_cuda_skips | not run |" "There was no time left." \
  "| bench kernels, bf16 | pass |" "| kernels | 1 |" "| compute-sanitizer memcheck, test_cuda_mma | pass |" \
  "checked: --tool memcheck --kernel-regex kns=r2pac .*bin/test_cuda_mma"
refuse "Not finished"

rm "$folder/bundle/bin/test_cuda_hangs" "$folder/bundle/bin/test_cuda_fails"
report 100
expect_status 1
expect "| test_cuda_mma | pass |" "| test_cuda_skips | \*\*FAIL\*\*, status 77 |" "skipped: no CUDA device"

rm "$folder/bundle/bin/test_cuda_skips"
report 100
expect_status 0

stand_in bundle/bin/test_cuda_waits 'echo "in the middle"; kill "$(cat "${0%/*}/../../id")"; sleep 60'
stand_in script 'echo $$ >"${0%/*}/id"; exec "${0%/*}/bundle/bench/gpu_report.sh" "$@"'
status=0
SECONDS=0
PATH=$folder/tools:$PATH R2PAC_PYTHON=/nowhere/python "$folder/script" --quick "$folder/page.md" >"$folder/said" 2>&1 ||
  status=$?
expect_status 130
[ "$SECONDS" -le 10 ] || { echo "took $SECONDS seconds to stop"; exit 1; }
expect "\*\*Not finished\*\*: the script was stopped during test_cuda_waits, or is still at it." \
  "| test_cuda_mma | pass |" "| test_cuda_waits | \*\*interrupted\*\* |" "in the middle"
rm "$folder/bundle/bin/test_cuda_waits"

stand_in tools/nvidia-smi 'exit 9'
stand_in tools/ldd 'echo "libcublas.so.13 => not found"'
rm "$folder/page.md"
report 100
expect_status 6
[ ! -e "$folder/page.md" ]
grep -q "no NVIDIA GPU here" "$folder/said"
grep -q "no cuBLAS 13 .* install the CUDA toolkit 13, .* nvidia-cublas" "$folder/said"
echo "all said as it must be"
