// Matrix products in plain C++ on the compiler's vector types; included once per instruction set.
//
// One micro-kernel does all the work: a block of kRows x kPanel results stays in registers while the depth
// runs. Forward passes read rows of x directly and weights from packed panels; the weight gradient packs
// both operands, since rows of a power-of-two length would fall into the same cache sets.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace r2pac::R2_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
constexpr int kRows = 8;  // 16 accumulators of 32 registers: enough to hide the latency of two FMA units
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
constexpr int kRows = 6;  // 12 accumulators of 16 registers
#elif defined(__aarch64__)
constexpr int kVectorBytes = 16;
constexpr int kRows = 8;  // 16 accumulators of 32 registers
#else
constexpr int kVectorBytes = 16;
constexpr int kRows = 4;
#endif

template <class T>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));
template <class T>
constexpr int kPanel = 2 * kLanes<T>;

/// Rows of a chunk of the weight gradient. The usual batch is one chunk, so that results are written once.
constexpr int kChunk = 1024;
/// Columns of the result that the weight gradient makes at a time: their packed gradients stay in the
/// second-level cache while the inputs, packed once, stream past.
constexpr int kBlockColumns = 128;

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes), aligned(alignof(T)), may_alias));
};
template <class T>
using Vector = typename VectorOf<T>::type;

/// c [R, kPanel] (stride c_stride) = sum over k of a(r, k) * panel(k, :), plus c if Accumulate,
/// where a(r, k) = a[r * row_step + k * depth_step].
template <class T, int R, bool Accumulate>
[[gnu::always_inline]] inline void micro_kernel(const T* a, std::size_t row_step, std::size_t depth_step,
                                                const T* panel, int depth, T* c, std::size_t c_stride) {
  using V = Vector<T>;
  constexpr int lanes = kLanes<T>;
  V sum[R][2];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const T* row = c + static_cast<std::size_t>(r) * c_stride;
    sum[r][0] = Accumulate ? *reinterpret_cast<const V*>(row) : V{};
    sum[r][1] = Accumulate ? *reinterpret_cast<const V*>(row + lanes) : V{};
  }
  for (int k = 0; k < depth; ++k) {
    const V left = *reinterpret_cast<const V*>(panel);
    const V right = *reinterpret_cast<const V*>(panel + lanes);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const V x = a[static_cast<std::size_t>(r) * row_step] - V{};  // a broadcast load: x - 0 is x
      sum[r][0] += x * left;
      sum[r][1] += x * right;
    }
    a += depth_step;
    panel += kPanel<T>;
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    T* row = c + static_cast<std::size_t>(r) * c_stride;
    *reinterpret_cast<V*>(row) = sum[r][0];
    *reinterpret_cast<V*>(row + lanes) = sum[r][1];
  }
}

/// The same for R rows of which only `cols` <= kPanel columns of c exist.
template <class T, int R>
inline void edge_kernel(const T* a, std::size_t row_step, std::size_t depth_step, const T* panel, int depth,
                        int cols, T* c, std::size_t c_stride, bool accumulate) {
  if (cols == kPanel<T>) {
    if (accumulate)
      micro_kernel<T, R, true>(a, row_step, depth_step, panel, depth, c, c_stride);
    else
      micro_kernel<T, R, false>(a, row_step, depth_step, panel, depth, c, c_stride);
    return;
  }
  alignas(64) T block[R * kPanel<T>] = {};
  const std::size_t bytes = static_cast<std::size_t>(cols) * sizeof(T);
  if (accumulate)
    for (int r = 0; r < R; ++r)
      std::memcpy(block + r * kPanel<T>, c + static_cast<std::size_t>(r) * c_stride, bytes);
  micro_kernel<T, R, true>(a, row_step, depth_step, panel, depth, block, kPanel<T>);
  for (int r = 0; r < R; ++r)
    std::memcpy(c + static_cast<std::size_t>(r) * c_stride, block + r * kPanel<T>, bytes);
}

