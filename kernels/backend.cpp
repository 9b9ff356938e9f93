#include "kernels/backend.h"

#include <algorithm>

#include "kernels/dense.h"
#include "kernels/reduce.h"
#include "kernels/vector_kernels.h"

namespace r2pac {
namespace {

constexpr std::size_t size(int n) { return static_cast<std::size_t>(n); }

template <class T>
class CpuBackend final : public Backend<T> {
 public:
  explicit CpuBackend(Precision precision) : precision_(precision) {}

  void rows(const RowOperation<T>& operation, int rows) const override { run_rows(operation, rows); }

  /// Heads of one output by a dot product.
  void dense(const DenseForward<T>& call) const override {
    const View<T>&x = call.x, &y = call.y;
    const DenseWeights<T>& w = call.weights;
    for (int k = 0; k < y.nets; ++k) {
      const T* bias = w.bias + size(k) * w.bias_stride;
      T* slope = call.slope.data != nullptr ? call.slope.net(k) : nullptr;
      if (w.out == 1) {
        kernels_.dot(x.net(k), size(x.cols), x.rows, w.in, w.weight + size(k) * w.weight_stride, bias[0],
                     y.net(k), 1);
        const T zero = 0;
        if (call.activation != Activation::identity || slope != nullptr)
          kernels_.bias_activation(y.net(k), 1, x.rows, 1, &zero, call.activation, slope, 1);
        continue;
      }
      r2pac::dense<T>(precision_, w.place)
          .multiply(x.net(k), size(x.cols), x.rows, w.in, w.packed + size(k) * w.packed_stride, w.out,
                    y.net(k), size(y.cols), false);
      kernels_.bias_activation(y.net(k), size(y.cols), x.rows, w.out, bias, call.activation, slope,
                               size(y.cols));
    }
  }

  void dense_input_gradient(const DenseInputGradient<T>& call) const override {
    const View<T>&from = call.d_y, &to = call.d_x;
    const DenseWeights<T>& w = call.weights;
    for (int k = 0; k < from.nets; ++k) {
      const bool add = call.accumulate || (to.nets == 1 && k > 0);
      if (w.out == 1)
        kernels_.outer(from.net(k), 1, from.rows, to.cols,
                       w.weight + size(k) * w.weight_stride + call.first_row, to.net(k), size(to.cols), add);
      else
        r2pac::dense<T>(precision_, w.place)
            .multiply(from.net(k), size(from.cols), from.rows, w.out, w.packed + size(k) * w.packed_stride,
                      to.cols, to.net(k), size(to.cols), add);
    }
  }

  void dense_weight_gradient(const DenseWeightGradient<T>& call, std::byte* scratch) const override {
    const View<T>&x = call.x, &d_y = call.d_y;
    for (int k = 0; k < d_y.nets; ++k)
      r2pac::dense<T>(precision_, call.place)
          .weight_gradient(x.net(k), size(x.cols), d_y.net(k), size(d_y.cols), d_y.rows, x.cols, d_y.cols,
                           call.d_weight + size(k) * call.weight_stride,
                           call.d_bias + size(k) * call.bias_stride, reinterpret_cast<T*>(scratch),
                           call.accumulate);
  }
  std::size_t weight_gradient_scratch(int rows, int in, int out, LayerPlace place) const override {
    return r2pac::dense<T>(precision_, place).weight_gradient_scratch(rows, in, out) * sizeof(T);
  }

  /// As rows of kZeros values, for the vector kernel wants a bias.
  void activate(const View<T>& x, Activation activation, const View<T>& y,
                const View<T>& slope) const override {
    constexpr int kZeros = 256;
    static constexpr T zeros[kZeros] = {};
    for (int k = 0; k < y.nets; ++k) {
      const int n = y.rows * y.cols;
      std::copy_n(x.net(k), n, y.net(k));
      T* const slopes = slope.data != nullptr ? slope.net(k) : nullptr;
      const int rows = n / kZeros, done = rows * kZeros;
      kernels_.bias_activation(y.net(k), kZeros, rows, kZeros, zeros, activation, slopes, kZeros);
      kernels_.bias_activation(y.net(k) + done, kZeros, 1, n - done, zeros, activation,
                               slopes != nullptr ? slopes + done : nullptr, kZeros);
    }
  }
  void scale(const View<T>& factor, const View<T>& target) const override {
    for (int k = 0; k < target.nets; ++k)
      kernels_.scale(target.net(k), factor.net(k), size(target.rows) * size(target.cols));
  }

