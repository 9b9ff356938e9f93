#include <algorithm>
#include <bit>

#include "base/error.h"
#include "cuda/cuda.cuh"
#include "kernels/dense.cuh"
#include "kernels/warp.cuh"

namespace r2pac::cuda {
namespace {

constexpr int kThreads = 256, kWarp = 32;

__device__ inline float4 load4(const float* p) { return load_vector<float4>(p); }

/// Whether rows of `cols` values from these places can be read four at a time.
bool by_four(int cols, std::initializer_list<const float*> places,
             std::initializer_list<std::size_t> strides) {
  bool fits = cols % 4 == 0;
  for (const float* place : places) fits &= reinterpret_cast<std::uintptr_t>(place) % sizeof(float4) == 0;
  for (const std::size_t stride : strides) fits &= stride % 4 == 0;
  return fits;
}

/// Blocks of kThreads threads for one member of `items` items, times the members.
dim3 blocks(std::size_t items, int nets) {
  return {static_cast<unsigned>((items + kThreads - 1) / kThreads), static_cast<unsigned>(nets)};
}

__device__ inline std::size_t item() { return static_cast<std::size_t>(blockIdx.x) * kThreads + threadIdx.x; }

/// Width values a thread at a time, 4 or 1. A thread keeps its columns and goes down the rows (row_grid).
template <Activation kActivation, int kWidth>
__global__ void __launch_bounds__(kThreads)
    bias_activation_kernel(View<float> from, View<float> y, const float* bias, std::size_t stride,
                           View<float> slope) {
  const int net = static_cast<int>(blockIdx.y), step = static_cast<int>(gridDim.x * blockDim.y),
            learning_rows = slope.data != nullptr && net < slope.nets ? slope.rows : 0;
  const float* const in = from.net(net);
  const float* const b = bias + net * stride;
  float* const out = y.net(net);
  float* const slopes = slope.net(net);
  R2_ROLLED
  for (int column = static_cast<int>(threadIdx.x) * kWidth; column < y.cols;
       column += static_cast<int>(blockDim.x) * kWidth) {
    float4 c = make_float4(0, 0, 0, 0);
    if (bias != nullptr) {
      if constexpr (kWidth == 4)
        c = load4(b + column);
      else
        c.x = b[column];
    }
    R2_ROLLED
    for (int row = static_cast<int>(blockIdx.x * blockDim.y + threadIdx.y); row < y.rows; row += step) {
      const std::size_t at = static_cast<std::size_t>(row) * y.cols + column;
      const bool learns = row < learning_rows;
      if constexpr (kWidth == 4) {
        const float4 x = load4(in + at);
        const auto r0 = formula::activate<kActivation>(x.x + c.x),
                   r1 = formula::activate<kActivation>(x.y + c.y),
                   r2 = formula::activate<kActivation>(x.z + c.z),
                   r3 = formula::activate<kActivation>(x.w + c.w);
        store_four(out + at, make_float4(r0.value, r1.value, r2.value, r3.value));
        if (learns) store_four(slopes + at, make_float4(r0.slope, r1.slope, r2.slope, r3.slope));
      } else {
        const auto result = formula::activate<kActivation>(in[at] + c.x);
        out[at] = result.value;
        if (learns) slopes[at] = result.slope;
      }
    }
  }
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads) scale_kernel(View<float> factor, View<float> target) {
  const int net = static_cast<int>(blockIdx.y);
  const std::size_t at = item() * kWidth;
  if (at >= static_cast<std::size_t>(target.rows) * target.cols) return;
  float* const out = target.net(net) + at;
  const float* const f = factor.net(net) + at;
  if constexpr (kWidth == 4) {
    const float4 x = load4(out), by = load4(f);
    store_vector(out, make_float4(x.x * by.x, x.y * by.y, x.z * by.z, x.w * by.w));
  } else {
    *out *= *f;
  }
}

/// Where a warp of a grid (rows / warps a block, nets) works; rows beyond the end take part with row -1.
__device__ inline int warp_row(int rows) {
  const int row = static_cast<int>(blockIdx.x * (kThreads / kWarp) + threadIdx.x / kWarp);
  return row < rows ? row : -1;
}
dim3 warp_blocks(int rows, int nets) {
  constexpr int per_block = kThreads / kWarp;
  return {static_cast<unsigned>((rows + per_block - 1) / per_block), static_cast<unsigned>(nets)};
}

template <Activation kActivation>
__global__ void __launch_bounds__(kThreads)
    head_kernel(View<float> x, const float* weight, std::size_t weight_stride, const float* bias,
                std::size_t bias_stride, View<float> y, View<float> slope) {
  const int net = static_cast<int>(blockIdx.y), row = warp_row(y.rows);
  if (row < 0) return;
  const int lane = static_cast<int>(threadIdx.x % kWarp);
  const float* const in = x.row(net, row);
  const float* const w = weight + net * weight_stride;
  float sum = 0;
  for (int c = lane; c < x.cols; c += kWarp) sum += in[c] * w[c];
  sum = warp_sum(sum);
  if (lane != 0) return;
  const auto result = formula::activate<kActivation>(sum + bias[net * bias_stride]);
  y.row(net, row)[0] = result.value;
  if (slope.data != nullptr && net < slope.nets && row < slope.rows) slope.row(net, row)[0] = result.slope;
}

__global__ void __launch_bounds__(kThreads)
    head_gradient_kernel(View<float> d_y, const float* weight, std::size_t stride, View<float> d_x,
                         bool accumulate) {
  const int net = static_cast<int>(blockIdx.y);
  const std::size_t at = item();
  if (at >= static_cast<std::size_t>(d_x.rows) * d_x.cols) return;
  const int row = static_cast<int>(at / d_x.cols), column = static_cast<int>(at % d_x.cols);
  const float product = d_y.row(net, row)[0] * weight[net * stride + column];
  float* const out = d_x.net(net) + at;
  *out = accumulate ? *out + product : product;
}

__global__ void __launch_bounds__(kThreads)
    layer_norm_kernel(View<float> x, const float* gain, const float* bias, std::size_t stride, View<float> y,
                      View<float> normalized, View<float> inverse_deviation, float epsilon) {
  const int net = static_cast<int>(blockIdx.y), row = warp_row(y.rows);
  if (row < 0) return;
  const int lane = static_cast<int>(threadIdx.x % kWarp), cols = x.cols;
  const float* const in = x.row(net, row);
  float sum = 0, squares = 0;
  for (int c = lane; c < cols; c += kWarp) sum += in[c];
  const float mean = warp_sum(sum) / static_cast<float>(cols);
  for (int c = lane; c < cols; c += kWarp) squares += (in[c] - mean) * (in[c] - mean);
  const float inverse = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(cols) + epsilon);
  for (int c = lane; c < cols; c += kWarp) {
    const float unit = (in[c] - mean) * inverse;
    if (normalized.data != nullptr) normalized.row(net, row)[c] = unit;
    y.row(net, row)[c] = gain[net * stride + c] * unit + bias[net * stride + c];
  }
  if (normalized.data != nullptr && lane == 0) inverse_deviation.row(net, row)[0] = inverse;
}

__global__ void __launch_bounds__(kThreads)
    layer_norm_gradient_kernel(View<float> d_y, const float* gain, std::size_t stride, View<float> normalized,
                               View<float> inverse_deviation, View<float> d_x, bool accumulate) {
  const int net = static_cast<int>(blockIdx.y), row = warp_row(d_x.rows);
  if (row < 0) return;
  const int lane = static_cast<int>(threadIdx.x % kWarp), cols = d_x.cols;
  const float* const d = d_y.row(net, row);
  const float* const unit = normalized.row(net, row);
  const float* const g = gain + net * stride;
  float sum = 0, projection = 0;
  for (int c = lane; c < cols; c += kWarp) {
    const float d_unit = d[c] * g[c];
    sum += d_unit;
    projection += d_unit * unit[c];
  }
  const float mean = warp_sum(sum) / static_cast<float>(cols),
              along = warp_sum(projection) / static_cast<float>(cols);
  for (int c = lane; c < cols; c += kWarp)
    contribute(d_x.row(net, row)[c],
               (d[c] * g[c] - mean - unit[c] * along) * inverse_deviation.row(net, row)[0], accumulate);
}

cublasComputeType_t compute_type(Precision precision) {
  switch (precision) {
    case Precision::tf32:
      return CUBLAS_COMPUTE_32F_FAST_TF32;
    case Precision::bf16:
      return CUBLAS_COMPUTE_32F_FAST_16BF;
    default:
      return CUBLAS_COMPUTE_32F_PEDANTIC;
  }
}

/// In cuBLAS's column-major order the matrices are their transposes, so that c' = b' a'.
void product(const Stream& stream, Precision precision, const Matrix& a, const Matrix& b, int rows, int depth,
             int cols, float* c, std::size_t c_batch_stride, int batch, bool accumulate) {
  const float one = 1.0f, beta = accumulate ? 1.0f : 0.0f;
  const auto stride = [](std::size_t count) { return static_cast<long long>(count); };
  R2_CUBLAS(cublasGemmStridedBatchedEx(
      stream.blas(), b.transposed ? CUBLAS_OP_T : CUBLAS_OP_N, a.transposed ? CUBLAS_OP_T : CUBLAS_OP_N, cols,
      rows, depth, &one, b.data, CUDA_R_32F, b.stride, stride(b.batch_stride), a.data, CUDA_R_32F, a.stride,
      stride(a.batch_stride), &beta, c, CUDA_R_32F, cols, stride(c_batch_stride), batch,
      compute_type(precision), CUBLAS_GEMM_DEFAULT));
}

std::size_t values(const View<float>& view) {
  return static_cast<std::size_t>(view.rows) * static_cast<std::size_t>(view.cols);
}

/// Blocks of threads along rows of `pieces` pieces, and of so many rows as fit; where rows are many, a thread
/// takes several.
struct RowGrid {
  dim3 blocks, threads;
};
RowGrid row_grid(int pieces, int rows, int nets) {
#ifdef R2PAC_CUDA_HOST
  constexpr int kBlocks = 8;  // so that tests have threads of several rows
#else
  constexpr int kBlocks = 1024;  // of all members; unmeasured
#endif
  const int along = std::min(kThreads, static_cast<int>(std::bit_ceil(static_cast<unsigned>(pieces)))),
            down = kThreads / along, blocks = std::min((rows + down - 1) / down, std::max(1, kBlocks / nets));
  return {dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(nets)),
          dim3(static_cast<unsigned>(along), static_cast<unsigned>(down))};
}

