#include "kernels/dense.h"

#include <cstdlib>
#include <type_traits>

#include "base/error.h"
#include "base/nearest.h"
#include "kernels/bf16.h"
#include "kernels/vector_kernels.h"

namespace r2pac {
namespace {

template <class T>
class NativeDense final : public Dense<T> {
 public:
  std::string name() const override { return std::string("native-") + isa_name(current_isa()); }
  std::size_t packed_size(int depth, int cols) const override {
    const int panel = kernels_.panel;
    return static_cast<std::size_t>(depth) * static_cast<std::size_t>((cols + panel - 1) / panel * panel);
  }
  void pack(const T* weight, int depth, int cols, int stride, bool transposed, T* packed) const override {
    kernels_.pack(weight, depth, cols, stride, transposed, packed);
  }
  void multiply(const T* x, std::size_t x_stride, int rows, int depth, const T* packed, int cols, T* y,
                std::size_t y_stride, bool accumulate) const override {
    kernels_.multiply(x, x_stride, rows, depth, packed, cols, y, y_stride, accumulate);
  }
  void weight_gradient(const T* x, std::size_t x_stride, const T* d_y, std::size_t y_stride, int rows, int in,
                       int out, T* d_weight, T* d_bias, T* scratch, bool accumulate) const override {
    kernels_.weight_gradient(x, x_stride, d_y, y_stride, rows, in, out, d_weight, d_bias, scratch,
                             accumulate);
  }
  std::size_t weight_gradient_scratch(int rows, int in, int out) const override {
    return kernels_.weight_gradient_scratch(rows, in, out);
  }

 private:
  const VectorKernels<T>& kernels_ = vector_kernels<T>();
};

class Bf16Dense final : public Dense<float> {
 public:
  std::string name() const override { return "native-bf16"; }
  std::size_t packed_size(int depth, int cols) const override { return bf16_packed_size(depth, cols); }
  void pack(const float* weight, int depth, int cols, int stride, bool transposed,
            float* packed) const override {
    bf16_pack(weight, depth, cols, stride, transposed, packed);
  }
  void multiply(const float* x, std::size_t x_stride, int rows, int depth, const float* packed, int cols,
                float* y, std::size_t y_stride, bool accumulate) const override {
    bf16_multiply(x, x_stride, rows, depth, packed, cols, y, y_stride, accumulate);
  }
  void weight_gradient(const float* x, std::size_t x_stride, const float* d_y, std::size_t y_stride, int rows,
                       int in, int out, float* d_weight, float* d_bias, float* scratch,
                       bool accumulate) const override {
    bf16_weight_gradient(x, x_stride, d_y, y_stride, rows, in, out, d_weight, d_bias, scratch, accumulate);
  }
  std::size_t weight_gradient_scratch(int rows, int in, int out) const override {
    return bf16_weight_gradient_scratch(rows, in, out);
  }
};

bool onednn_wanted() {
  const char* choice = std::getenv("R2PAC_GEMM");
  if (choice == nullptr || std::string(choice) == "native") return false;
  if (std::string(choice) == "onednn") return true;
  throw Error(ExitCode::settings, "unknown implementation `" + std::string(choice) + "` of dense layers",
              "R2PAC_GEMM", did_you_mean(choice, {"native", "onednn"}));
}

}  // namespace

template <class T>
const Dense<T>& native_dense() {
  static const NativeDense<T> native;
  return native;
}

const Dense<float>& bf16_dense() {
  static const Bf16Dense rounded;
  return rounded;
}

template <class T>
const Dense<T>& dense() {
  static const bool onednn = onednn_wanted();
  if constexpr (std::is_same_v<T, float>)
    if (onednn) return onednn_dense();
  return native_dense<T>();
}

template <class T>
const Dense<T>& dense(Precision precision, LayerPlace place) {
  if constexpr (std::is_same_v<T, float>)
    if (precision == Precision::bf16 && place == LayerPlace::hidden) return bf16_dense();
  return dense<T>();
}

template const Dense<float>& native_dense();
template const Dense<double>& native_dense();
template const Dense<float>& dense();
template const Dense<double>& dense();
template const Dense<float>& dense(Precision, LayerPlace);
template const Dense<double>& dense(Precision, LayerPlace);

}  // namespace r2pac
