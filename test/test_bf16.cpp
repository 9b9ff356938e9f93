// Products of bf16 on the CPU against loops over rounded operands. On a processor without them nothing is
// compared.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "cuda_host/round.h"
#include "guarded.h"
#include "kernels/bf16.h"
#include "kernels/isa.h"
#include "near.h"

using namespace r2pac;

namespace {

std::vector<std::uint32_t> packed(const Guarded<float>& weight) {
  std::vector<std::uint32_t> result(bf16_packed_size(weight.rows(), weight.cols()));
  bf16_pack(weight.data(), weight.rows(), weight.cols(), result.data());
  return result;
}

Guarded<float> product(const Guarded<float>& x, const std::vector<std::uint32_t>& weight, int cols) {
  Guarded<float> y(x.rows(), cols);
  bf16_multiply(x.data(), x.rows(), x.cols(), weight.data(), cols, y.data());
  return y;
}

double rounded(float x) { return static_cast<double>(cuda_host::round_bf16(x)); }

}  // namespace

TEST_CASE("a product of bf16 equals a loop over rounded operands, and its rows know nothing of each other") {
  if (!has_bf16_products()) return;
  for (const int rows : {1, 3, 8, 13, 32, 47})
    for (const int depth : {1, 2, 31, 40, 256, 513, 1100})
      for (const int cols : {1, 15, 16, 33, 64, 100}) {
        INFO(rows << " x " << depth << " x " << cols);
        const auto x = Guarded<float>::normal(rows, depth, 0, 101),
                   weight = Guarded<float>::normal(depth, cols, 0, 102);
        const auto pairs = packed(weight);
        const Guarded<float> y = product(x, pairs, cols);
        CHECK(y.intact());
        bool equal = true, same_alone = true;
        for (int r = 0; r < rows; ++r) {
          for (int c = 0; c < cols; ++c) {
            double sum = 0, size = 0;
            for (int k = 0; k < depth; ++k) {
              const double term = rounded(x(r, k)) * rounded(weight(k, c));
              sum += term;
              size += std::abs(term);
            }
            // A chain of `depth` roundings, each at most half a last place of a partial sum.
            equal &= near(static_cast<double>(y(r, c)), sum, depth * 6e-8 * size);
          }
          Guarded<float> row(1, depth);
          std::memcpy(row.data(), &x.data()[r * depth], sizeof(float) * static_cast<std::size_t>(depth));
          same_alone &= std::memcmp(product(row, pairs, cols).data(), &y.data()[r * cols],
                                    sizeof(float) * static_cast<std::size_t>(cols)) == 0;
        }
        CHECK(equal);
        CHECK(same_alone);
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
    CHECK(product(value, packed(one), 1)(0, 0) == to);
    CHECK(product(one, packed(value), 1)(0, 0) == to);
  }
}