template <class T>
void pack(const T* weight, int depth, int cols, int stride, bool transposed, T* panels) {
  constexpr int width = kPanel<T>;
  for (int j = 0; j < cols; j += width) {
    T* strip = panels + static_cast<std::size_t>(j) * static_cast<std::size_t>(depth);
    const int used = std::min(width, cols - j);
    if (!transposed) {
      for (int k = 0; k < depth; ++k) {
        const T* from = weight + static_cast<std::ptrdiff_t>(k) * stride + j;
        T* to = strip + k * width;
        for (int i = 0; i < used; ++i) to[i] = from[i];
        for (int i = used; i < width; ++i) to[i] = T(0);
      }
      continue;
    }
    // Transposing in blocks of 16 rows reads each cache line of the weight once.
    for (int k0 = 0; k0 < depth; k0 += 16) {
      const int k1 = std::min(k0 + 16, depth);
      for (int i = 0; i < width; ++i) {
        const T* from = weight + static_cast<std::ptrdiff_t>(j + i) * stride;
        for (int k = k0; k < k1; ++k) strip[k * width + i] = i < used ? from[k] : T(0);
      }
    }
  }
}

template <class T>
void multiply(const T* x, std::size_t x_stride, int rows, int depth, const T* panels, int cols, T* y,
              std::size_t y_stride, bool accumulate) {
  for (int j = 0; j < cols; j += kPanel<T>) {
    const T* strip = panels + static_cast<std::size_t>(j) * static_cast<std::size_t>(depth);
    const int used = std::min(kPanel<T>, cols - j);
    for (int i = 0; i < rows;) {
      const T* from = x + static_cast<std::size_t>(i) * x_stride;
      T* to = y + static_cast<std::size_t>(i) * y_stride + j;
      const int left = rows - i;
      // Of the last eight rows two blocks of four, since a block of two cannot hide the latency.
      if (left >= kRows && (kRows == 8 || left != 8)) {
        edge_kernel<T, kRows>(from, x_stride, 1, strip, depth, used, to, y_stride, accumulate);
        i += kRows;
      } else if (left >= 4) {
        edge_kernel<T, 4>(from, x_stride, 1, strip, depth, used, to, y_stride, accumulate);
        i += 4;
      } else {
        edge_kernel<T, 1>(from, x_stride, 1, strip, depth, used, to, y_stride, accumulate);
        i += 1;
      }
    }
  }
}

constexpr int round_up(int n, int multiple) { return (n + multiple - 1) / multiple * multiple; }

template <class T>
std::size_t weight_gradient_scratch(int rows, int in, int out) {
  return static_cast<std::size_t>(std::min(rows, kChunk)) *
         static_cast<std::size_t>(round_up(in, kRows) + std::min(round_up(out, kPanel<T>), kBlockColumns));
}

/// packed <- strips of kWidth columns of x [rows, cols], each row after row, the last padded with zeros.
template <int kWidth, class T>
void pack_strips(const T* x, std::size_t x_stride, int rows, int cols, T* packed) {
  // Eight rows at a time: strips lie a power of two apart, so that one row's pieces would all meet in one
  // set.
  for (int m0 = 0; m0 < rows; m0 += 8)
    for (int i = 0; i < cols; i += kWidth)
      for (int m = m0; m < std::min(m0 + 8, rows); ++m) {
        const T* from = x + static_cast<std::size_t>(m) * x_stride + i;
        T* to = packed + static_cast<std::size_t>(i) * static_cast<std::size_t>(rows) +
                static_cast<std::size_t>(m) * kWidth;
        if (i + kWidth <= cols)
          std::memcpy(to, from, kWidth * sizeof(T));
        else
          for (int r = 0; r < kWidth; ++r) to[r] = i + r < cols ? from[r] : T(0);
      }
}

