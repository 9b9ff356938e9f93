// The products of small tiles by a warp against plain loops, and the rounding of their operands.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "acting/mma.cuh"
#include "any_order.h"
#include "base/philox.h"
#include "cuda/device_array.cuh"
#include "cuda_host/round.h"

using namespace r2pac;
using cuda::DeviceArray;

namespace {

/// d [16, 8] += a [16, depth] b [depth, 8] for one tile per block, by one warp.
template <Precision kPrecision, bool kShuffles>
__global__ void tile_kernel(const float* a, const float* b, float* d) {
  constexpr int kValues = cuda::Operand<kPrecision>::kValues, kDepth = 8 * kValues;
  a += blockIdx.x * 16 * kDepth;
  b += blockIdx.x * kDepth * 8;
  d += blockIdx.x * 16 * 8;
  const int lane = static_cast<int>(threadIdx.x);
  cuda::FragmentA of_a;
  cuda::FragmentB of_b;
  cuda::FragmentD of_d;
  for (int i = 0; i < 4; ++i)
    of_a.word[i] = cuda::Operand<kPrecision>::word(a + cuda::layout::a_row(lane, i) * kDepth +
                                                   cuda::layout::a_depth(lane, i) * kValues);
  for (int i = 0; i < 2; ++i) {
    float values[2] = {};
    for (int v = 0; v < kValues; ++v)
      values[v] = b[(cuda::layout::b_depth(lane, i) * kValues + v) * 8 + cuda::layout::b_column(lane)];
    of_b.word[i] = cuda::Operand<kPrecision>::word(values);
  }
  const auto at = [&](int i) -> float& {
    return d[cuda::layout::d_row(lane, i) * 8 + cuda::layout::d_column(lane, i)];
  };
  for (int i = 0; i < 4; ++i) of_d.value[i] = at(i);
  if constexpr (kShuffles) {
    cuda::mma_by_shuffles<kPrecision>(of_d, of_a, of_b);
  } else {
    cuda::mma<kPrecision>(of_d, of_a, of_b);
  }
  for (int i = 0; i < 4; ++i) at(i) = of_d.value[i];
}

/// Tile 0 is random; tile 1 + r * depth + k has a single 1 in A, at (r, k). All numbers are whole and small,
/// so every sum is exact in any order.
template <Precision kPrecision, bool kShuffles>
void check_tiles() {
  constexpr int kDepth = 8 * cuda::Operand<kPrecision>::kValues, kTiles = 1 + 16 * kDepth;
  std::vector<float> a(kTiles * 16 * kDepth), b(kTiles * kDepth * 8), d(kTiles * 16 * 8);
  const auto whole = [](std::uint32_t lane, std::size_t i) {
    return static_cast<float>(random_below(3, Purpose::test, lane, static_cast<std::uint32_t>(i), 201)) - 100;
  };
  for (std::size_t i = 0; i < 16 * kDepth; ++i) a[i] = whole(1, i);
  for (std::size_t i = 0; i < 16 * kDepth; ++i) a[(1 + i) * 16 * kDepth + i] = 1;
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = whole(2, i);
  for (std::size_t i = 0; i < d.size(); ++i) d[i] = whole(3, i);
  const DeviceArray<float> on_a(a), on_b(b), on_d(d);
  cuda::launch(&tile_kernel<kPrecision, kShuffles>, kTiles, 32, 0, nullptr, on_a.data(), on_b.data(),
               on_d.data());
  const std::vector<float> got = on_d.host();
  int wrong = 0;
  for (std::size_t t = 0; t < kTiles; ++t) {
    for (std::size_t r = 0; r < 16; ++r) {
      for (std::size_t c = 0; c < 8; ++c) {
        float sum = d[(t * 16 + r) * 8 + c];
        for (std::size_t k = 0; k < kDepth; ++k)
          sum += a[(t * 16 + r) * kDepth + k] * b[(t * kDepth + k) * 8 + c];
        wrong += !(got[(t * 16 + r) * 8 + c] == sum);
      }
    }
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("operands are rounded to the nearest, ties to even, and NaN stays NaN") {
  const auto tf32 = [](float v) { return std::bit_cast<float>(cuda::Operand<Precision::tf32>::word(&v)); };
  const auto bf16 = [](float low, float high) {
    const float both[2] = {low, high};
    return cuda::Operand<Precision::bf16>::word(both);
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

TEST_CASE("a warp's tile product is exact in every element, as tiles and by shuffles") {
  any_order();
  check_tiles<Precision::tf32, false>();
  check_tiles<Precision::tf32, true>();
  check_tiles<Precision::bf16, false>();
  check_tiles<Precision::bf16, true>();
}
