// The kernels that are compiled once per instruction set, behind a table of pointers chosen at start.
//
// Matrices are row-major. `panels` is a weight matrix packed for `multiply`: strips of `panel` columns,
// each stored row after row, the last one padded with zeros. Every output element is one chain of
// multiply-adds over the depth in ascending order, so a row's result does not depend on the rows beside it.
#pragma once

#include <cstddef>

#include "kernels/isa.h"
#include "kernels/optimizer.h"
#include "kernels/pointwise.h"

namespace r2pac {

/// Registers that VectorKernels::multiply_add keeps busy: latency times units of any known processor.
constexpr int kPeakChains = 12;

template <class T>
struct VectorKernels {
  int panel;  ///< columns of one packed strip

  /// Runs `rounds` times kPeakChains independent multiply-adds on whole registers of `lanes` values: the
  /// most arithmetic that one core can do. Returns a value that depends on all of it.
  T (*multiply_add)(long rounds);
  int lanes;

  /// panels <- weight [depth, cols] with row stride `stride`; or, if `transposed`, its transpose, the
  /// weight then being stored as [cols, depth]. panels holds depth * (cols rounded up to `panel`) values.
  void (*pack)(const T* weight, int depth, int cols, int stride, bool transposed, T* panels);

  /// y [rows, cols] = x [rows, depth] * panels, plus what y held if `accumulate`.
  void (*multiply)(const T* x, std::size_t x_stride, int rows, int depth, const T* panels, int cols, T* y,
                   std::size_t y_stride, bool accumulate);

  /// y [rows] = x [rows, depth] . weight [depth] + bias, strided by y_stride.
  void (*dot)(const T* x, std::size_t x_stride, int rows, int depth, const T* weight, T bias, T* y,
              std::size_t y_stride);

  /// d_x [rows, depth] = d_y [rows] * weight [depth], plus what d_x held if `accumulate`: the input gradient
  /// of `dot`.
  void (*outer)(const T* d_y, std::size_t y_stride, int rows, int depth, const T* weight, T* d_x,
                std::size_t x_stride, bool accumulate);

  /// d_weight [in, out] = x^T [in, rows] * d_y [rows, out] and d_bias [out] = column sums of d_y, plus
  /// what they held if `accumulate`, summed over rows in ascending order. scratch: `weight_gradient_scratch`
  /// values.
  void (*weight_gradient)(const T* x, std::size_t x_stride, const T* d_y, std::size_t y_stride, int rows,
                          int in, int out, T* d_weight, T* d_bias, T* scratch, bool accumulate);
  std::size_t (*weight_gradient_scratch)(int rows, int in, int out);

  /// y [rows, cols] = activation(y + bias) in place; slope [rows, cols] receives its derivative unless null.
  void (*bias_activation)(T* y, std::size_t y_stride, int rows, int cols, const T* bias,
                          Activation activation, T* slope, std::size_t slope_stride);

  /// target [n] *= factor [n].
  void (*scale)(T* target, const T* factor, std::size_t n);

  /// The sum of squared gradients that `adam` returns.
  double (*squares)(const T* gradient, std::size_t n);

  /// Adam on n parameters, then Polyak into target [n] unless null.
  /// Returns the sum of squared gradients, in double, in ascending order of a fixed blocking.
  double (*adam)(T* value, T* first, T* second, const T* gradient, T* target, std::size_t n,
                 const AdamStep<T>& step);

  /// gain [cols] = sum over rows of d * unit and bias [cols] = sum over rows of d, plus what they held if
  /// `accumulate`: the parameter gradients of layer_norm.
  void (*column_products)(const T* d, const T* unit, int rows, int cols, T* gain, T* bias, bool accumulate);

  /// Layer normalisation of each row (Ba, Kiros, Hinton, 2016): out = gain * (x - mean) / sqrt(variance +
  /// epsilon) + bias; saves the normalised row and 1 / deviation for the gradient unless `normalized` is
  /// null.
  void (*layer_norm)(const T* x, int rows, int cols, const T* gain, const T* bias, T* out, T* normalized,
                     T* inverse_deviation, T epsilon);

  /// d_x of layer_norm from d_out, the saved rows and the gain, plus what d_x held if `accumulate`.
  void (*layer_norm_backward)(const T* d_out, int rows, int cols, const T* gain, const T* normalized,
                              const T* inverse_deviation, T* d_x, bool accumulate);
};

/// The table of the current instruction set, for float and double.
template <class T>
const VectorKernels<T>& vector_kernels();

/// The table of one instruction set, which the processor must have (for tests and benchmarks).
template <class T>
const VectorKernels<T>& vector_kernels(Isa isa);

}  // namespace r2pac
