// The products of small tiles by a warp against plain loops, the places of their operands in registers
// against the PTX instruction set, and the rounding of operands. The loops alone could not find a wrong
// place: on the host layer the product and the kernel that loads its operands take places from one table.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "acting/mma.cuh"
#include "any_order.h"
#include "base/philox.h"
#include "cuda_host/round.h"
#include "mma_tiles.h"

using namespace r2pac;

/// Which element of a tile a lane holds as element i of its fragment, as the PTX instruction set says it
/// under "Matrix Fragments for mma.m16n8k8" (.tf32) and "... mma.m16n8k16" (.bf16). In bf16 elements 2w and
/// 2w + 1 are the lower and the upper half of word w.
namespace ptx {
struct Element {
  int row, column;
  bool operator==(const Element&) const = default;
};
constexpr int group_id(int lane) { return lane >> 2; }
constexpr int id_in_group(int lane) { return lane % 4; }

constexpr Element a_tf32(int lane, int i) {
  return {i == 0 || i == 2 ? group_id(lane) : group_id(lane) + 8,
          i == 0 || i == 1 ? id_in_group(lane) : id_in_group(lane) + 4};
}
constexpr Element b_tf32(int lane, int i) {
  return {i == 0 ? id_in_group(lane) : id_in_group(lane) + 4, group_id(lane)};
}
constexpr Element a_bf16(int lane, int i) {
  return {(0 <= i && i < 2) || (4 <= i && i < 6) ? group_id(lane) : group_id(lane) + 8,
          id_in_group(lane) * 2 + (i & 1) + (i >= 4 ? 8 : 0)};
}
constexpr Element b_bf16(int lane, int i) {
  return {id_in_group(lane) * 2 + (i & 1) + (i >= 2 ? 8 : 0), group_id(lane)};
}
/// Of C and D in both.
constexpr Element d(int lane, int i) {
  return {i < 2 ? group_id(lane) : group_id(lane) + 8, id_in_group(lane) * 2 + (i & 1)};
}
}  // namespace ptx

/// Whether holds(lane, i) for each of a fragment's elements in all lanes.
template <class Holds>
constexpr bool in_every_lane(int elements, Holds holds) {
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < elements; ++i)
      if (!holds(lane, i)) return false;
  return true;
}

namespace layout = cuda::layout;
static_assert(in_every_lane(4, [](int lane, int i) {
  return ptx::Element{layout::a_row(lane, i), layout::a_depth(lane, i)} == ptx::a_tf32(lane, i);
}));
static_assert(in_every_lane(2, [](int lane, int i) {
  return ptx::Element{layout::b_depth(lane, i), layout::b_column(lane)} == ptx::b_tf32(lane, i);
}));
static_assert(in_every_lane(8, [](int lane, int i) {
  return ptx::Element{layout::a_row(lane, i / 2), layout::a_depth(lane, i / 2) * 2 + i % 2} ==
         ptx::a_bf16(lane, i);
}));
static_assert(in_every_lane(4, [](int lane, int i) {
  return ptx::Element{layout::b_depth(lane, i / 2) * 2 + i % 2, layout::b_column(lane)} ==
         ptx::b_bf16(lane, i);
}));
static_assert(in_every_lane(4, [](int lane, int i) {
  return ptx::Element{layout::d_row(lane, i), layout::d_column(lane, i)} == ptx::d(lane, i);
}));

namespace {

/// Tile 0 is random; tile 1 + r * depth + k has a single 1 in A, at (r, k). All numbers are whole and small,
/// so every sum is exact in any order.
void check_tiles(Precision precision) {
  const auto depth = static_cast<std::size_t>(cuda::test::tile_depth(precision)), tiles = 1 + 16 * depth;
  std::vector<float> a(tiles * 16 * depth), b(tiles * depth * 8), d(tiles * 16 * 8);
  const auto whole = [](std::uint32_t lane, std::size_t i) {
    return static_cast<float>(random_below(3, Purpose::test, lane, static_cast<std::uint32_t>(i), 201)) - 100;
  };
  for (std::size_t i = 0; i < 16 * depth; ++i) a[i] = whole(1, i);
  for (std::size_t i = 0; i < 16 * depth; ++i) a[(1 + i) * 16 * depth + i] = 1;
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = whole(2, i);
  for (std::size_t i = 0; i < d.size(); ++i) d[i] = whole(3, i);
  const std::vector<float> got = cuda::test::tile_products(precision, a, b, d);
  int wrong = 0;
  for (std::size_t t = 0; t < tiles; ++t) {
    for (std::size_t r = 0; r < 16; ++r) {
      for (std::size_t c = 0; c < 8; ++c) {
        float sum = d[(t * 16 + r) * 8 + c];
        for (std::size_t k = 0; k < depth; ++k)
          sum += a[(t * 16 + r) * depth + k] * b[(t * depth + k) * 8 + c];
        wrong += !(got[(t * 16 + r) * 8 + c] == sum);
      }
    }
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("operands are rounded to the nearest, ties to even, and NaN stays NaN") {
  const auto tf32 = [](float v) {
    return std::bit_cast<float>(cuda::test::operand_word(Precision::tf32, v, 0.0f));
  };
  const auto bf16 = [](float low, float high) {
    return cuda::test::operand_word(Precision::bf16, low, high);
  };
  int wrong = 0;
  for (std::uint64_t i = 0; i < 1u << 20; ++i) {
    const auto bits = static_cast<std::uint32_t>(i * 4096 + (i % 3 == 0 ? 0x1000 : i * 2654435761u % 8192));
    const auto value = std::bit_cast<float>(bits);
    if (value != value) {
      const std::uint32_t word = bf16(value, value);
      wrong += !std::isnan(tf32(value)) || !std::isnan(std::bit_cast<float>(word)) ||
               !std::isnan(std::bit_cast<float>(word << 16));
      continue;
    }
    const auto expected = std::bit_cast<std::uint32_t>(cuda_host::round_bf16(value));
    wrong += std::bit_cast<std::uint32_t>(tf32(value)) !=
             std::bit_cast<std::uint32_t>(cuda_host::round_tf32(value));
    wrong += bf16(1.0f, value) != (expected | 0x3f80) || bf16(value, 1.0f) != (0x3f800000 | expected >> 16);
  }
  CHECK(wrong == 0);
}

TEST_CASE("a warp's tile product is exact in every element") {
  any_order();
  for (const Precision precision : {Precision::tf32, Precision::bf16}) check_tiles(precision);
}
