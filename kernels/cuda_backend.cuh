// A CUDA device's backend: what kernels/backend.h asks for, put into a queue.
#pragma once

#include "kernels/backend.h"
#include "kernels/queue.cuh"

namespace r2pac::cuda {

class CudaBackend final : public Backend<float> {
 public:
  /// The queue outlives the backend.
  explicit CudaBackend(Queue& queue) : queue_(queue) {}

  void rows(const RowOperation<float>& operation, int rows) const override;
  void dense(const DenseForward<float>& call) const override;
  void dense_input_gradient(const DenseInputGradient<float>& call) const override;
  void dense_weight_gradient(const DenseWeightGradient<float>& call, std::byte* scratch) const override;
  std::size_t weight_gradient_scratch(int, int, int, LayerPlace) const override { return 0; }
  void activate(const View<float>& x, Activation activation, const View<float>& y,
                const View<float>& slope) const override;
  void scale(const View<float>& factor, const View<float>& target) const override;
  void layer_norm(const LayerNorm<float>& call) const override;
  void layer_norm_gradient(const LayerNormGradient<float>& call) const override;
  void layer_norm_gains(const View<float>& d, const View<float>& normalized, float* gain, float* bias,
                        std::size_t stride, bool accumulate) const override;
  void embed_backward(const View<float>& label, const View<float>& d_out, int labels, float* d_table,
                      bool accumulate) const override;
  void sum_rows(const View<float>& d, float* sum, bool accumulate) const override;
  void sum_of_means(const View<float>& x, float* out) const override;
  void update_threshold(const View<float>& x, double alpha, double keep, const StepState* state,
                        unsigned long long first_step, float* threshold, float* work) const override;
  std::size_t partial_squares(const OptimizerStep<float>& call) const override;
  /// All pieces, whatever the range.
  void square_gradients(const OptimizerStep<float>& call, int, int, float*) const override;
  void clip_gradient(const OptimizerStep<float>& call, const float*) const override;
  void update(const OptimizerStep<float>& call, int, int, float*) const override;
  void begin_next_step(StepState* state) const override;
  void finish_step(const std::vector<const OptimizerStep<float>*>& groups, float* squares,
                   const std::vector<const float*>& losses) const override;

 private:
  Queue& queue_;
};

}  // namespace r2pac::cuda