template <Activation kActivation>
void launch_bias_activation(const View<float>& x, const View<float>& y, const float* bias, std::size_t stride,
                            const View<float>& slope, cudaStream_t stream) {
  const bool fours = by_four(y.cols, {x.data, y.data, bias, slope.data},
                             {x.net_stride, y.net_stride, stride, slope.net_stride});
  const RowGrid grid = row_grid(fours ? y.cols / 4 : y.cols, y.rows, y.nets);
  launch(fours ? bias_activation_kernel<kActivation, 4> : bias_activation_kernel<kActivation, 1>, grid.blocks,
         grid.threads, 0, stream, x, y, bias, stride, slope);
}

}  // namespace

void warm_up(const Stream& stream, Precision precision) {
  constexpr int n = 16;
  constexpr bool kOverwrite = false;
  const DeviceArray<float> square(n * n), result(n * n);
  const Matrix operand{square.data(), n, 0};
  R2_CUDA(cudaMemsetAsync(square.data(), 0, n * n * sizeof(float), stream.get()));
  for (const Precision each : {Precision::fp32, precision})
    product(stream, each, operand, operand, n, n, n, result.data(), 0, 1, kOverwrite);
  R2_CUDA(cudaStreamSynchronize(stream.get()));
}

void multiply(Queue& queue, const Matrix& a, const Matrix& b, int rows, int depth, int cols, float* c,
              std::size_t c_batch_stride, int batch, bool accumulate, bool in_fp32) {
  queue.launch(1, [&](const Stream& stream) {
    product(stream, in_fp32 ? Precision::fp32 : queue.precision(), a, b, rows, depth, cols, c, c_batch_stride,
            batch, accumulate);
  });
}

