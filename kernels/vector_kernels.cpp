// Compiled once per instruction set, with R2_ISA naming the namespace; nothing here may have external
// linkage except the two tables.
#include "kernels/vector_kernels.h"

#include <cmath>

#include "kernels/vector_gemm.h"

namespace r2pac::R2_ISA {
namespace {

template <class T>
T multiply_add(long rounds) {
  using V = Vector<T>;
  V sum[kPeakChains];
#pragma GCC unroll 12
  for (int i = 0; i < kPeakChains; ++i) sum[i] = V{} + static_cast<T>(i + 2);
  const V factor = V{} + T(0.999), term = V{} + T(0.001);
  for (long n = 0; n < rounds; ++n)
#pragma GCC unroll 12
    for (int i = 0; i < kPeakChains; ++i) sum[i] = sum[i] * factor + term;
  T total = 0;
#pragma GCC unroll 12
  for (int i = 0; i < kPeakChains; ++i)
    for (int l = 0; l < kLanes<T>; ++l) total += sum[i][l];
  return total;
}

template <class T, class Formula>
[[gnu::always_inline]] inline void activate(T* y, std::size_t y_stride, int rows, int cols, const T* bias,
                                            T* slope, std::size_t slope_stride, Formula formula) {
  for (int r = 0; r < rows; ++r) {
    T* row = y + static_cast<std::size_t>(r) * y_stride;
    if (slope == nullptr) {
#pragma omp simd
      for (int j = 0; j < cols; ++j) row[j] = formula(row[j] + bias[j]).value;
    } else {
      T* slope_row = slope + static_cast<std::size_t>(r) * slope_stride;
#pragma omp simd
      for (int j = 0; j < cols; ++j) {
        const formula::ValueAndSlope<T> result = formula(row[j] + bias[j]);
        row[j] = result.value;
        slope_row[j] = result.slope;
      }
    }
  }
}

template <class T>
void bias_activation(T* y, std::size_t y_stride, int rows, int cols, const T* bias, Activation activation,
                     T* slope, std::size_t slope_stride) {
  with_activation(activation, [&](auto constant) {
    activate(y, y_stride, rows, cols, bias, slope, slope_stride,
             [](T x) { return formula::activate<decltype(constant)::value>(x); });
  });
}

template <class T>
void scale(T* target, const T* factor, std::size_t n) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) target[i] *= factor[i];
}

constexpr std::size_t kSquaresBlock = 256;  // short float sums, added in double

/// Of one block.
template <class T>
[[gnu::always_inline]] inline double block_squares(const T* gradient, std::size_t begin, std::size_t end) {
  T partial = 0;
#pragma omp simd reduction(+ : partial)
  for (std::size_t i = begin; i < end; ++i) partial += gradient[i] * gradient[i];
  return static_cast<double>(partial);
}

template <class T>
double squares(const T* gradient, std::size_t n) {
  double sum = 0;
  for (std::size_t begin = 0; begin < n; begin += kSquaresBlock)
    sum += block_squares(gradient, begin, std::min(n, begin + kSquaresBlock));
  return sum;
}

template <class T>
double adam(T* value, T* first, T* second, const T* gradient, T* target, std::size_t n,
            const AdamStep<T>& step) {
  double squares = 0;
  for (std::size_t begin = 0; begin < n; begin += kSquaresBlock) {
    const std::size_t end = std::min(n, begin + kSquaresBlock);
    squares += block_squares(gradient, begin, end);
#pragma omp simd
    for (std::size_t i = begin; i < end; ++i)
      formula::adam_update(value[i], first[i], second[i], gradient[i], step);
    if (target != nullptr) {
#pragma omp simd
      for (std::size_t i = begin; i < end; ++i)
        target[i] = formula::polyak_update(target[i], value[i], step.polyak);
    }
  }
  return squares;
}

template <class T>
void column_products(const T* d, const T* unit, int rows, int cols, T* gain, T* bias, bool accumulate) {
  for (int j = 0; j < cols && !accumulate; ++j) gain[j] = bias[j] = T(0);
  for (int r = 0; r < rows; ++r, d += cols, unit += cols)
    for (int j = 0; j < cols; ++j) {
      gain[j] += d[j] * unit[j];
      bias[j] += d[j];
    }
}

template <class T>
void layer_norm(const T* x, int rows, int cols, const T* gain, const T* bias, T* out, T* normalized,
                T* inverse_deviation, T epsilon) {
  for (int r = 0; r < rows; ++r) {
    const std::size_t begin = static_cast<std::size_t>(r) * static_cast<std::size_t>(cols);
    const T* row = x + begin;
    T sum = 0, squares = 0;
    for (int j = 0; j < cols; ++j) sum += row[j];
    const T mean = sum / static_cast<T>(cols);
    for (int j = 0; j < cols; ++j) squares += (row[j] - mean) * (row[j] - mean);
    const T inverse = T(1) / std::sqrt(squares / static_cast<T>(cols) + epsilon);
    for (int j = 0; j < cols; ++j) {
      const T unit = (row[j] - mean) * inverse;
      if (normalized != nullptr) normalized[begin + static_cast<std::size_t>(j)] = unit;
      out[begin + static_cast<std::size_t>(j)] = gain[j] * unit + bias[j];
    }
    if (normalized != nullptr) inverse_deviation[r] = inverse;
  }
}

template <class T>
void layer_norm_backward(const T* d_out, int rows, int cols, const T* gain, const T* normalized,
                         const T* inverse_deviation, T* d_x, bool accumulate) {
  for (int r = 0; r < rows; ++r) {
    const std::size_t begin = static_cast<std::size_t>(r) * static_cast<std::size_t>(cols);
    T sum = 0, projection = 0;
    for (int j = 0; j < cols; ++j) {
      const T d_unit = d_out[begin + static_cast<std::size_t>(j)] * gain[j];
      sum += d_unit;
      projection += d_unit * normalized[begin + static_cast<std::size_t>(j)];
    }
    const T scale_mean = sum / static_cast<T>(cols), scale_unit = projection / static_cast<T>(cols);
    for (int j = 0; j < cols; ++j) {
      const std::size_t i = begin + static_cast<std::size_t>(j);
      const T d = (d_out[i] * gain[j] - scale_mean - normalized[i] * scale_unit) * inverse_deviation[r];
      d_x[i] = accumulate ? d_x[i] + d : d;
    }
  }
}

template <class T>
constexpr VectorKernels<T> make_table() {
  return {kPanel<T>,
          multiply_add<T>,
          kLanes<T>,
          pack<T>,
          multiply<T>,
          dot<T>,
          outer<T>,
          weight_gradient<T>,
          weight_gradient_scratch<T>,
          bias_activation<T>,
          scale<T>,
          squares<T>,
          adam<T>,
          column_products<T>,
          layer_norm<T>,
          layer_norm_backward<T>};
}

}  // namespace

extern const VectorKernels<float> float_table;
extern const VectorKernels<double> double_table;
const VectorKernels<float> float_table = make_table<float>();
const VectorKernels<double> double_table = make_table<double>();

}  // namespace r2pac::R2_ISA
