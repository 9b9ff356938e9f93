// What the lanes of a warp do together.
#pragma once

#include "cuda/cuda.cuh"

namespace r2pac::cuda {

inline constexpr unsigned kAllLanes = 0xffffffffu;

/// The sum over the warp, in every lane, by a fixed tree.
__device__ inline float warp_sum(float value) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(kAllLanes, value, distance);
  return value;
}

}  // namespace r2pac::cuda
