// In place of bf16.cpp, for processors without AVX-512: has_bf16_products() is false there.
#include <stdexcept>

#include "kernels/bf16.h"

namespace r2pac {
namespace {

[[noreturn]] void refuse() { throw std::logic_error("bf16 products, which this processor has not"); }

}  // namespace

std::size_t bf16_packed_size(int, int) { refuse(); }
void bf16_pack(const float*, int, int, std::uint32_t*) { refuse(); }
void bf16_multiply(const float*, int, int, const std::uint32_t*, int, float*) { refuse(); }
float bf16_multiply_add(long) { refuse(); }

}  // namespace r2pac
