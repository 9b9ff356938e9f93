// The words of CUDA C++ for an ordinary C++ compiler, on top of the toolkit's own headers. Kernels include
// cuda.cuh, never this file.
#pragma once

#include <cuda_runtime.h>
#include <device_launch_parameters.h>  // threadIdx, blockIdx, blockDim, gridDim, warpSize

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __constant__
#undef __launch_bounds__
#undef __grid_constant__
#define __global__
#define __device__
#define __host__
#define __launch_bounds__(...)
#define __grid_constant__

#ifdef R2PAC_CUDA_HOST_CHECK
// Shared and constant memory lie in sections of their own, where the race check finds them. Before each
// shared variable lies a zone that nobody may touch; the check knows it by its content.
#define R2PAC_JOIN2(a, b) a##b
#define R2PAC_JOIN(a, b) R2PAC_JOIN2(a, b)
#define R2PAC_SHARED_SECTION __attribute__((used, section("r2pac_shared")))
#define __shared__                                                                                  \
  R2PAC_SHARED_SECTION static ::r2pac::cuda_host::SharedZone R2PAC_JOIN(shared_zone_, __COUNTER__); \
  R2PAC_SHARED_SECTION static
#define __constant__ __attribute__((used, section("r2pac_constant")))
#else
#define __shared__ static
#define __constant__
#endif

#include "cuda_host/atomics.h"
#include "cuda_host/intrinsics.h"
#include "cuda_host/shared_zone.h"
#include "cuda_host/warp.h"
