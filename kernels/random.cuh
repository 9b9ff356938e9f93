// Arrays of random numbers on a CUDA device: the functions of base/philox.h, value by value.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "base/philox.h"

namespace r2pac::cuda {

/// out[r * lanes + l] = random_uniform(seed, purpose, step, r, l): the CPU's numbers bit for bit.
/// rows, lanes >= 1; throws InvalidArgument if there are 2^31 groups of four lanes or more. step < 2^48.
void fill_uniform(std::uint64_t seed, Purpose purpose, std::uint64_t step, int rows, int lanes, float* out,
                  cudaStream_t stream);

/// out[r * lanes + l] = random_normal(seed, purpose, step, r, l). Logarithm, root and cosine of CPU and
/// device are right to one unit in the last place, so each normal to 2.5 units; the rounding of the CPU's
/// angle adds at most 4.2e-7 times the length of the pair (lanes 2i, 2i+1). Between them: at most 1.1e-6
/// times that length, which is below 5.8.
void fill_normal(std::uint64_t seed, Purpose purpose, std::uint64_t step, int rows, int lanes, float* out,
                 cudaStream_t stream);

/// out [n] = the uniforms on (0, 1] that cuRAND's host generator CURAND_RNG_PSEUDO_PHILOX4_32_10 of this
/// seed gives first, bit for bit. For comparison with other programs.
void fill_curand_layout(std::uint64_t seed, std::size_t n, float* out, cudaStream_t stream);

}  // namespace r2pac::cuda
