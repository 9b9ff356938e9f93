// The tile products of acting/mma.cuh with a host interface.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/precision.h"

namespace r2pac::cuda::test {

/// The depth of a tile: 8 in tf32, 16 in bf16. Other precisions have no tiles.
constexpr int tile_depth(Precision precision) { return precision == Precision::bf16 ? 16 : 8; }

/// The word of operand that holds `low`, in bf16 with `high` in its upper half.
std::uint32_t operand_word(Precision precision, float low, float high);

/// d + a b for each tile: a [tiles, 16, depth], b [tiles, depth, 8], d [tiles, 16, 8]. One warp per tile.
std::vector<float> tile_products(Precision precision, const std::vector<float>& a,
                                 const std::vector<float>& b, const std::vector<float>& d);

}  // namespace r2pac::cuda::test
