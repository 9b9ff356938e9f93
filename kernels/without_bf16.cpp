// In place of bf16.cpp, for processors without AVX-512: has_bf16_products() is false there.
#include <stdexcept>

#include "kernels/bf16.h"

namespace r2pac {
namespace {

[[noreturn]] void refuse() { throw std::logic_error("bf16 products, which this processor has not"); }

}  // namespace

std::size_t bf16_packed_size(int, int) { refuse(); }
void bf16_pack(const float*, int, int, int, bool, float*) { refuse(); }
void bf16_multiply(const float*, std::size_t, int, int, const float*, int, float*, std::size_t, bool) {
  refuse();
}
void bf16_weight_gradient(const float*, std::size_t, const float*, std::size_t, int, int, int, float*, float*,
                          float*, bool) {
  refuse();
}
std::size_t bf16_weight_gradient_scratch(int, int, int) { refuse(); }
float bf16_multiply_add(long) { refuse(); }

}  // namespace r2pac
