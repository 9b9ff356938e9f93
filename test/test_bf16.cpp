// Products of bf16 on the CPU. On a processor without them nothing is compared.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "cuda_host/round.h"
#include "dense_cases.h"
#include "kernels/isa.h"

using namespace r2pac;

namespace {

float rounded(float x) { return cuda_host::round_bf16(x); }

/// x times the weight [x.cols, cols], by products of bf16.
Guarded<float> product(const Guarded<float>& x, const Guarded<float>& weight) {
  const Dense<float>& dense = bf16_dense();
  std::vector<float> packed(dense.packed_size(weight.rows(), weight.cols()));
  dense.pack(weight.data(), weight.rows(), weight.cols(), static_cast<int>(weight.stride()), false,
             packed.data());
  Guarded<float> y(x.rows(), weight.cols());
  dense.multiply(x.data(), x.stride(), x.rows(), x.cols(), packed.data(), weight.cols(), y.data(), y.stride(),
                 false);
  return y;
}

}  // namespace

TEST_CASE("layers of bf16 equal loops over rounded operands") {
  // Products of two bf16 are exact: a term is one rounding, at most half a last place of a partial sum.
  if (has_bf16_products()) check_dense(bf16_dense(), rounded, 6e-8);
}

TEST_CASE("a row of a product of bf16 knows nothing of the others") {
  if (!has_bf16_products()) return;
  for (const int rows : {3, 8, 13, 47, 70})
    for (const int depth : {1, 40, 513, 1100}) {
      const auto x = Guarded<float>::normal(rows, depth, 0, 101),
                 weight = Guarded<float>::normal(depth, 100, 0, 102);
      const Guarded<float> y = product(x, weight);
      for (int r = 0; r < rows; ++r) {
        Guarded<float> row(1, depth);
        std::copy_n(&x.data()[r * depth], depth, row.data());
        CHECK(std::memcmp(product(row, weight).data(), &y.data()[r * 100], 100 * sizeof(float)) == 0);
      }
    }
}

TEST_CASE("operands are rounded to the nearest bf16, ties to even") {
  if (!has_bf16_products()) return;
  const float place = std::ldexp(1.0f, -7);  // of numbers from 1 to 2
  const std::pair<float, float> cases[] = {{1 + place / 2, 1},
                                           {1 + 0.51f * place, 1 + place},
                                           {1 + 1.5f * place, 1 + 2 * place},
                                           {1 + 2.5f * place, 1 + 2 * place},
                                           {-1 - 0.49f * place, -1},
                                           {-1 - 1.5f * place, -1 - 2 * place}};
  for (const auto& [from, to] : cases) {
    INFO(from);
    Guarded<float> value(1, 1), one(1, 1);
    value(0, 0) = from;
    one(0, 0) = 1;
    CHECK(product(value, one)(0, 0) == to);
    CHECK(product(one, value)(0, 0) == to);
  }
}

TEST_CASE("a number that is not finite is not lost in products of bf16") {
  if (!has_bf16_products()) return;
  const Dense<float>& dense = bf16_dense();
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    auto x = Guarded<float>::normal(21, 40, 0, 103), weight = Guarded<float>::normal(40, 35, 0, 104);
    x(17, 21) = bad;
    const Guarded<float> y = product(x, weight);
    for (int r = 0; r < 21; ++r)
      for (int c = 0; c < 35; ++c) CHECK(std::isfinite(y(r, c)) == (r != 17));
    const auto d_y = Guarded<float>::normal(21, 35, 0, 105);
    Guarded<float> d_weight(40, 35), d_bias(1, 35);
    std::vector<float> scratch(dense.weight_gradient_scratch(21, 40, 35));
    dense.weight_gradient(x.data(), 40, d_y.data(), 35, 21, 40, 35, d_weight.data(), d_bias.data(),
                          scratch.data());
    for (int i = 0; i < 40; ++i)
      for (int c = 0; c < 35; ++c) CHECK(std::isfinite(d_weight(i, c)) == (i != 21));
  }
}
