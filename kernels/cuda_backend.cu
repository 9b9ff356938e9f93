#include "base/error.h"
#include "kernels/cuda_backend.cuh"
#include "kernels/dense.cuh"
#include "kernels/update.cuh"

namespace r2pac::cuda {
namespace {

/// Members of an argument, all of them the same one if it has only one.
Matrix operand(const View<float>& view) {
  return {view.data, view.cols, view.nets == 1 ? 0 : view.net_stride};
}
Matrix transposed(Matrix of) {
  of.transposed = true;
  return of;
}

}  // namespace

void CudaBackend::rows(const RowOperation<float>& operation, int rows) const { queue_.add(operation, rows); }

void CudaBackend::dense(const DenseForward<float>& call) const {
  const DenseWeights<float>& w = call.weights;
  constexpr bool kOverwrite = false;  // `accumulate` of the product
  if (w.out == 1) return queue_.launch(1, [&](const Stream& stream) { head(call, stream.get()); });
  multiply(queue_, operand(call.x), {w.weight, w.out, w.weight_stride}, call.y.rows, w.in, w.out, call.y.data,
           call.y.net_stride, call.y.nets, kOverwrite, w.place == LayerPlace::head);
  queue_.launch(1, [&](const Stream& stream) {
    bias_activation(call.y, w.bias, w.bias_stride, call.activation, call.slope, stream.get());
  });
}

void CudaBackend::dense_input_gradient(const DenseInputGradient<float>& call) const {
  const DenseWeights<float>& w = call.weights;
  const View<float>&from = call.d_y, &to = call.d_x;
  if (w.out == 1 && to.nets == from.nets)
    return queue_.launch(1, [&](const Stream& stream) { head_input_gradient(call, stream.get()); });
  const float* const rows = w.weight + static_cast<std::size_t>(call.first_row) * w.out;
  const Matrix weight = transposed({rows, w.out, w.weight_stride});
  if (to.nets == from.nets)
    return multiply(queue_, operand(from), weight, from.rows, w.out, to.cols, to.data, to.net_stride, to.nets,
                    call.accumulate, w.place == LayerPlace::head);
  for (int k = 0; k < from.nets; ++k)  // members that share their input add up
    multiply(queue_, {from.net(k), from.cols, 0}, transposed({rows + k * w.weight_stride, w.out, 0}),
             from.rows, w.out, to.cols, to.data, 0, 1, call.accumulate || k > 0, w.place == LayerPlace::head);
}

void CudaBackend::dense_weight_gradient(const DenseWeightGradient<float>& call, std::byte*) const {
  const View<float>&x = call.x, &d_y = call.d_y;
  ColumnSum bias;
  bias.x = d_y;
  bias.out = call.d_bias;
  bias.out_stride = call.bias_stride;
  bias.accumulate = call.accumulate;
  queue_.add(bias);
  if (d_y.cols == 1) {
    ColumnSum weight;
    weight.x = {x.data, x.nets == 1 ? 0 : x.net_stride, d_y.nets, x.rows, x.cols};
    weight.factor = d_y;
    weight.out = call.d_weight;
    weight.out_stride = call.weight_stride;
    weight.accumulate = call.accumulate;
    return queue_.add(weight);
  }
  multiply(queue_, transposed(operand(x)), operand(d_y), x.cols, d_y.rows, d_y.cols, call.d_weight,
           call.weight_stride, d_y.nets, call.accumulate, call.place == LayerPlace::head);
}

void CudaBackend::activate(const View<float>& x, Activation activation, const View<float>& y,
                           const View<float>& slope) const {
  queue_.launch(1, [&](const Stream& stream) { cuda::activate(x, activation, y, slope, stream.get()); });
}

void CudaBackend::scale(const View<float>& factor, const View<float>& target) const {
  queue_.launch(1, [&](const Stream& stream) { cuda::scale(factor, target, stream.get()); });
}

void CudaBackend::layer_norm(const LayerNorm<float>& call) const {
  queue_.launch(1, [&](const Stream& stream) { cuda::layer_norm(call, stream.get()); });
}
void CudaBackend::layer_norm_gradient(const LayerNormGradient<float>& call) const {
  queue_.launch(1, [&](const Stream& stream) { cuda::layer_norm_gradient(call, stream.get()); });
}
void CudaBackend::layer_norm_gains(const View<float>& d, const View<float>& normalized, float* gain,
                                   float* bias, std::size_t stride, bool accumulate) const {
  ColumnSum sum;
  sum.x = d;
  sum.out = bias;
  sum.out_stride = stride;
  sum.accumulate = accumulate;
  queue_.add(sum);
  sum.factor = normalized;
  sum.out = gain;
  queue_.add(sum);
}

void CudaBackend::embed_backward(const View<float>& label, const View<float>& d_out, int labels,
                                 float* d_table, bool accumulate) const {
  for (int i = 0; i < labels; ++i) {
    ColumnSum sum;
    sum.x = d_out;
    sum.label = static_cast<float>(i);
    sum.labels = label.data;
    sum.out = d_table + i * d_out.cols;
    sum.accumulate = accumulate;
    queue_.add(sum);
  }
}

void CudaBackend::sum_rows(const View<float>& d, float* out, bool accumulate) const {
  ColumnSum sum;
  sum.x = d;
  sum.out = out;
  sum.accumulate = accumulate;
  queue_.add(sum);
}

void CudaBackend::sum_of_means(const View<float>& x, float* out) const {
  ColumnSum sum;
  sum.x = x;
  sum.across_members = true;
  sum.scale = 1.0f / static_cast<float>(x.rows);
  sum.out = out;
  queue_.add(sum);
}

void CudaBackend::update_threshold(const View<float>& x, double alpha, double keep, const StepState* state,
                                   unsigned long long first_step, float* threshold, float*) const {
  if (x.rows > kMaxQuantileRows)
    throw Error(ExitCode::settings,
                "a batch of " + std::to_string(x.rows) + " is larger than a CUDA device takes, which is " +
                    std::to_string(kMaxQuantileRows),
                "batch", "lower --batch, or use --device cpu");
  queue_.launch(1, [&](const Stream& stream) {
    cuda::update_threshold(x, alpha, keep, state, first_step, threshold, stream.get());
  });
}

std::size_t CudaBackend::partial_squares(const OptimizerStep<float>& call) const {
  return update_scratch(call.pieces);
}

void CudaBackend::square_gradients(const OptimizerStep<float>& call, int, int, float*) const {
  queue_.launch(update_launches(call.pieces), [&](const Stream& stream) {
    cuda::square_gradients(call.pieces, call.partial, stream.get());
  });
}

void CudaBackend::clip_gradient(const OptimizerStep<float>& call, const float*) const {
  queue_.launch(1, [&](const Stream& stream) {
    cuda::clip_gradient(call.partial, update_scratch(call.pieces), call.clip_norm, call.gradient_scale,
                        stream.get());
  });
}

void CudaBackend::update(const OptimizerStep<float>& call, int, int, float*) const {
  queue_.launch(update_launches(call.pieces), [&](const Stream& stream) {
    update_parameters(call.pieces, call.settings, call.state, call.count, call.partial, stream.get(),
                      call.gradient_scale);
  });
}

void CudaBackend::begin_next_step(StepState* state) const {
  queue_.launch(1, [&](const Stream& stream) { cuda::begin_next_step(state, stream.get()); });
}

void CudaBackend::finish_step(const std::vector<const OptimizerStep<float>*>& groups, float* squares,
                              const std::vector<const float*>& losses) const {
  std::vector<UpdateArguments<float>> pieces;
  for (const auto* group : groups) pieces.insert(pieces.end(), group->pieces.begin(), group->pieces.end());
  const auto& first = *groups.front();
  queue_.launch(1, [&](const Stream& stream) {
    cuda::finish_step(pieces, first.state, losses, first.partial, squares, stream.get());
  });
}

}  // namespace r2pac::cuda
