#include "kernels/bf16.h"

#include <immintrin.h>

#include <algorithm>

#include "kernels/vector_kernels.h"

namespace r2pac {
namespace {

constexpr int kPanel = 32;       ///< columns of a strip, in two registers of sums
constexpr int kRowBlock = 32;    ///< rows that are rounded together: those of one observation's candidates
constexpr int kPairBlock = 256;  ///< pairs of them: with a strip of weights they fill the first-level cache

constexpr std::size_t size(int n) { return static_cast<std::size_t>(n); }

constexpr int pairs_of(int depth) { return (depth + 1) / 2; }

/// Lanes of a register of which only `count` are there; count may be negative or beyond.
__mmask16 lanes(int count) {
  return static_cast<__mmask16>(count >= 16 ? 0xffff : (1 << std::max(count, 0)) - 1);
}

/// The pairs (earlier, later) of two registers' lanes, rounded.
__m512i interleave(__m512 earlier, __m512 later) {
  const __m512i low = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(earlier)));
  const __m512i high = _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(later)));
  return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

/// pairs <- x [depth] rounded; an odd depth is followed by a zero.
void round_row(const float* x, int depth, std::uint32_t* pairs) {
  for (int k = 0; k < depth; k += 32) {
    const __m512 low = _mm512_maskz_loadu_ps(lanes(depth - k), x + k);
    const __m512 high = _mm512_maskz_loadu_ps(lanes(depth - k - 16), x + k + 16);
    _mm512_mask_storeu_epi32(pairs + k / 2, lanes(pairs_of(depth - k)),
                             reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)));
  }
}

/// y [R, cols <= kPanel] (stride y_stride) = x [R, pairs] (stride x_stride) * strip, plus what y held if
/// `accumulate`.
template <int R>
[[gnu::always_inline]] inline void micro_kernel(const std::uint32_t* x, std::size_t x_stride,
                                                const std::uint32_t* strip, int pairs, int cols,
                                                bool accumulate, float* y, std::size_t y_stride) {
  const __mmask16 left = lanes(cols), right = lanes(cols - 16);
  __m512 sum[R][2];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const float* row = y + size(r) * y_stride;
    sum[r][0] = _mm512_maskz_loadu_ps(accumulate ? left : __mmask16{0}, row);
    sum[r][1] = _mm512_maskz_loadu_ps(accumulate ? right : __mmask16{0}, row + 16);
  }
  for (int k = 0; k < pairs; ++k) {
    const auto w0 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(strip));
    const auto w1 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(strip + 16));
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto both =
          reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(x[size(r) * x_stride])));
      sum[r][0] = _mm512_dpbf16_ps(sum[r][0], both, w0);
      sum[r][1] = _mm512_dpbf16_ps(sum[r][1], both, w1);
    }
    ++x;
    strip += kPanel;
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    float* row = y + size(r) * y_stride;
    _mm512_mask_storeu_ps(row, left, sum[r][0]);
    _mm512_mask_storeu_ps(row + 16, right, sum[r][1]);
  }
}

}  // namespace

std::size_t bf16_packed_size(int depth, int cols) {
  return size(pairs_of(depth)) * size((cols + kPanel - 1) / kPanel * kPanel);
}

void bf16_pack(const float* weight, int depth, int cols, std::uint32_t* packed) {
  for (int j = 0; j < cols; j += kPanel)
    for (int k = 0; k < depth; k += 2)
      for (int half = j; half < j + kPanel; half += 16, packed += 16) {
        const __mmask16 here = lanes(cols - half);
        const float* row = weight + size(k) * size(cols) + half;
        const __m512 earlier = _mm512_maskz_loadu_ps(here, row);
        const __m512 later = _mm512_maskz_loadu_ps(k + 1 < depth ? here : __mmask16{0}, row + cols);
        _mm512_storeu_si512(packed, interleave(earlier, later));
      }
}

void bf16_multiply(const float* x, int rows, int depth, const std::uint32_t* packed, int cols, float* y) {
  alignas(64) std::uint32_t rounded[kRowBlock * kPairBlock];
  const std::size_t strip_size = size(pairs_of(depth)) * kPanel;
  for (int i0 = 0; i0 < rows; i0 += kRowBlock)
    for (int k0 = 0; k0 < depth; k0 += 2 * kPairBlock) {
      const int block = std::min(kRowBlock, rows - i0), some = std::min(2 * kPairBlock, depth - k0);
      const int pairs = pairs_of(some);
      for (int i = 0; i < block; ++i)
        round_row(x + size(i0 + i) * size(depth) + k0, some, rounded + size(i) * size(pairs));
      for (int j = 0; j < cols; j += kPanel) {
        const std::uint32_t* strip = packed + size(j / kPanel) * strip_size + size(k0 / 2) * kPanel;
        const auto rows_from = [&]<int R>(int i) {
          micro_kernel<R>(rounded + size(i) * size(pairs), size(pairs), strip, pairs, cols - j, k0 > 0,
                          y + size(i0 + i) * size(cols) + j, size(cols));
        };
        int i = 0;
        for (; i + 8 <= block; i += 8) rows_from.template operator()<8>(i);
        for (; i + 4 <= block; i += 4) rows_from.template operator()<4>(i);
        for (; i < block; ++i) rows_from.template operator()<1>(i);
      }
    }
}

float bf16_multiply_add(long rounds) {
  __m512 sum[kPeakChains];
#pragma GCC unroll 12
  for (int i = 0; i < kPeakChains; ++i) sum[i] = _mm512_set1_ps(static_cast<float>(i));
  const auto one = reinterpret_cast<__m512bh>(_mm512_set1_epi32(0x3f803f80));
  for (long n = 0; n < rounds; ++n)
#pragma GCC unroll 12
    for (int i = 0; i < kPeakChains; ++i) sum[i] = _mm512_dpbf16_ps(sum[i], one, one);
  float total = 0;
#pragma GCC unroll 12
  for (int i = 0; i < kPeakChains; ++i) total += _mm512_reduce_add_ps(sum[i]);
  return total;
}

}  // namespace r2pac
