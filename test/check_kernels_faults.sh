#!/usr/bin/env bash
# Kernels with one fault each: cuda/check_kernels.sh must report them, and a sound kernel must pass. Exits with
# 77 (skipped) where there is no nvcc.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# check WANTED_STATUS: runs the check on the folder for one architecture; its words are in $said.
check() {
  local status=0
  said=$("$root/cuda/check_kernels.sh" --in "$folder" 90 2>&1) || status=$?
  [ $status -ne 77 ] || { echo "$said"; exit 77; }
  [ $status -eq "$1" ] || { echo "status $status instead of $1: $said"; exit 1; }
}
# expect TEXT...: each is among the words.
expect() {
  for text in "$@"; do
    grep -qF -- "$text" <<<"$said" || { echo "not reported: $text"; echo "$said"; exit 1; }
  done
}

cat >"$folder/sound.cu" <<'END'
namespace {
__global__ void __launch_bounds__(256) copy_kernel(const float4* from, float4* to) {
  to[threadIdx.x] = from[threadIdx.x];
}
}  // namespace
void use_sound() { copy_kernel<<<1, 256>>>(nullptr, nullptr); }
END
echo "sound copy_kernel 16 0 v4s" >"$folder/kernel_budget.txt"
check 0
expect "| sound | \`copy_kernel\` | 256 | 0 |"

cat >"$folder/faulty.cu" <<'END'
namespace {
__global__ void __launch_bounds__(1024) spill_kernel(const volatile float* from, volatile float* to) {
  float kept[128];
#pragma unroll
  for (int i = 0; i < 128; ++i) kept[i] = from[i * 1024 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 127; i >= 0; --i) to[i * 1024 + threadIdx.x] = kept[i];
}
__global__ void __launch_bounds__(32) local_kernel(const int* index, float* to) {
  float table[64];
  for (int i = 0; i < 64; ++i) table[index[i]] = static_cast<float>(i);
  to[threadIdx.x] = table[index[threadIdx.x]];
}
__global__ void __launch_bounds__(32) double_kernel(float* to) {
  to[threadIdx.x] = static_cast<float>(to[threadIdx.x] * 1.1);
}
__global__ void __launch_bounds__(32) narrow_kernel(const float* from, float* to) { *to = *from; }
__global__ void __launch_bounds__(32) split_kernel(const float4* from, float4* to, float* last) {
  to[threadIdx.x] = from[threadIdx.x];
  last[threadIdx.x] = from[threadIdx.x].w;
}
__global__ void unbounded_kernel(float* to) { *to = 0.0f; }
__global__ void __launch_bounds__(32) unlisted_kernel(float* to) { *to = 1.0f; }
}  // namespace
void use_faulty() {
  spill_kernel<<<1, 1024>>>(nullptr, nullptr);
  local_kernel<<<1, 32>>>(nullptr, nullptr);
  double_kernel<<<1, 32>>>(nullptr);
  narrow_kernel<<<1, 32>>>(nullptr, nullptr);
  split_kernel<<<1, 32>>>(nullptr, nullptr, nullptr);
  unbounded_kernel<<<1, 32>>>(nullptr);
  unlisted_kernel<<<1, 32>>>(nullptr);
}
END
cat >"$folder/kernel_budget.txt" <<'END'
sound copy_kernel 4 0 v4
sound removed_kernel 16 0 -
faulty spill_kernel 255 0 -
faulty local_kernel 255 0 -
faulty double_kernel 255 0 -
faulty narrow_kernel 255 0 v4
faulty split_kernel 255 0 v4s
faulty unbounded_kernel 255 0 -
END
check 1
expect "registers, allowed are 4" \
  "there is no kernel removed_kernel in sound.cu" \
  "bytes of spill stores, allowed are 0" \
  "spill_kernel, sm_90: " \
  "bytes of stack, allowed are 0" \
  "local_kernel, sm_90: the PTX uses local memory" \
  "double_kernel, sm_90: the PTX uses double precision" \
  "narrow_kernel, sm_90: the PTX has no ld.global.v4" \
  "split_kernel, sm_90: the PTX has st.global other than st.global.v4" \
  "unbounded_kernel, sm_90: no __launch_bounds__" \
  "the budget lacks a line such as: faulty unlisted_kernel 8 0 -"

cat >"$folder/faulty.cu" <<'END'
void host_function(int unused) { int also_unused; }
END
check 1
expect "also_unused"
