// The one header that kernels include: CUDA C++ for nvcc, or the same words on the CPU (cuda_host/).
//
// What a .cu file must keep to, so that both can read it:
//   launch only through launch(); dynamic shared memory only through dynamic_shared(); vectors only through
//   load_vector() and store_vector(); kernels in an unnamed namespace; warp operations with explicit masks;
//   no cooperative groups; no early return before a barrier; no inline PTX without a plain alternative;
//   device variables only as __constant__.
#pragma once

#ifdef R2PAC_CUDA_HOST
#include "cuda_host/device.h"
#include "cuda_host/launch.h"
#else
#include <cuda_runtime.h>
#endif

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>

#include "base/error.h"

namespace r2pac::cuda {

/// Dynamic shared memory of the block, aligned to 128 bytes. All accessors of a kernel see the same bytes.
template <class T>
__device__ inline T* dynamic_shared() {
#ifdef R2PAC_CUDA_HOST
  return static_cast<T*>(cuda_host::dynamic_shared_memory());
#else
  extern __shared__ __align__(128) unsigned char r2pac_dynamic_shared[];
  return reinterpret_cast<T*>(r2pac_dynamic_shared);
#endif
}

/// On the host layer, reports a vector access that a device would refuse.
template <class Vector>
__device__ inline void require_aligned([[maybe_unused]] const void* address) {
#ifdef R2PAC_CUDA_HOST
  if (reinterpret_cast<std::uintptr_t>(address) % alignof(Vector) != 0) {
    cuda_host::fault("misaligned vector access: %p is no multiple of %zu", address, alignof(Vector));
  }
#endif
}
/// load_vector<float4>(p) reads p[0..3] at once; p must be a multiple of the vector's alignment.
template <class Vector, class T>
__device__ inline Vector load_vector(const T* address) {
  require_aligned<Vector>(address);
  return *reinterpret_cast<const Vector*>(address);
}
template <class Vector, class T>
__device__ inline void store_vector(T* address, Vector value) {
  require_aligned<Vector>(address);
  *reinterpret_cast<Vector*>(address) = value;
}

/// store_vector of four values to global memory, in one instruction: nvcc may make four of store_vector.
__device__ inline void store_four(float* address, float4 value) {
  require_aligned<float4>(address);
#ifdef __CUDA_ARCH__
  asm volatile("st.global.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(address)),
               "f"(value.x), "f"(value.y), "f"(value.z), "f"(value.w)
               : "memory");
#else
  *reinterpret_cast<float4*>(address) = value;
#endif
}

/// Throws Error(device) with the call's text, the status's name and message, and the place, unless it
/// succeeded.
inline void check(cudaError_t status, const std::string& call, const char* file, int line) {
  if (status == cudaSuccess) return;
  throw Error(ExitCode::device, call + ": " + cudaGetErrorName(status) + ", " + cudaGetErrorString(status),
              std::string(file) + ":" + std::to_string(line));
}
/// R2_CUDA(cudaMalloc(&p, n)) throws if the call fails.
#define R2_CUDA(call) ::r2pac::cuda::check((call), #call, __FILE__, __LINE__)

/// The number of blocks, and the source line where it was given: that of the launch.
struct Grid {
  dim3 blocks;
  const char* file;
  int line;

  Grid(dim3 count, const char* at_file = __builtin_FILE(), int at_line = __builtin_LINE())
      : blocks(count), file(at_file), line(at_line) {}
  template <std::integral Integer>
  Grid(Integer count, const char* at_file = __builtin_FILE(), int at_line = __builtin_LINE())
      : blocks(static_cast<unsigned>(count)), file(at_file), line(at_line) {}
};

/// The shared memory that a block may have without the kernel being told so.
inline constexpr std::size_t kSharedBytesByDefault = 48 * 1024;

/// The name of a kernel for messages; mangled in the case of nvcc.
template <class... Parameters>
std::string kernel_name(void (*kernel)(Parameters...)) {
  const char* name = nullptr;
  const cudaError_t status = cudaFuncGetName(&name, reinterpret_cast<const void*>(kernel));
  return status == cudaSuccess && name ? name : "kernel";
}

/// Runs kernel(arguments...) on `stream`, or records it if the stream is being captured.
/// grid, block   number of blocks, and of threads in a block (at most 1024)
/// shared_bytes  of dynamic shared memory; more than 48 KiB is asked for from the device
/// Throws Error(device) with the kernel, the status and the source line if the launch is refused.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), Grid grid, dim3 block, std::size_t shared_bytes,
            cudaStream_t stream, Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments),
                "the kernel takes another number of arguments");
  cudaError_t status = cudaSuccess;
  if (shared_bytes > kSharedBytesByDefault) {
    status =
        cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                             cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes));
  }
  if (status == cudaSuccess) {
#ifdef R2PAC_CUDA_HOST
    status = cuda_host::launch_grid(kernel, std::tuple<Parameters...>(static_cast<Parameters>(arguments)...),
                                    grid.blocks, block, shared_bytes, stream, {grid.file, grid.line});
#else
    cudaLaunchConfig_t config{};
    config.gridDim = grid.blocks;
    config.blockDim = block;
    config.dynamicSmemBytes = shared_bytes;
    config.stream = stream;
    status = cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
#endif
  }
  if (status != cudaSuccess) check(status, "launch of " + kernel_name(kernel), grid.file, grid.line);
}

}  // namespace r2pac::cuda
