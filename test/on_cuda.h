// The CUDA device of tests: the host execution layer, or the first GPU in a build with nvcc.
#pragma once

#include <catch2/catch.hpp>

#include "cuda_host/block.h"
#include "engine/device.h"

namespace r2pac {

inline std::shared_ptr<Device> on_cuda(Precision precision = Precision::fp32) {
#ifdef R2PAC_CUDA_HOST
  return make_device("cuda-host", 1, precision, {});
#else
  return make_device("cuda", 1, precision, {});
#endif
}

/// One of some orders of threads, blocks and independent graph nodes.
inline void in_any_order() {
  const auto seed = GENERATE(std::uint64_t{0}, std::uint64_t{5}, std::uint64_t{91});
  cuda_host::set_seed(seed);
  CAPTURE(seed);
}

}  // namespace r2pac
