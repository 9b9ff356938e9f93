// The matrix products of dense layers, by our own kernels, in fp32 or bf16, or by oneDNN.
//
// Ours are the default: they allocate nothing, their results do not depend on how rows are grouped, and
// they are as fast on AVX2 as on AVX-512. oneDNN is a second implementation to check and to measure
// against; the environment variable R2PAC_GEMM (native or onednn) chooses.
#pragma once

#include <cstddef>
#include <string>

#include "kernels/precision.h"

namespace r2pac {

/// All matrices are row-major; strides count values.
template <class T>
class Dense {
 public:
  virtual ~Dense() = default;
  virtual std::string name() const = 0;

  /// Values of a packed weight matrix [depth, cols].
  virtual std::size_t packed_size(int depth, int cols) const = 0;
  /// packed <- weight [depth, cols], or its transpose if `transposed` (weight is then [cols, depth]).
  virtual void pack(const T* weight, int depth, int cols, int stride, bool transposed, T* packed) const = 0;
  /// y [rows, cols] = x [rows, depth] * packed, plus what y held if `accumulate`.
  virtual void multiply(const T* x, std::size_t x_stride, int rows, int depth, const T* packed, int cols,
                        T* y, std::size_t y_stride, bool accumulate) const = 0;
  /// d_weight [in, out] = x^T d_y and d_bias [out] = column sums of d_y, plus what they held if `accumulate`.
  virtual void weight_gradient(const T* x, std::size_t x_stride, const T* d_y, std::size_t y_stride, int rows,
                               int in, int out, T* d_weight, T* d_bias, T* scratch,
                               bool accumulate = false) const = 0;
  /// Values of scratch memory that weight_gradient needs.
  virtual std::size_t weight_gradient_scratch(int rows, int in, int out) const = 0;
};

/// The implementation in use. Throws Error(settings) if R2PAC_GEMM names none.
template <class T>
const Dense<T>& dense();

/// What a layer takes that stands there, on a CPU of that precision: in bf16 the products between hidden
/// layers are bf16_dense's, all others are those above.
template <class T>
const Dense<T>& dense(Precision precision, LayerPlace place);

/// Products of operands that are rounded to bf16 (kernels/bf16.h); to be used only where has_bf16_products().
const Dense<float>& bf16_dense();

/// Our own kernels, whatever the environment says.
template <class T>
const Dense<T>& native_dense();

/// oneDNN's; single precision only. Throws Error(settings) in the library, which does without.
const Dense<float>& onednn_dense();

/// The oneDNN library's version, "2.6.3".
std::string onednn_version();

}  // namespace r2pac
