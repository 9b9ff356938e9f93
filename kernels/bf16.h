// Matrix products of operands rounded to bf16, two multiply-adds at a time (AVX-512 BF16): twice as fast as
// single precision on processors that have them, and what a CUDA device does with --precision bf16. To be
// called only where has_bf16_products() (kernels/isa.h).
#pragma once

#include <cstddef>
#include <cstdint>

namespace r2pac {

/// Pairs of values of a packed weight matrix [depth, cols].
std::size_t bf16_packed_size(int depth, int cols);

/// packed <- weight [depth, cols], rounded to the nearest bf16, ties to even. `packed` holds strips of 32
/// columns, each pair of rows after pair, the earlier row in the lower half; what the matrix lacks is zero.
void bf16_pack(const float* weight, int depth, int cols, std::uint32_t* packed);

/// y [rows, cols] = x [rows, depth] * packed, x rounded likewise. Sums are single precision, one chain over
/// the pairs in ascending order, so that a row's result does not depend on the rows beside it.
void bf16_multiply(const float* x, int rows, int depth, const std::uint32_t* packed, int cols, float* y);

/// Runs `rounds` times kPeakChains independent products on whole registers, kBf16Lanes multiply-adds each:
/// the most that one core can do. Returns a value that depends on all of it.
float bf16_multiply_add(long rounds);
constexpr int kBf16Lanes = 32;

}  // namespace r2pac
