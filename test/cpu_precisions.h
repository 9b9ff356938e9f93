// The precisions that the CPU of this machine computes in.
#pragma once

#include <vector>

#include "kernels/isa.h"
#include "kernels/precision.h"

namespace r2pac {

inline std::vector<Precision> cpu_precisions() {
  if (has_bf16_products()) return {Precision::fp32, Precision::bf16};
  return {Precision::fp32};
}

}  // namespace r2pac
