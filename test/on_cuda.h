// The CUDA device of tests: the host execution layer, or the first GPU in a build with nvcc.
#pragma once

#include "any_order.h"
#include "engine/device.h"

namespace r2pac {

inline std::shared_ptr<Device> on_cuda(Precision precision = Precision::fp32) {
#ifdef R2PAC_CUDA_HOST
  return make_device("cuda-host", 1, precision, {});
#else
  return make_device("cuda", 1, precision, {});
#endif
}

}  // namespace r2pac
