#include "bench/suites.h"
#include "kernels/dense.h"
#include "kernels/isa.h"
#include "kernels/memory.h"
#include "kernels/reduce.h"
#include "kernels/vector_kernels.h"

namespace r2pac {
namespace {

Buffer<float> filled(std::size_t n) {
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i % 13) * 0.1f - 0.55f;
  Buffer<float> buffer(n);
  buffer.copy_in(values.data(), n);
  return buffer;
}

constexpr std::size_t size(int n) { return static_cast<std::size_t>(n); }

BenchRow product_row(const std::string& name, const std::string& shape, double multiply_adds) {
  BenchRow row;
  row.name = name;
  row.shape = shape;
  row.gflop = 2 * multiply_adds / 1e9;
  return row;
}

/// y [rows, out] = x [rows, in] W, `transposed` as in the input gradient.
void bench_multiply(const Dense<float>& dense, const char* name, int rows, int in, int out, bool transposed,
                    const BenchTarget& target, const RowSink& sink) {
  const Buffer<float> x = filled(size(rows) * size(in)), weight = filled(size(in) * size(out));
  Buffer<float> packed(dense.packed_size(in, out)), y(size(rows) * size(out));
  dense.pack(weight.data(), in, out, transposed ? in : out, transposed, packed.data());
  const std::string shape = std::to_string(rows) + " x " + std::to_string(in) + " x " + std::to_string(out);
  sink(measure(product_row(std::string(name).append(" ").append(dense.name()), shape,
                           static_cast<double>(rows) * in * out),
               target, [&] {
                 dense.multiply(x.data(), size(in), rows, in, packed.data(), out, y.data(), size(out), false);
               }));
}

void bench_weight_gradient(const Dense<float>& dense, const char* name, int rows, int in, int out,
                           const BenchTarget& target, const RowSink& sink) {
  const Buffer<float> x = filled(size(rows) * size(in)), d_y = filled(size(rows) * size(out));
  Buffer<float> d_weight(size(in) * size(out)), d_bias(size(out)),
      scratch(dense.weight_gradient_scratch(rows, in, out));
  const std::string shape = std::to_string(in) + " x " + std::to_string(rows) + " x " + std::to_string(out);
  sink(measure(product_row(std::string(name).append(" ").append(dense.name()), shape,
                           static_cast<double>(rows) * in * out),
               target, [&] {
                 dense.weight_gradient(x.data(), size(in), d_y.data(), size(out), rows, in, out,
                                       d_weight.data(), d_bias.data(), scratch.data());
               }));
}

BenchRow memory_row(const std::string& name, const std::string& shape, double bytes) {
  BenchRow row;
  row.name = name;
  row.shape = shape;
  row.gigabytes = bytes / 1e9;
  return row;
}

}  // namespace

void bench_kernels([[maybe_unused]] const BenchTarget& target, const RowSink& sink) {
#ifdef R2PAC_WITH_CUDA
  if (target.on_cuda()) return bench_cuda_kernels(target, sink);
#endif
  BenchTarget one_thread = target, bf16 = target;
  one_thread.device = bf16.device = cpu_device(1);
  one_thread.precision = Precision::fp32;
  bf16.precision = Precision::bf16;
  const auto bench_products = [&](const Dense<float>& dense, const BenchTarget& peak) {
    bench_multiply(dense, "forward", 64, 512, 512, false, peak, sink);
    bench_multiply(dense, "forward, sampler", 32, 512, 512, false, peak, sink);
    bench_multiply(dense, "forward, first layer", 64, 82, 512, false, peak, sink);
    bench_multiply(dense, "input gradient", 64, 512, 512, true, peak, sink);
    bench_weight_gradient(dense, "weight gradient", 1024, 512, 512, peak, sink);
    bench_weight_gradient(dense, "weight gradient, first layer", 1024, 82, 512, peak, sink);
  };
  bench_products(native_dense<float>(), one_thread);
  bench_products(onednn_dense(), one_thread);
  if (has_bf16_products()) bench_products(bf16_dense(), bf16);
  const VectorKernels<float>& kernels = vector_kernels<float>();
  const Buffer<float> bias = filled(512);
  const Buffer<float> y = filled(1024 * 512), slope = filled(1024 * 512);
  for (const auto& [activation, name] : {std::pair{Activation::gelu_erf, "bias, GELU (erf), slope"},
                                         {Activation::gelu_tanh, "bias, GELU (tanh), slope"}})
    sink(measure(memory_row(name, "1024 x 512", 3.0 * 1024 * 512 * sizeof(float)), one_thread,
                 [&, a = activation] {
                   kernels.bias_activation(y.data(), 512, 1024, 512, bias.data(), a, slope.data(), 512);
                 }));
  const std::size_t n = 5'830'000;
  const Buffer<float> value = filled(n), first = filled(n), second(n), gradient = filled(n),
                      follower = filled(n);
  const AdamStep<float> step = adam_step<float>({}, 1);
  sink(measure(memory_row("Adam and Polyak", std::to_string(n), 9.0 * static_cast<double>(n) * sizeof(float)),
               one_thread, [&] {
                 kernels.adam(value.data(), first.data(), second.data(), gradient.data(), follower.data(), n,
                              step);
               }));
  const Buffer<float> batch = filled(1024);
  Buffer<float> work(1024);
  volatile float sunk = 0;
  sink(measure(memory_row("batch quantile", "1024", 1024.0 * sizeof(float)), one_thread,
               [&] { sunk = quantile(batch.data(), std::size_t{1024}, 0.9, work.data()); }));
}

}  // namespace r2pac
