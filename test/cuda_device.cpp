// What a test of CUDA sources needs on a device in place of the host layer: it is skipped if there is no
// device, and the order of threads is the device's.
#include <cuda_runtime_api.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

#include "cuda_host/block.h"

namespace r2pac::cuda_host {
void set_seed(std::uint64_t) {}
}  // namespace r2pac::cuda_host

namespace {

struct DeviceOrSkip : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;
  void testRunStarting(const Catch::TestRunInfo&) override {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status == cudaSuccess && count > 0) return;
    std::printf("skipped: no CUDA device (%s)\n", cudaGetErrorString(status));
    std::exit(77);
  }
};

}  // namespace
CATCH_REGISTER_LISTENER(DeviceOrSkip)
