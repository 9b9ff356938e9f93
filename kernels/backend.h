// What a device can do: one function for every operation that a recording consists of.
//
// The CPU's functions compute at once, for the rows of one slice. Those of a CUDA device enqueue kernels, for
// whole batches.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/pointwise.h"
#include "kernels/precision.h"
#include "kernels/row_operations.h"
#include "kernels/update.h"

namespace r2pac {

/// Weights W [K, in, out] and biases [K, out] of an ensemble's layer: net k at `weight + k * weight_stride`.
template <class T>
struct DenseWeights {
  const T* weight = nullptr;
  std::size_t weight_stride = 0;
  const T* bias = nullptr;
  std::size_t bias_stride = 0;
  const T* packed =
      nullptr;  ///< from Dense::pack of the place's products, for devices that want packs; null for out = 1
  std::size_t packed_stride = 0;
  int in = 0, out = 0;
  LayerPlace place = LayerPlace::input;
};

/// y [K, B, out] = activation(x W + b), x [1 or K, B, in]. slope (data may be null): the activation's slope.
template <class T>
struct DenseForward {
  View<T> x;
  DenseWeights<T> weights;
  Activation activation;
  View<T> y, slope;
};

/// d_x = d_y W'^T, plus what d_x held if `accumulate`, with W' the rows first_row .. first_row + d_x.cols of
/// W; `packed` holds W'^T. If d_x has one member, the ensemble's contributions are summed.
template <class T>
struct DenseInputGradient {
  View<T> d_y;
  DenseWeights<T> weights;
  int first_row;
  View<T> d_x;
  bool accumulate;
};

/// d_weight [K, in, out] = x^T d_y and d_bias [K, out] = column sums of d_y, plus what they held if
/// `accumulate`.
template <class T>
struct DenseWeightGradient {
  View<T> x, d_y;
  T* d_weight;
  std::size_t weight_stride;
  T* d_bias;
  std::size_t bias_stride;
  LayerPlace place = LayerPlace::input;
  bool accumulate = false;
};

/// Layer normalisation of each row: see VectorKernels. Net k's gain at gain + k * stride, bias likewise.
template <class T>
struct LayerNorm {
  View<T> x;
  const T *gain, *bias;
  std::size_t stride;
  View<T> y, normalized, inverse_deviation;  ///< data of the last two null: not kept
  T epsilon = T(kNormEpsilon);
};
template <class T>
struct LayerNormGradient {
  View<T> d_y;
  const T* gain;
  std::size_t stride;
  View<T> normalized, inverse_deviation, d_x;
  bool accumulate = false;
};

/// A group of tensors that an optimiser moves at once. The tensors of all groups of a step count as its
/// pieces, one group after the other; `squares` [pieces of the group] are sums of squared gradients.
template <class T>
struct OptimizerStep {
  std::vector<UpdateArguments<T>> pieces;
  AdamSettings settings;
  double clip_norm = 0;  ///< the greatest norm of the group's gradient; 0: any
  StepState* state;
  UpdateCount count;
  T* partial = nullptr;         ///< [partial_squares]: of parts of pieces, as a CUDA device leaves them
  T* gradient_scale = nullptr;  ///< one value, of a group with a clip_norm
};

/// The operations of a device.
template <class T>
class Backend {
 public:
  virtual ~Backend() = default;

  virtual void rows(const RowOperation<T>& operation, int rows) const = 0;

  virtual void dense(const DenseForward<T>& call) const = 0;
  virtual void dense_input_gradient(const DenseInputGradient<T>& call) const = 0;
  /// scratch: weight_gradient_scratch bytes.
  virtual void dense_weight_gradient(const DenseWeightGradient<T>& call, std::byte* scratch) const = 0;
  virtual std::size_t weight_gradient_scratch(int rows, int in, int out, LayerPlace place) const = 0;
  /// y = activation(x), all of one shape. slope (data may be null; may have fewer members and rows): its
  /// slope.
  virtual void activate(const View<T>& x, Activation activation, const View<T>& y,
                        const View<T>& slope) const = 0;
  /// target(k, r, c) *= factor(k, r, c).
  virtual void scale(const View<T>& factor, const View<T>& target) const = 0;

  virtual void layer_norm(const LayerNorm<T>& call) const = 0;
  virtual void layer_norm_gradient(const LayerNormGradient<T>& call) const = 0;
  /// gain(k) [cols] = sum over rows of d * normalized, bias(k) [cols] = sum over rows of d, plus what
  /// they held if `accumulate`.
  virtual void layer_norm_gains(const View<T>& d, const View<T>& normalized, T* gain, T* bias,
                                std::size_t stride, bool accumulate = false) const = 0;

  virtual void embed_backward(const View<T>& label, const View<T>& d_out, int labels, T* d_table,
                              bool accumulate = false) const = 0;
  /// sum [cols] = the sum of d [1, rows, cols] over rows, plus what it held if `accumulate`.
  virtual void sum_rows(const View<T>& d, T* sum, bool accumulate) const = 0;
  virtual void sum_of_means(const View<T>& x, T* out) const = 0;
  /// work [rows]: overwritten.
  virtual void update_threshold(const View<T>& x, double alpha, double keep, const StepState* state,
                                unsigned long long first_step, T* threshold, T* work) const = 0;

  /// Values of OptimizerStep::partial.
  virtual std::size_t partial_squares(const OptimizerStep<T>& call) const = 0;
  /// Pieces first .. first + count: their squares alone, before clip_gradient.
  virtual void square_gradients(const OptimizerStep<T>& call, int first, int count, T* squares) const = 0;
  /// gradient_scale from all squares.
  virtual void clip_gradient(const OptimizerStep<T>& call, const T* squares) const = 0;
  /// Pieces first .. first + count of the optimiser's step, and their squares.
  virtual void update(const OptimizerStep<T>& call, int first, int count, T* squares) const = 0;
  /// On a device of whole batches: what is drawn from here on belongs to the next step. It need not wait for
  /// the optimisers. Elsewhere finish_step() does this.
  virtual void begin_next_step(StepState* state) const = 0;
  /// After all groups: notes a step that is not finite in the state and counts it. Their squares and partial
  /// lie one after the other. losses: each one value.
  virtual void finish_step(const std::vector<const OptimizerStep<T>*>& groups, T* squares,
                           const std::vector<const T*>& losses) const = 0;
};

/// The CPU's. In bf16 (T = float, has_bf16_products()) products between hidden layers round their operands.
template <class T>
const Backend<T>& cpu_backend(Precision precision = Precision::fp32);

}  // namespace r2pac
