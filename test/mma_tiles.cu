#include "cuda/device_array.cuh"
#include "acting/mma.cuh"
#include "test/mma_tiles.h"

namespace r2pac::cuda::test {
namespace {

/// d [16, 8] += a [16, depth] b [depth, 8] for one tile per block, by one warp.
template <Precision kPrecision>
__global__ void tile_kernel(const float* a, const float* b, float* d) {
  constexpr int kValues = Operand<kPrecision>::kValues, kDepth = tile_depth(kPrecision);
  a += blockIdx.x * 16 * kDepth;
  b += blockIdx.x * kDepth * 8;
  d += blockIdx.x * 16 * 8;
  const int lane = static_cast<int>(threadIdx.x);
  FragmentA of_a;
  FragmentB of_b;
  FragmentD of_d;
  for (int i = 0; i < 4; ++i)
    of_a.word[i] =
        Operand<kPrecision>::word(a + layout::a_row(lane, i) * kDepth + layout::a_depth(lane, i) * kValues);
  for (int i = 0; i < 2; ++i) {
    float values[2] = {};
    for (int v = 0; v < kValues; ++v)
      values[v] = b[(layout::b_depth(lane, i) * kValues + v) * 8 + layout::b_column(lane)];
    of_b.word[i] = Operand<kPrecision>::word(values);
  }
  const auto at = [&](int i) -> float& { return d[layout::d_row(lane, i) * 8 + layout::d_column(lane, i)]; };
  for (int i = 0; i < 4; ++i) of_d.value[i] = at(i);
  mma<kPrecision>(of_d, of_a, of_b);
  for (int i = 0; i < 4; ++i) at(i) = of_d.value[i];
}

}  // namespace

std::uint32_t operand_word(Precision precision, float low, float high) {
  const float both[2] = {low, high};
  return precision == Precision::bf16 ? Operand<Precision::bf16>::word(both)
                                      : Operand<Precision::tf32>::word(both);
}

std::vector<float> tile_products(Precision precision, const std::vector<float>& a,
                                 const std::vector<float>& b, const std::vector<float>& d) {
  const DeviceArray<float> on_a(a), on_b(b), on_d(d);
  const auto kernel =
      precision == Precision::bf16 ? &tile_kernel<Precision::bf16> : &tile_kernel<Precision::tf32>;
  launch(kernel, static_cast<int>(d.size() / (16 * 8)), 32, 0, nullptr, on_a.data(), on_b.data(),
         on_d.data());
  return on_d.host();
}

}  // namespace r2pac::cuda::test
