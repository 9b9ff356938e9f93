#include "kernels/bf16.h"

#include <immintrin.h>

#include <algorithm>
#include <cstdint>

#include "kernels/vector_kernels.h"

namespace r2pac {
namespace {

/// Two neighbours along the depth, in the place of a float.
typedef std::uint32_t Pair __attribute__((may_alias));

constexpr int kLanes = 16;       ///< pairs, and sums, of a register
constexpr int kPanel = 32;       ///< columns of a strip, in two registers of sums
constexpr int kRows = 8;         ///< rows of a block: 16 registers of sums hide the latency of two units
constexpr int kRowBlock = 64;    ///< rows that are rounded together: those of a tile
constexpr int kPairBlock = 256;  ///< pairs of them
/// Rows of a chunk of the weight gradient, and columns of its result at a time: both operands, packed, stay
/// in the second-level cache.
constexpr int kChunk = 256, kBlockColumns = 128;

constexpr std::size_t size(int n) { return static_cast<std::size_t>(n); }

constexpr int pairs_of(int depth) { return (depth + 1) / 2; }

constexpr int round_up(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }

/// Lanes of a register of which only `count` are there; count may be negative or beyond.
__mmask16 lanes(int count) {
  return static_cast<__mmask16>(count >= kLanes ? 0xffff : (1 << std::max(count, 0)) - 1);
}

/// The pairs (earlier, later) of two registers' lanes, rounded.
__m512i interleave(__m512 earlier, __m512 later) {
  alignas(64) static constexpr std::uint16_t kTurns[2 * kLanes] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                                                   21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                                                   11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  return _mm512_permutexvar_epi16(_mm512_load_si512(kTurns),
                                  reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(later, earlier)));
}

/// The 16 pairs of x [32], of which only `count` values are there.
__m512i round_values(const float* x, int count) {
  const __m512 low = _mm512_maskz_loadu_ps(lanes(count), x);
  const __m512 high = _mm512_maskz_loadu_ps(lanes(count - kLanes), x + kLanes);
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

/// pairs <- x [depth] rounded; an odd depth is followed by a zero.
void round_row(const float* x, int depth, Pair* pairs) {
  for (int k = 0; k < depth; k += 2 * kLanes)
    _mm512_mask_storeu_epi32(pairs + k / 2, lanes(pairs_of(depth - k)), round_values(x + k, depth - k));
}

/// y [R, cols <= kPanel] (stride y_stride) = x(r, k) * strip(k, :) over `pairs`, plus what y held if
/// `accumulate`, where x(r, k) = x[r * row_step + k * pair_step]. On the way pairs / 4 cache lines from
/// `ahead` on are fetched, unless it is null.
template <int R>
[[gnu::always_inline]] inline void micro_kernel(const Pair* x, std::size_t row_step, std::size_t pair_step,
                                                const Pair* strip, int pairs, int cols, bool accumulate,
                                                float* y, std::size_t y_stride, const Pair* ahead) {
  const __mmask16 left = lanes(cols), right = lanes(cols - kLanes);
  __m512 sum[R][2];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const float* row = y + size(r) * y_stride;
    sum[r][0] = _mm512_maskz_loadu_ps(accumulate ? left : __mmask16{0}, row);
    sum[r][1] = _mm512_maskz_loadu_ps(accumulate ? right : __mmask16{0}, row + kLanes);
  }
  for (int k = 0; k < pairs; ++k) {
    const auto w0 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(strip));
    const auto w1 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(strip + kLanes));
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto both =
          reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(x[size(r) * row_step])));
      sum[r][0] = _mm512_dpbf16_ps(sum[r][0], both, w0);
      sum[r][1] = _mm512_dpbf16_ps(sum[r][1], both, w1);
    }
    x += pair_step;
    strip += kPanel;
    if (ahead != nullptr && k % 4 == 0) {
      _mm_prefetch(ahead, _MM_HINT_T1);
      ahead += kLanes;
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    float* row = y + size(r) * y_stride;
    _mm512_mask_storeu_ps(row, left, sum[r][0]);
    _mm512_mask_storeu_ps(row + kLanes, right, sum[r][1]);
  }
}

