// Launching a kernel on the host execution layer; kernels use launch() of cuda.cuh.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <tuple>
#include <type_traits>

#include "cuda_host/block.h"
#include "cuda_host/memory.h"

namespace r2pac::cuda_host {

/// Runs or records the work of a grid after checking the launch as the CUDA runtime does.
cudaError_t submit_grid(const dim3& grid, const dim3& block, std::size_t shared_bytes, cudaStream_t stream,
                        const void* kernel, Site site, std::function<void()> work);

/// A kernel and its arguments by value.
template <class... Parameters>
struct Call {
  void (*kernel)(Parameters...);
  std::tuple<Parameters...> arguments;

  static void run(const void* self) {
    const auto* call = static_cast<const Call*>(self);
    std::apply(call->kernel, call->arguments);
  }

  void check_pointers() const {
    std::size_t position = 0;
    const auto check = [&position](const auto& argument) {
      ++position;
      if constexpr (std::is_pointer_v<std::remove_cvref_t<decltype(argument)>>) {
        check_kernel_pointer(argument, position);
      }
    };
    std::apply([&check](const auto&... each) { (check(each), ...); }, arguments);
  }
};

template <class... Parameters>
cudaError_t launch_grid(void (*kernel)(Parameters...), std::tuple<Parameters...> arguments, dim3 grid,
                        dim3 block, std::size_t shared_bytes, cudaStream_t stream, Site site) {
  const auto* const function = reinterpret_cast<const void*>(kernel);
  const Call<Parameters...> call{kernel, std::move(arguments)};
  return submit_grid(grid, block, shared_bytes, stream, function, site, [=] {
    call.check_pointers();
    run_grid({function, &Call<Parameters...>::run, &call, sizeof call, grid, block, shared_bytes, site});
  });
}

}  // namespace r2pac::cuda_host
