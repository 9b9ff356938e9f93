// What the stand-in for cuBLAS has been asked for.
#pragma once

#include <cstddef>

namespace r2pac::cuda_host {

/// Calls of products so far, recorded or run. Those of a batch are one.
struct ProductCounts {
  std::size_t all = 0;
  /// Those in which each column of A, B and C begins at a multiple of 16 bytes. Others are right, too, but a
  /// GPU loads their operands in smaller pieces.
  std::size_t aligned = 0;
  /// Those in a capture that were the first of their compute type and handle. A library may allocate then.
  std::size_t first_in_capture = 0;
};
ProductCounts product_counts();

}  // namespace r2pac::cuda_host