void bias_activation(const View<float>& y, const float* bias, std::size_t stride, Activation activation,
                     const View<float>& slope, cudaStream_t stream) {
  with_activation(activation, [&](auto constant) {
    launch_bias_activation<decltype(constant)::value>(y, y, bias, stride, slope, stream);
  });
}

void activate(const View<float>& x, Activation activation, const View<float>& y, const View<float>& slope,
              cudaStream_t stream) {
  with_activation(activation, [&](auto constant) {
    launch_bias_activation<decltype(constant)::value>(x, y, nullptr, 0, slope, stream);
  });
}

void scale(const View<float>& factor, const View<float>& target, cudaStream_t stream) {
  if (by_four(target.cols, {factor.data, target.data}, {factor.net_stride, target.net_stride}))
    launch(scale_kernel<4>, blocks(values(target) / 4, target.nets), kThreads, 0, stream, factor, target);
  else
    launch(scale_kernel<1>, blocks(values(target), target.nets), kThreads, 0, stream, factor, target);
}

void head(const DenseForward<float>& call, cudaStream_t stream) {
  with_activation(call.activation, [&](auto constant) {
    launch(head_kernel<decltype(constant)::value>, warp_blocks(call.y.rows, call.y.nets), kThreads, 0, stream,
           call.x, call.weights.weight, call.weights.weight_stride, call.weights.bias,
           call.weights.bias_stride, call.y, call.slope);
  });
}

void head_input_gradient(const DenseInputGradient<float>& call, cudaStream_t stream) {
  if (call.d_x.nets != call.d_y.nets)
    throw InvalidArgument("cuda::head_input_gradient: d_x must have as many members as d_y");
  launch(head_gradient_kernel, blocks(values(call.d_x), call.d_x.nets), kThreads, 0, stream, call.d_y,
         call.weights.weight + call.first_row, call.weights.weight_stride, call.d_x, call.accumulate);
}

void layer_norm(const LayerNorm<float>& call, cudaStream_t stream) {
  launch(layer_norm_kernel, warp_blocks(call.y.rows, call.y.nets), kThreads, 0, stream, call.x, call.gain,
         call.bias, call.stride, call.y, call.normalized, call.inverse_deviation, call.epsilon);
}

void layer_norm_gradient(const LayerNormGradient<float>& call, cudaStream_t stream) {
  launch(layer_norm_gradient_kernel, warp_blocks(call.d_x.rows, call.d_x.nets), kThreads, 0, stream, call.d_y,
         call.gain, call.stride, call.normalized, call.inverse_deviation, call.d_x, call.accumulate);
}

}  // namespace r2pac::cuda
