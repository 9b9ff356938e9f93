// Dense layers on oneDNN's matmul primitive. Threads are ours: each call runs on the calling thread.
#include <omp.h>

#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <tuple>

#include "kernels/dense.h"

namespace r2pac {
namespace {

using dnnl::memory;
using Dims = memory::dims;

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::desc matrix(int rows, int cols, std::int64_t row_stride, std::int64_t col_stride) {
  return {Dims{rows, cols}, memory::data_type::f32, Dims{row_stride, col_stride}};
}

memory view(const memory::desc& desc, const float* data) {
  return {desc, cpu_engine(), const_cast<float*>(data)};
}

/// One product y = a b (+ y) for fixed shapes, with the descriptions that it was made for.
struct Product {
  memory::desc a, b, y;
  dnnl::matmul primitive;

  Product(const memory::desc& a_, const memory::desc& b_, const memory::desc& y_, bool accumulate)
      : a(a_), b(b_), y(y_) {
    dnnl::primitive_attr attributes;
    if (accumulate) {
      dnnl::post_ops sum;
      sum.append_sum(1.0f);
      attributes.set_post_ops(sum);
    }
    const dnnl::matmul::primitive_desc description({a, b, y}, attributes, cpu_engine());
    b = description.weights_desc();
    primitive = dnnl::matmul(description);
  }
  void run(const float* a_data, const float* b_data, float* y_data) const {
    // oneDNN would start OpenMP threads of its own; this setting belongs to the calling thread.
    if (omp_get_max_threads() != 1) omp_set_num_threads(1);
    dnnl::stream stream(cpu_engine());
    primitive.execute(stream, {{DNNL_ARG_SRC, view(a, a_data)},
                               {DNNL_ARG_WEIGHTS, view(b, b_data)},
                               {DNNL_ARG_DST, view(y, y_data)}});
    stream.wait();
  }
};

class OnednnDense final : public Dense<float> {
 public:
  std::string name() const override { return "onednn"; }

  std::size_t packed_size(int depth, int cols) const override {
    return packed_desc(depth, cols).get_size() / sizeof(float);
  }

  void pack(const float* weight, int depth, int cols, int stride, bool transposed,
            float* packed) const override {
    const memory::desc plain = transposed ? matrix(depth, cols, 1, stride) : matrix(depth, cols, stride, 1);
    memory from = view(plain, weight), to = view(packed_desc(depth, cols), packed);
    if (omp_get_max_threads() != 1) omp_set_num_threads(1);
    dnnl::stream stream(cpu_engine());
    dnnl::reorder(from, to).execute(stream, from, to);
    stream.wait();
  }

  void multiply(const float* x, std::size_t x_stride, int rows, int depth, const float* packed, int cols,
                float* y, std::size_t y_stride, bool accumulate) const override {
    thread_local std::map<std::tuple<int, int, int, std::size_t, std::size_t, bool>, Product> products;
    const auto key = std::make_tuple(rows, depth, cols, x_stride, y_stride, accumulate);
    auto found = products.find(key);
    if (found == products.end())
      found =
          products
              .emplace(key, Product(matrix(rows, depth, static_cast<std::int64_t>(x_stride), 1),
                                    packed_desc(depth, cols),
                                    matrix(rows, cols, static_cast<std::int64_t>(y_stride), 1), accumulate))
              .first;
    found->second.run(x, packed, y);
  }

  void weight_gradient(const float* x, std::size_t x_stride, const float* d_y, std::size_t y_stride, int rows,
                       int in, int out, float* d_weight, float* d_bias, float* scratch,
                       bool accumulate) const override {
    // oneDNN does not fix the order of the sum for a single output, and has no column sums.
    if (out == 1)
      return native_dense<float>().weight_gradient(x, x_stride, d_y, y_stride, rows, in, out, d_weight,
                                                   d_bias, scratch, accumulate);
    thread_local std::map<std::tuple<int, int, int, std::size_t, std::size_t, bool>, Product> products;
    const auto key = std::make_tuple(rows, in, out, x_stride, y_stride, accumulate);
    auto found = products.find(key);
    if (found == products.end())
      found = products
                  .emplace(key, Product(matrix(in, rows, 1, static_cast<std::int64_t>(x_stride)),
                                        matrix(rows, out, static_cast<std::int64_t>(y_stride), 1),
                                        matrix(in, out, out, 1), accumulate))
                  .first;
    found->second.run(x, d_y, d_weight);
    for (int j = 0; j < out && !accumulate; ++j) d_bias[j] = 0;
    for (int m = 0; m < rows; ++m)
      for (int j = 0; j < out; ++j)
        d_bias[j] += d_y[static_cast<std::size_t>(m) * y_stride + static_cast<std::size_t>(j)];
  }

  std::size_t weight_gradient_scratch(int rows, int in, int out) const override {
    return native_dense<float>().weight_gradient_scratch(rows, in, out);
  }

 private:
  /// oneDNN's own weight layout for a tile of rows; all row counts then use it.
  static memory::desc packed_desc(int depth, int cols) {
    thread_local std::map<std::pair<int, int>, memory::desc> layouts;
    auto found = layouts.find({depth, cols});
    if (found == layouts.end()) {
      const memory::desc any(Dims{depth, cols}, memory::data_type::f32, memory::format_tag::any);
      found = layouts
                  .emplace(std::make_pair(depth, cols),
                           Product(matrix(64, depth, depth, 1), any, matrix(64, cols, cols, 1), false).b)
                  .first;
    }
    return found->second;
  }
};

}  // namespace

const Dense<float>& onednn_dense() {
  static const OnednnDense implementation;
  return implementation;
}

std::string onednn_version() {
  const dnnl_version_t& v = *dnnl_version();
  return std::to_string(v.major) + "." + std::to_string(v.minor) + "." + std::to_string(v.patch);
}

}  // namespace r2pac
