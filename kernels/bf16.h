// Matrix products of operands rounded to bf16, two multiply-adds at a time (AVX-512 BF16): twice as fast as
// single precision on processors that have them, and what a CUDA device does with --precision bf16. To be
// called only where has_bf16_products() (kernels/isa.h).
//
// Operands are rounded to the nearest bf16, ties to even. Two neighbours along the depth of a product make a
// pair, the earlier one in the lower half; a pair takes the place of a float. Sums are single precision, one
// chain over the pairs in ascending order, so that a row's result does not depend on the rows beside it.
#pragma once

#include <cstddef>

namespace r2pac {

/// Pairs of a packed weight matrix [depth, cols].
std::size_t bf16_packed_size(int depth, int cols);

/// packed <- weight [depth, cols] with row stride `stride`; or, if `transposed`, its transpose, the weight
/// then being stored as [cols, depth]. `packed` holds strips of 32 columns, each pair of rows after pair;
/// what the matrix lacks is zero.
void bf16_pack(const float* weight, int depth, int cols, int stride, bool transposed, float* packed);

/// y [rows, cols] = x [rows, depth] * packed, plus what y held if `accumulate`.
void bf16_multiply(const float* x, std::size_t x_stride, int rows, int depth, const float* packed, int cols,
                   float* y, std::size_t y_stride, bool accumulate);

/// d_weight [in, out] = x^T [in, rows] * d_y [rows, out], and d_bias [out] = column sums of d_y, which are
/// not rounded, plus what they held if `accumulate`. scratch: bf16_weight_gradient_scratch values.
void bf16_weight_gradient(const float* x, std::size_t x_stride, const float* d_y, std::size_t y_stride,
                          int rows, int in, int out, float* d_weight, float* d_bias, float* scratch,
                          bool accumulate);
std::size_t bf16_weight_gradient_scratch(int rows, int in, int out);

/// Runs `rounds` times kPeakChains independent products on whole registers, kBf16Lanes multiply-adds each:
/// the most that one core can do. Returns a value that depends on all of it.
float bf16_multiply_add(long rounds);
constexpr int kBf16Lanes = 32;

}  // namespace r2pac
