#!/usr/bin/env bash
# Compiles .cu files with nvcc, every warning an error: check_nvcc.sh ARCHITECTURE FILE...
# Exits with 77 (skipped) where there is no nvcc.
set -euo pipefail
architecture=$1
shift
root=$(cd "$(dirname "$0")/.." && pwd)
nvcc=$(command -v nvcc || echo "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc")
[ -x "$nvcc" ] || { echo "skipped: no nvcc"; exit 77; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
for file in "$@"; do
  "$nvcc" -std=c++20 -arch="$architecture" -I"$root" -Werror all-warnings \
    -Xcompiler -Wall,-Wextra,-Wconversion,-Wshadow,-Werror -c "$root/$file" -o "$out/object.o"
  echo "compiled $file for $architecture"
done
