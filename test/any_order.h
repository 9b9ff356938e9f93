// Orders in which the host execution layer takes threads, blocks and independent graph nodes.
#pragma once

#include <catch2/catch.hpp>

#include "cuda_host/block.h"

namespace r2pac {

/// One of some orders, for the rest of the test case; returns its seed.
inline std::uint64_t any_order() {
  const auto seed = GENERATE(std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{77});
  cuda_host::set_seed(seed);
  CAPTURE(seed);
  return seed;
}

}  // namespace r2pac
