// Dense layers on a CUDA device: what stands between the library's matrix products.
#pragma once

#include <cuda_runtime_api.h>

#include "kernels/schedules.h"

namespace r2pac::cuda {

/// y = activation(y + bias) in place for each member; slope (data may be null, and may have fewer members and
/// rows than y) receives the activation's derivative. bias: net k's at bias + k * stride.
void bias_activation(const View<float>& y, const float* bias, std::size_t stride, Activation activation,
                     const View<float>& slope, cudaStream_t stream);

/// target(k, r, c) *= factor(k, r, c).
void scale(const View<float>& factor, const View<float>& target, cudaStream_t stream);

/// Layers of one output: y [K, B, 1] = activation(x . w + b), a warp for each row, in a fixed order.
void head(const DenseForward<float>& call, cudaStream_t stream);
/// d_x of a layer of one output. d_x has as many members as d_y.
void head_input_gradient(const DenseInputGradient<float>& call, cudaStream_t stream);

/// As on the CPU (schedules.h), a warp for each row.
void layer_norm(const LayerNorm<float>& call, cudaStream_t stream);
void layer_norm_gradient(const LayerNormGradient<float>& call, cudaStream_t stream);

}  // namespace r2pac::cuda
