#!/usr/bin/env bash
# What nvcc makes of every kernel, held to a budget: check_kernels.sh [--write] [--in FOLDER] [ARCHITECTURE...]
#
# Compiles kernels/*.cu and acting/*.cu for each architecture (75 80 86 87 89 90 100 120), every warning an error,
# and requires what cuda/kernel_budget.txt allows: registers, no stack, no spills, no local memory, no double
# precision, wide loads where they are meant. --in takes the sources and their kernel_budget.txt from FOLDER
# instead. Given neither a folder nor architectures, it also requires that docs/kernels.md is up to date. That page says of
# which sources it was written: while they are the same, only the device part for one architecture is compiled again,
# since the whole takes minutes; with R2PAC_THOROUGH set, all. --write brings the page up to date, and the budget's list
# of kernels: new ones get their registers rounded up to a multiple of eight. Exits with 77 (skipped) where there is no nvcc.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
sources=("$root"/{kernels,acting}/*.cu)
budget=$root/cuda/kernel_budget.txt
page=$root/docs/kernels.md
write=0
architectures=()
whole=1
brief=0
while [ $# -gt 0 ]; do
  case $1 in
    --write) write=1 ;;
    --in)
      folder=$(cd "$2" && pwd)
      sources=("$folder"/*.cu)
      budget=$folder/kernel_budget.txt
      whole=0
      shift
      ;;
    [0-9]*) architectures+=("$1"); whole=0 ;;
    *) echo "usage: check_kernels.sh [--write] [--in FOLDER] [ARCHITECTURE...]" >&2; exit 2 ;;
  esac
  shift
done
[ ${#architectures[@]} -gt 0 ] || architectures=(75 80 86 87 89 90 100 120)
all=("${architectures[@]}")
if [ $write = 1 ] && [ $whole = 0 ]; then
  echo "check_kernels: --write is for all kernels and all architectures" >&2
  exit 2
fi
nvcc=$(command -v nvcc || echo "${CUDA_HOME:-${CUDA_PATH:-/usr/local/cuda}}/bin/nvcc")
[ -x "$nvcc" ] || { echo "skipped: no nvcc"; exit 77; }

release=$("$nvcc" --version | sed -n 's/.*release.*, V//p')
# digest: of all that the page depends on.
digest() {
  (cd "$root" && { echo "$release ${all[*]}"; cat {kernels,acting,engine,base}/*.{h,cuh,cu} cuda/*.{h,cuh,cpp,sh,txt} 2>/dev/null; } |
    sha256sum | cut -c 1-16)
}
if [ $write$whole = 01 ] && [ -z "${R2PAC_THOROUGH-}" ] && grep -qs "of sources $(digest);" "$page"; then
  echo "docs/kernels.md was written of these sources: sm_90 alone is compiled again"
  architectures=(90)
  whole=0 brief=1
fi

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
mkdir "$out/kernels" "$out/tests"
"$nvcc" -ccbin "${CXX:-g++}" -std=c++20 -O1 "$root/cuda/kernel_table.cpp" -o "$out/kernel_table"

# The host part of each file once, then the device part for every architecture. Of the host layer's own tests
# only that they compile.
compile=$root/cuda/check_nvcc.sh
run_jobs() { xargs -P "$(nproc)" -I{} bash -c '{}' >/dev/null || exit 1; }
[ $brief = 1 ] || for file in "${sources[@]}"; do
  echo "$compile sm_${architectures[0]} $file"
done | run_jobs
for architecture in "${architectures[@]}"; do
  for file in "${sources[@]}"; do
    echo "$compile --report $out/kernels sm_$architecture $file"
  done
  [ $whole = 0 ] || echo "$compile --report $out/tests sm_$architecture $root/test/test_kernels.cu"
done | run_jobs

if [ $write = 1 ]; then
  "$out/kernel_table" "$out/kernels" "$budget" >/dev/null 2>"$out/said" || true
  {
    grep '^#' "$budget"
    {
      sed -n 's/^check_kernels: the budget lacks a line such as: //p' "$out/said"
      awk 'FILENAME == ARGV[1] { if (/there is no kernel/) gone[$(NF - 2), $NF] = 1; next }
           !/^#/ && !(($2, $1 ".cu") in gone)' "$out/said" "$budget"
    } | LC_ALL=C sort
  } >"$out/budget"
  cp "$out/budget" "$budget"
fi
failed=0
"$out/kernel_table" "$out/kernels" "$budget" >"$out/table" || failed=1

{
  echo "# Kernels"
  echo
  echo "Written by \`cuda/check_kernels.sh --write\` with nvcc $release of sources $(digest); not to be edited."
  echo
  echo "Each cell: registers of a thread, and occupancy, the share of a multiprocessor's threads that can be"
  echo "resident at once. Shared memory of a block: static + dynamic as in \`cuda/kernel_budget.txt\`, which"
  echo "also bounds the registers. \`cuda/check_kernels.sh\`, a test of the build with the host layer, requires"
  echo "these figures and the bounds, no stack, no spills, no local memory and no double precision."
  echo
  cat "$out/table"
} >"$out/page"

if [ $write = 1 ]; then
  cp "$out/page" "$page"
  echo "wrote docs/kernels.md"
elif [ $whole = 0 ]; then
  cat "$out/table"
elif grep -qs "with nvcc" "$page" && ! grep -q "with nvcc $release of" "$page"; then
  echo "docs/kernels.md was written with another nvcc than $release: its figures are not compared"
elif ! diff -N "$page" "$out/page"; then
  echo "check_kernels: docs/kernels.md is not up to date; run cuda/check_kernels.sh --write" >&2
  failed=1
fi
exit $failed
