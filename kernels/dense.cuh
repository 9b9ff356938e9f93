// Dense layers on a CUDA device: the library's matrix products and what stands between them.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/backend.h"
#include "kernels/queue.cuh"

namespace r2pac::cuda {

/// One operand of a product: matrices of row length `stride`, `batch_stride` values apart (0: the same one).
struct Matrix {
  const float* data;
  int stride;
  std::size_t batch_stride;
  bool transposed = false;
};

/// Takes a small product in fp32 and one in this precision, and waits for them. The library sets up a handle
/// and loads its kernels with the first product of a kind, which must not happen in a capture.
void warm_up(const Stream& stream, Precision precision);

/// c [rows, cols] = a [rows, depth] b [depth, cols], plus c if `accumulate`, for `batch` matrices, as a
/// launch of the queue; in the queue's precision, or in fp32.
void multiply(Queue& queue, const Matrix& a, const Matrix& b, int rows, int depth, int cols, float* c,
              std::size_t c_batch_stride, int batch, bool accumulate, bool in_fp32 = false);

/// y = activation(y + bias) in place for each member; slope (data may be null, and may have fewer members and
/// rows than y) receives the activation's derivative. bias: net k's at bias + k * stride.
void bias_activation(const View<float>& y, const float* bias, std::size_t stride, Activation activation,
                     const View<float>& slope, cudaStream_t stream);

/// y = activation(x), shapes as y's, without a bias; slope as above.
void activate(const View<float>& x, Activation activation, const View<float>& y, const View<float>& slope,
              cudaStream_t stream);

/// target(k, r, c) *= factor(k, r, c).
void scale(const View<float>& factor, const View<float>& target, cudaStream_t stream);

/// Layers of one output: y [K, B, 1] = activation(x . w + b), a warp for each row, in a fixed order.
void head(const DenseForward<float>& call, cudaStream_t stream);
/// d_x of a layer of one output. d_x has as many members as d_y.
void head_input_gradient(const DenseInputGradient<float>& call, cudaStream_t stream);

/// As on the CPU (backend.h), a warp for each row.
void layer_norm(const LayerNorm<float>& call, cudaStream_t stream);
void layer_norm_gradient(const LayerNormGradient<float>& call, cudaStream_t stream);

}  // namespace r2pac::cuda