  void layer_norm(const LayerNorm<T>& call) const override {
    const bool keep = call.normalized.data != nullptr;
    for (int k = 0; k < call.y.nets; ++k)
      kernels_.layer_norm(call.x.net(k), call.y.rows, call.y.cols, call.gain + size(k) * call.stride,
                          call.bias + size(k) * call.stride, call.y.net(k),
                          keep ? call.normalized.net(k) : nullptr,
                          keep ? call.inverse_deviation.net(k) : nullptr, call.epsilon);
  }
  void layer_norm_gradient(const LayerNormGradient<T>& call) const override {
    for (int k = 0; k < call.d_x.nets; ++k)
      kernels_.layer_norm_backward(call.d_y.net(k), call.d_x.rows, call.d_x.cols,
                                   call.gain + size(k) * call.stride, call.normalized.net(k),
                                   call.inverse_deviation.net(k), call.d_x.net(k), call.accumulate);
  }
  void layer_norm_gains(const View<T>& d, const View<T>& normalized, T* gain, T* bias, std::size_t stride,
                        bool accumulate) const override {
    for (int k = 0; k < d.nets; ++k)
      kernels_.column_products(d.net(k), normalized.net(k), d.rows, d.cols, gain + size(k) * stride,
                               bias + size(k) * stride, accumulate);
  }

  void embed_backward(const View<T>& label, const View<T>& d_out, int labels, T* d_table,
                      bool accumulate) const override {
    r2pac::embed_backward(label, d_out, labels, d_table, accumulate);
  }
  void sum_rows(const View<T>& d, T* sum, bool accumulate) const override {
    r2pac::sum_rows(d, sum, accumulate);
  }
  void sum_of_means(const View<T>& x, T* out) const override { r2pac::sum_of_means(x, out); }
  void update_threshold(const View<T>& x, double alpha, double keep, const StepState* state,
                        unsigned long long first_step, T* threshold, T* work) const override {
    r2pac::update_threshold(x, alpha, keep, state, first_step, threshold, work);
  }

  std::size_t partial_squares(const OptimizerStep<T>&) const override { return 0; }
  void square_gradients(const OptimizerStep<T>& call, int first, int count, T* squares) const override {
    for (std::size_t i = size(first); i < size(first + count); ++i)
      squares[i] = static_cast<T>(kernels_.squares(call.pieces[i].gradient, call.pieces[i].size));
  }
  void clip_gradient(const OptimizerStep<T>& call, const T* squares) const override {
    r2pac::clip_gradient(squares, call.pieces.size(), call.clip_norm, call.gradient_scale);
  }
  void update(const OptimizerStep<T>& call, int first, int count, T* squares) const override {
    for (std::size_t i = size(first); i < size(first + count); ++i)
      update_parameters(call.pieces[i], call.settings, call.state, call.count, squares + i,
                        call.gradient_scale);
  }
  void begin_next_step(StepState*) const override {}
  void finish_step(const std::vector<const OptimizerStep<T>*>& groups, T* squares,
                   const std::vector<const T*>& losses) const override {
    std::size_t pieces = 0;
    for (const auto* group : groups) pieces += group->pieces.size();
    r2pac::finish_step(groups.front()->state, squares, pieces, losses);
  }

 private:
  const Precision precision_;
  const VectorKernels<T>& kernels_ = vector_kernels<T>();
};

}  // namespace

template <class T>
const Backend<T>& cpu_backend(Precision precision) {
  static const CpuBackend<T> as_stored(Precision::fp32), rounding(Precision::bf16);
  return precision == Precision::bf16 ? rounding : as_stored;
}
template const Backend<float>& cpu_backend(Precision);
template const Backend<double>& cpu_backend(Precision);

}  // namespace r2pac