/// packed <- strips of kWidth columns of x [rows, cols], each pair of rows after pair, the last one padded
/// with zeros. sums [cols] += the columns' sums unless null.
template <int kWidth>
void pack_row_pairs(const float* x, std::size_t x_stride, int rows, int cols, Pair* packed, float* sums) {
  constexpr int kPairsAtOnce = 8;  // strips lie a power of two apart: see pack_strips in vector_gemm.h
  const std::size_t strip_size = size(pairs_of(rows)) * kWidth;
  const int columns = round_up(cols, kWidth);
  for (int m0 = 0; m0 < rows; m0 += 2 * kPairsAtOnce)
    for (int i = 0; i < columns; i += kLanes) {
      const __mmask16 here = lanes(cols - i);
      __m512 sum = sums != nullptr ? _mm512_maskz_loadu_ps(here, sums + i) : _mm512_setzero_ps();
      for (int m = m0; m < std::min(m0 + 2 * kPairsAtOnce, rows); m += 2) {
        const float* const row = x + size(m) * x_stride + i;
        const __m512 earlier = _mm512_maskz_loadu_ps(here, row);
        const __m512 later = _mm512_maskz_loadu_ps(m + 1 < rows ? here : __mmask16{0}, row + x_stride);
        sum = _mm512_add_ps(_mm512_add_ps(sum, earlier), later);
        const __m512i both = interleave(earlier, later);
        Pair* const to = packed + size(i / kWidth) * strip_size + size(m / 2) * kWidth + size(i % kWidth);
        if constexpr (kWidth >= kLanes) {
          _mm512_storeu_si512(to, both);
        } else {
          static_assert(2 * kWidth == kLanes);
          _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_castsi512_si256(both));
          if (i + kWidth < columns)
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + strip_size),
                                _mm512_extracti64x4_epi64(both, 1));
        }
      }
      if (sums != nullptr) _mm512_mask_storeu_ps(sums + i, here, sum);
    }
}

/// columns [16] <- the rows' pairs: a matrix of 16 x 16 pairs, transposed in place.
void transpose(__m512i (&rows)[kLanes]) {
  __m512i other[kLanes];
#pragma GCC unroll 8
  for (int i = 0; i < kLanes; i += 2) {
    other[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    other[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kLanes; i += 4) {
    rows[i] = _mm512_unpacklo_epi64(other[i], other[i + 2]);
    rows[i + 1] = _mm512_unpackhi_epi64(other[i], other[i + 2]);
    rows[i + 2] = _mm512_unpacklo_epi64(other[i + 1], other[i + 3]);
    rows[i + 3] = _mm512_unpackhi_epi64(other[i + 1], other[i + 3]);
  }
  // Now lane group g of rows[4 q + c] holds column 4 g + c of rows 4 q .. 4 q + 3.
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512i low_even = _mm512_shuffle_i32x4(rows[c], rows[4 + c], 0x88),
                  low_odd = _mm512_shuffle_i32x4(rows[c], rows[4 + c], 0xdd),
                  high_even = _mm512_shuffle_i32x4(rows[8 + c], rows[12 + c], 0x88),
                  high_odd = _mm512_shuffle_i32x4(rows[8 + c], rows[12 + c], 0xdd);
    other[c] = _mm512_shuffle_i32x4(low_even, high_even, 0x88);
    other[8 + c] = _mm512_shuffle_i32x4(low_even, high_even, 0xdd);
    other[4 + c] = _mm512_shuffle_i32x4(low_odd, high_odd, 0x88);
    other[12 + c] = _mm512_shuffle_i32x4(low_odd, high_odd, 0xdd);
  }
  std::copy_n(other, kLanes, rows);
}

void pack_transposed(const float* weight, int depth, int cols, int stride, Pair* packed) {
  const int pairs = pairs_of(depth);
  for (int j = 0; j < round_up(cols, kPanel); j += kLanes)
    for (int k = 0; k < pairs; k += kLanes) {
      __m512i block[kLanes];
      for (int i = 0; i < kLanes; ++i)
        block[i] = j + i < cols ? round_values(weight + size(j + i) * size(stride) + 2 * k, depth - 2 * k)
                                : _mm512_setzero_si512();
      transpose(block);
      Pair* const to = packed + size(j / kPanel) * size(pairs) * kPanel + size(k) * kPanel + size(j % kPanel);
      for (int i = 0; i < std::min(kLanes, pairs - k); ++i) _mm512_storeu_si512(to + i * kPanel, block[i]);
    }
}

Pair* pairs_in(float* memory) { return reinterpret_cast<Pair*>(memory); }

}  // namespace

