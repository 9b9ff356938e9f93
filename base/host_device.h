// Formulas are compiled for the host and, under nvcc, for the device too.
#pragma once

#ifdef __CUDACC__
#define R2_HD __host__ __device__
#define R2_FORMULA __host__ __device__ __forceinline__
#else
#define R2_HD
/// A formula has no body of its own in any object file: several files are compiled once per instruction
/// set, and the linker must never pick the AVX-512 copy of a shared function for an older processor.
#define R2_FORMULA [[gnu::always_inline]] inline
#endif

/// Before a loop that nvcc should leave as it is: unrolled, it would take registers that others need.
#ifdef __CUDA_ARCH__
#define R2_ROLLED _Pragma("unroll 1")
#else
#define R2_ROLLED
#endif
