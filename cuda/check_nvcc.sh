#!/usr/bin/env bash
# Compiles .cu files with nvcc, every warning an error: check_nvcc.sh [--report FOLDER] ARCHITECTURE FILE...
# With --report only the device code is compiled; FOLDER gets its PTX, NAME.ARCHITECTURE.ptx, and what ptxas
# says of each kernel, NAME.ARCHITECTURE.log. Exits with 77 (skipped) where there is no nvcc.
set -euo pipefail
report=
if [ "$1" = --report ]; then
  report=$(cd "$2" && pwd)
  shift 2
fi
architecture=$1
shift
root=$(cd "$(dirname "$0")/.." && pwd)
nvcc=$(command -v nvcc || echo "${CUDA_HOME:-${CUDA_PATH:-/usr/local/cuda}}/bin/nvcc")
[ -x "$nvcc" ] || { echo "skipped: no nvcc"; exit 77; }
out=$(mktemp -d)
host_warnings=-Wall,-Wextra,-Wconversion,-Wshadow,-Werror
trap 'rm -rf "$out"' EXIT
for file in "$@"; do
  command=("$nvcc" -std=c++20 -arch="$architecture" --expt-relaxed-constexpr -I"$root" -Werror all-warnings
    -Xcompiler "$host_warnings" "$(cd "$root" && realpath "$file")")
  if [ -z "$report" ]; then
    "${command[@]}" -c -o "$out/object.o"
    echo "compiled $file for $architecture"
  else
    name=$(basename "$file" .cu)
    log=$report/$name.$architecture.log
    "${command[@]}" -cubin -Xptxas -v --keep --keep-dir "$out" -o "$out/$name.cubin" >"$log" 2>&1 || {
      echo "$file does not compile for $architecture:" >&2
      cat "$log" >&2
      exit 1
    }
    mv "$out/$name.ptx" "$report/$name.$architecture.ptx"
  fi
done