template <class T>
void weight_gradient(const T* x, std::size_t x_stride, const T* d_y, std::size_t y_stride, int rows, int in,
                     int out, T* d_weight, T* d_bias, T* scratch, bool accumulate) {
  const auto stride = static_cast<std::size_t>(out);
  for (int j = 0; j < out && !accumulate; ++j) d_bias[j] = T(0);
  for (int m = 0; m < rows; ++m) {
    const T* row = d_y + static_cast<std::size_t>(m) * y_stride;
    for (int j = 0; j < out; ++j) d_bias[j] += row[j];
  }
  if (out == 1) {  // the head of a value net: a sum of rows, no panel needed
    for (int i = 0; i < in && !accumulate; ++i) d_weight[i] = T(0);
    for (int m = 0; m < rows; ++m) {
      const T* row = x + static_cast<std::size_t>(m) * x_stride;
      const T scale = d_y[static_cast<std::size_t>(m) * y_stride];
      for (int i = 0; i < in; ++i) d_weight[i] += row[i] * scale;
    }
    return;
  }
  for (int m0 = 0; m0 < rows; m0 += kChunk) {
    const int chunk = std::min(kChunk, rows - m0);
    T* const packed_x = scratch;
    T* const packed_y =
        scratch + static_cast<std::size_t>(chunk) * static_cast<std::size_t>(round_up(in, kRows));
    pack_strips<kRows>(x + static_cast<std::size_t>(m0) * x_stride, x_stride, chunk, in, packed_x);
    for (int j0 = 0; j0 < out; j0 += kBlockColumns) {
      const int block = std::min(kBlockColumns, out - j0);
      pack_strips<kPanel<T>>(d_y + static_cast<std::size_t>(m0) * y_stride + j0, y_stride, chunk, block,
                             packed_y);
      for (int j = 0; j < block; j += kPanel<T>) {
        const T* panel = packed_y + static_cast<std::size_t>(j) * static_cast<std::size_t>(chunk);
        const int used = std::min(kPanel<T>, block - j);
        for (int i = 0; i < in; i += kRows) {
          const T* strip = packed_x + static_cast<std::size_t>(i) * static_cast<std::size_t>(chunk);
          T* c = d_weight + static_cast<std::size_t>(i) * stride + j0 + j;
          if (i + kRows <= in)
            edge_kernel<T, kRows>(strip, 1, kRows, panel, chunk, used, c, stride, m0 > 0 || accumulate);
          else
            for (int r = 0; i + r < in; ++r)
              edge_kernel<T, 1>(strip + r, 1, kRows, panel, chunk, used,
                                c + static_cast<std::size_t>(r) * stride, stride, m0 > 0 || accumulate);
        }
      }
    }
  }
}

template <class T>
void dot(const T* x, std::size_t x_stride, int rows, int depth, const T* weight, T bias, T* y,
         std::size_t y_stride) {
  using V = Vector<T>;
  constexpr int lanes = kLanes<T>;
  for (int r = 0; r < rows; ++r) {
    const T* row = x + static_cast<std::size_t>(r) * x_stride;
    V sum[4] = {};
    int k = 0;
    for (; k + 4 * lanes <= depth; k += 4 * lanes)
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u)
        sum[u] += *reinterpret_cast<const V*>(row + k + u * lanes) *
                  *reinterpret_cast<const V*>(weight + k + u * lanes);
    sum[0] += sum[1] + (sum[2] + sum[3]);
    T total = bias;
    for (int l = 0; l < lanes; ++l) total += sum[0][l];
    for (; k < depth; ++k) total += row[k] * weight[k];
    y[static_cast<std::size_t>(r) * y_stride] = total;
  }
}

template <class T>
void outer(const T* d_y, std::size_t y_stride, int rows, int depth, const T* weight, T* d_x,
           std::size_t x_stride, bool accumulate) {
  for (int r = 0; r < rows; ++r) {
    const T scale = d_y[static_cast<std::size_t>(r) * y_stride];
    T* row = d_x + static_cast<std::size_t>(r) * x_stride;
    if (accumulate)
      for (int k = 0; k < depth; ++k) row[k] += scale * weight[k];
    else
      for (int k = 0; k < depth; ++k) row[k] = scale * weight[k];
  }
}

}  // namespace
}  // namespace r2pac::R2_ISA