std::size_t bf16_packed_size(int depth, int cols) {
  return size(pairs_of(depth)) * size(round_up(cols, kPanel));
}

void bf16_pack(const float* weight, int depth, int cols, int stride, bool transposed, float* packed) {
  if (transposed)
    pack_transposed(weight, depth, cols, stride, pairs_in(packed));
  else
    pack_row_pairs<kPanel>(weight, size(stride), depth, cols, pairs_in(packed), nullptr);
}

void bf16_multiply(const float* x, std::size_t x_stride, int rows, int depth, const float* packed, int cols,
                   float* y, std::size_t y_stride, bool accumulate) {
  alignas(64) Pair rounded[kRowBlock * kPairBlock];
  const auto* const weight = reinterpret_cast<const Pair*>(packed);
  const std::size_t strip_size = size(pairs_of(depth)) * kPanel;
  for (int i0 = 0; i0 < rows; i0 += kRowBlock)
    for (int k0 = 0; k0 < depth; k0 += 2 * kPairBlock) {
      const int block = std::min(kRowBlock, rows - i0), some = std::min(2 * kPairBlock, depth - k0);
      const int pairs = pairs_of(some);
      for (int i = 0; i < block; ++i)
        round_row(x + size(i0 + i) * x_stride + k0, some, rounded + size(i) * size(pairs));
      for (int j = 0; j < cols; j += kPanel) {
        const Pair* const strip = weight + size(j / kPanel) * strip_size + size(k0 / 2) * kPanel;
        const auto rows_from = [&]<int R>(int i) {
          // The blocks of rows share out the next strip, which they would wait for.
          const Pair* const ahead = strip + strip_size + size(i) * size(pairs) * kPanel / kRowBlock;
          micro_kernel<R>(rounded + size(i) * size(pairs), size(pairs), 1, strip, pairs, cols - j,
                          accumulate || k0 > 0, y + size(i0 + i) * y_stride + j, y_stride, ahead);
        };
        int i = 0;
        for (; i + kRows <= block; i += kRows) rows_from.template operator()<kRows>(i);
        for (; i + 4 <= block; i += 4) rows_from.template operator()<4>(i);
        for (; i < block; ++i) rows_from.template operator()<1>(i);
      }
    }
}

std::size_t bf16_weight_gradient_scratch(int rows, int in, int out) {
  return size(pairs_of(std::min(rows, kChunk))) *
         size(round_up(in, kRows) + std::min(round_up(out, kPanel), kBlockColumns));
}

void bf16_weight_gradient(const float* x, std::size_t x_stride, const float* d_y, std::size_t y_stride,
                          int rows, int in, int out, float* d_weight, float* d_bias, float* scratch,
                          bool accumulate) {
  if (!accumulate) std::fill_n(d_bias, out, 0.0f);
  for (int m0 = 0; m0 < rows; m0 += kChunk) {
    const int chunk = std::min(kChunk, rows - m0), pairs = pairs_of(chunk);
    const bool add = accumulate || m0 > 0;
    Pair* const packed_x = pairs_in(scratch);
    Pair* const packed_y = packed_x + size(pairs) * size(round_up(in, kRows));
    pack_row_pairs<kRows>(x + size(m0) * x_stride, x_stride, chunk, in, packed_x, nullptr);
    for (int j0 = 0; j0 < out; j0 += kBlockColumns) {
      const int block = std::min(kBlockColumns, out - j0);
      pack_row_pairs<kPanel>(d_y + size(m0) * y_stride + j0, y_stride, chunk, block, packed_y, d_bias + j0);
      for (int j = 0; j < block; j += kPanel)
        for (int i = 0; i < in;) {
          const int strip = i / kRows * kRows;
          const auto rows_from = [&]<int R> {
            micro_kernel<R>(packed_x + size(strip) * size(pairs) + (i - strip), 1, kRows,
                            packed_y + size(j) * size(pairs), pairs, block - j, add,
                            d_weight + size(i) * size(out) + j0 + j, size(out), nullptr);
            i += R;
          };
          if (i + kRows <= in)
            rows_from.template operator()<kRows>();
          else
            rows_from.template operator()<1>();
        }
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
