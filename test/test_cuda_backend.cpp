// Every operation of a CUDA device by itself, at sizes that are multiples of nothing: row operations give the
// CPU's values, and what sums or multiplies errs at most twice as much as the CPU does in single precision.
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>

#include "cuda_host/round.h"
#include "kernels/dense.h"
#include "near.h"
#include "on_cpu.h"
#include "on_cuda.h"

using namespace r2pac;

namespace {

/// Arrays of the same numbers for any type and device, with numbers between them that nobody may touch.
template <class T>
class Arrays {
 public:
  explicit Arrays(const std::shared_ptr<Device>& device) : buffer_(kSize, device->memory()) {
    std::vector<T> values(kSize);
    for (std::uint32_t i = 0; i < kSize; ++i)
      values[i] = static_cast<T>(random_normal(11, Purpose::test, 7, 0, i));
    buffer_.copy_in(values.data(), values.size());
  }
  /// The next array: [nets, rows, cols], `shift` values after a multiple of four.
  View<T> array(int nets, int rows, int cols, std::size_t shift = 0) {
    const auto size = static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
    const View<T> view{buffer_.data() + next_ + shift, size, nets, rows, cols};
    next_ += (static_cast<std::size_t>(nets) * size + shift + 4 + 3) / 4 * 4;
    REQUIRE(next_ <= kSize);
    return view;
  }
  void set(const View<T>& view, const std::function<double(std::size_t)>& value) {
    const auto n = static_cast<std::size_t>(view.nets) * view.net_stride;
    std::vector<T> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<T>(value(i));
    buffer_.copy_in(values.data(), n, static_cast<std::size_t>(view.data - buffer_.data()));
  }
  std::vector<double> all() const {
    std::vector<T> values(kSize);
    buffer_.copy_out(values.data(), kSize);
    return {values.begin(), values.end()};
  }

 private:
  static constexpr std::size_t kSize = 60000;
  Buffer<T> buffer_;
  std::size_t next_ = 0;
};

/// All arrays after `call(backend, arrays)`.
template <class T, class Call>
std::vector<double> after(const std::shared_ptr<Device>& device, Call call) {
  Arrays<T> arrays(device);
  const std::function<void()> run = call(device->template backend<T>(), arrays);
  if (device->whole_batches())
    device->record({{"call", {}, {}, true, run}})->run();
  else
    run();
  return arrays.all();
}

double greatest_error(const std::vector<double>& values, const std::vector<double>& exact) {
  double greatest = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    greatest = std::isnan(values[i]) ? INFINITY : std::max(greatest, std::abs(values[i] - exact[i]));
  return greatest;
}

/// The same values as on the CPU; nvcc fuses multiply-adds where the host's compiler does not, so that a GPU
/// may differ by some units in the last place of a sum's terms.
template <class Call>
void check_exact(Call call) {
#ifdef R2PAC_CUDA_HOST
  constexpr double units = 0;
#else
  constexpr double units = 8;
#endif
  const std::vector<double> expected = after<float>(on_cpu(), call), found = after<float>(on_cuda(), call);
  std::size_t differences = 0;
  for (std::size_t i = 0; i < expected.size(); ++i)
    differences += !near(found[i], expected[i], units * 0x1p-24 * std::max(1.0, std::abs(expected[i])));
  CHECK(differences == 0);
  CHECK(expected != Arrays<float>(on_cpu()).all());  // the call does something
}

/// Sums in another order than the CPU's may be off by a unit in the last place of the largest result where
/// the CPU's error is small by chance.
template <class Call>
void check_twice(Call call) {
  const std::vector<double> exact = after<double>(on_cpu(), call), naive = after<float>(on_cpu(), call),
                            found = after<float>(on_cuda(), call);
  double largest = 0;
  for (const double x : exact) largest = std::max(largest, std::abs(x));
  CHECK(greatest_error(found, exact) <= 2 * greatest_error(naive, exact) + largest * 0x1p-23);
  CHECK(exact != Arrays<double>(on_cpu()).all());
}

/// A call that is one row operation over `rows` rows, made by make(arrays).
template <class Make>
auto row_operation(int rows, Make make) {
  return [=](const auto& backend, auto& arrays) -> std::function<void()> {
    const auto operation = make(arrays);
    return [&backend, operation, rows] { backend.rows(operation, rows); };
  };
}
const StepState kState{12345, 12345, 0};

}  // namespace

TEST_CASE("row operations give the CPU's values") {
  any_order();
  constexpr int rows = 67;
  check_exact(row_operation(rows, []<class T>(Arrays<T>& a) {
    return CopyColumns<T>{a.array(3, rows, 5), a.array(3, rows, 41, 1), 7};
  }));
  for (const bool add : {false, true})
    check_exact(row_operation(rows, [=]<class T>(Arrays<T>& a) {
      return CopyColumnsGradient<T>{a.array(2, rows, 41, 3), 2, a.array(2, rows, 35), add};
    }));
  check_exact(row_operation(rows, []<class T>(Arrays<T>& a) {
    const View<T> table = a.array(1, 3, 37), label = a.array(1, rows, 1);
    a.set(label, [](std::size_t i) { return static_cast<double>(i * i % 3); });
    return Embed<T>{table.data, label, a.array(1, rows, 37)};
  }));
  for (const bool maximum : {false, true})
    check_exact(row_operation(rows, [=]<class T>(Arrays<T>& a) {
      return EnsembleExtreme<T>{a.array(4, rows, 1), maximum, a.array(1, rows, 1)};
    }));
  for (const PenaltyReading reading :
       {PenaltyReading::absorbing, PenaltyReading::direct, PenaltyReading::none})
    check_exact(row_operation(rows, [=]<class T>(Arrays<T>& a) {
      const auto scalar = [&] { return a.array(1, rows, 1); };
      const View<T> mask = scalar();
      a.set(mask, [](std::size_t i) { return i % 5 == 0 ? 0.0 : 1.0; });
      return CriticTargets<T>{scalar(),
                              scalar(),
                              mask,
                              scalar(),
                              scalar(),
                              {scalar().data},
                              {T(0.99), T(0.95), T(1.5), reading, {T(-0.4), T(0.3)}, {T(-0.2), T(0.5)}},
                              scalar(),
                              scalar(),
                              scalar()};
    }));
  check_exact(row_operation(rows, []<class T>(Arrays<T>& a) {
    const View<T> costs = a.array(1, rows, 5), mask = a.array(1, rows, 1);
    a.set(costs, [](std::size_t i) { return i % 3 == 0 ? 1.0 : 0.0; });
    a.set(mask, [](std::size_t i) { return i % 5 == 0 ? 0.0 : 1.0; });
    const TargetConstants<T> constants{T(0.99), 0, 0, PenaltyReading::none, {}, {T(-1), T(25)}};
    return FeasibilityTargets<T>{costs, mask, a.array(1, rows, 1), constants, a.array(1, rows, 1)};
  }));
  check_exact(row_operation(rows, []<class T>(Arrays<T>& a) {
    return SquaredError<T>{a.array(4, rows, 1), a.array(1, rows, 1), a.array(4, rows, 1)};
  }));
  check_exact(row_operation(rows, []<class T>(Arrays<T>& a) {
    return SquaredErrorGradient<T>{a.array(4, rows, 1), a.array(1, rows, 1), T(1.0 / rows),
                                   a.array(4, rows, 1)};
  }));
  for (const Side side : {Side::upper, Side::lower}) {
    check_exact(row_operation(rows, [=]<class T>(Arrays<T>& a) {
      return ExpectileLoss<T>{a.array(1, rows, 1), a.array(1, rows, 1), T(0.9), side, a.array(1, rows, 1)};
    }));
    check_exact(row_operation(rows, [=]<class T>(Arrays<T>& a) {
      return ExpectileGradient<T>{a.array(1, rows, 1), a.array(1, rows, 1), T(0.9), side,
                                  T(1.0 / rows),       a.array(1, rows, 1)};
    }));
  }
  check_exact(row_operation(rows, []<class T>(Arrays<T>& a) {
    const auto scalar = [&] { return a.array(1, rows, 1); };
    return AdvantageWeights<T>{scalar(), scalar(), scalar(), scalar(), {scalar().data}, T(2), T(3), scalar()};
  }));
  check_exact(row_operation(rows, []<class T>(Arrays<T>& a) {
    const auto scalar = [&] { return a.array(1, rows, 1); };
    return AllowedChunks<T>{scalar(), scalar(), {scalar().data, 1}, scalar()};
  }));
  for (const LabelRule rule : {LabelRule::regions, LabelRule::reward, LabelRule::allowed})
    check_exact(row_operation(rows, [=]<class T>(Arrays<T>& a) {
      const auto scalar = [&] { return a.array(1, rows, 1); };
      return OptimalityLabels<T>{scalar(), scalar(), scalar(), scalar(), {scalar().data}, scalar(), rule};
    }));
}

TEST_CASE("row operations that draw or gather see the step on the device") {
  any_order();
  constexpr int rows = 61;
  for (const std::shared_ptr<Device>& device : {on_cpu(), on_cuda()}) {
    Buffer<StepState> state(1, device->memory());
    state.copy_in(&kState, 1);
    Arrays<float> a(device);
    const auto scalar = [&] { return a.array(1, rows, 1); };
    constexpr int s = 9, act = 3, h = 4, stored = 200;
    Buffer<std::uint32_t> starts(stored - h - 1, device->memory()), first(1, device->memory());
    Buffer<float> labels(starts.size(), device->memory());
    std::vector<std::uint32_t> start(starts.size());
    std::vector<float> label(starts.size());
    for (std::uint32_t i = 0; i < start.size(); ++i) start[i] = i, label[i] = static_cast<float>(i % 2 + 1);
    const std::uint32_t begin = 150;  // so that the last window is repeated
    starts.copy_in(start.data(), start.size());
    labels.copy_in(label.data(), label.size());
    first.copy_in(&begin, 1);
    const WindowSource<float> source{a.array(1, stored, s).data,
                                     a.array(1, stored, act).data,
                                     a.array(1, stored, 1).data,
                                     a.array(1, stored, 1).data,
                                     a.array(1, stored, 1).data,
                                     starts.data(),
                                     static_cast<std::uint32_t>(starts.size()),
                                     s,
                                     act,
                                     h,
                                     0.97f};
    const auto batch = [&] {
      return WindowBatch<float>{
          a.array(1, rows, s), a.array(1, rows, act * h), a.array(1, rows, s), scalar(), scalar(), scalar()};
    };
    const View<float> noise = a.array(1, rows, 7), time = scalar(), budget = scalar();
    Buffer<float> greatest_budget(1, device->memory());
    const float two = 2;
    greatest_budget.copy_in(&two, 1);
    const float* const greatest = greatest_budget.data();
    const std::vector<RowOperation<float>> operations = {
        GatherWindows<float>{source, 5, state.data(), 3, batch()},
        GatherWindowsInOrder<float>{source, first.data(), 0, batch()},
        GatherColumn<float>{labels.data(), source.windows, 5, state.data(), 3, scalar()},
        GatherSteps<float>{source, source.costs, 5, state.data(), 3, a.array(1, rows, h)},
        LabelDropout<float>{scalar(), 0.4f, 5, state.data(), 2, scalar()},
        DrawFlow<float>{5, state.data(), 1, noise, time},
        DrawBudgets<float>{5, state.data(), 1, greatest, 0.5f, budget},
        BudgetInputs<float>{budget, greatest, 0.5f, scalar()},
        NextBudgets<float>{budget, scalar(), greatest, 0.9f, scalar()},
        FlowPath<float>{noise, a.array(1, rows, 7), time, a.array(1, rows, 7)},
        FlowLoss<float>{a.array(1, rows, 7), noise, a.array(1, rows, 7), scalar()},
        FlowLossGradient<float>{a.array(1, rows, 7), noise, a.array(1, rows, 7), 0.1f, a.array(1, rows, 7)}};
    const std::function<void()> run = [&] {
      for (const auto& operation : operations) device->backend<float>().rows(operation, rows);
    };
    static std::vector<double> expected;
    if (!device->whole_batches()) {
      run();
      expected = a.all();
      continue;
    }
    const auto recording = device->record({{"call", {}, {}, true, run}});
    CHECK(recording->launches() == 1);
    recording->run();
    const std::vector<double> found = a.all();
    // A device's logarithm and cosine are not the C library's: a normal number may differ by some units.
    CHECK(greatest_error(found, expected) <= 64 * 0x1p-24);
  }
}

TEST_CASE("layers, their gradients and normalisation") {
  any_order();
  struct Size {
    int nets, rows, in, out;
    bool shared;
  };
  for (const Size size : {Size{1, 33, 7, 5, false}, Size{4, 33, 12, 8, true}, Size{3, 21, 16, 1, false},
                          Size{2, 50, 33, 1, true}}) {
    INFO("nets " << size.nets << ", in " << size.in << ", out " << size.out);
    const auto weights = [=]<class T>(Arrays<T>& a) {
      DenseWeights<T> w;
      const View<T> weight = a.array(size.nets, size.in, size.out, size.out == 1),
                    bias = a.array(size.nets, 1, size.out);
      w.weight = weight.data;
      w.weight_stride = weight.net_stride;
      w.bias = bias.data;
      w.bias_stride = bias.net_stride;
      w.in = size.in;
      w.out = size.out;
      return w;
    };
    /// The CPU wants packed weights; `transposed` as the input gradient does.
    const auto packed = [=]<class T>(DenseWeights<T> w, int first_row, int rows, bool transposed,
                                     std::vector<T>& room) {
      const int depth = transposed ? w.out : rows, cols = transposed ? rows : w.out;
      w.packed_stride = dense<T>().packed_size(depth, cols);
      room.resize(w.packed_stride * static_cast<std::size_t>(size.nets));
      for (int k = 0; k < size.nets && w.out > 1; ++k)
        dense<T>().pack(w.weight + static_cast<std::size_t>(k) * w.weight_stride + first_row * w.out, depth,
                        cols, w.out, transposed, room.data() + static_cast<std::size_t>(k) * w.packed_stride);
      w.packed = room.data();
      return w;
    };
    const int in_nets = size.shared ? 1 : size.nets;
    for (const Activation activation : {Activation::identity, Activation::gelu_erf, Activation::gelu_tanh})
      for (const bool slopes : {false, true})
        check_twice([=]<class T>(const Backend<T>& backend, Arrays<T>& a) -> std::function<void()> {
          DenseForward<T> call{a.array(in_nets, size.rows, size.in), weights(a), activation,
                               a.array(size.nets, size.rows, size.out),
                               slopes ? a.array(size.nets, size.rows, size.out) : View<T>{}};
          return [&backend, call, packed, cpu = &backend == &cpu_backend<T>()]() mutable {
            std::vector<T> room;
            if (cpu) call.weights = packed(call.weights, 0, call.weights.in, false, room);
            backend.dense(call);
          };
        });
    for (const bool add : {false, true})
      check_twice([=]<class T>(const Backend<T>& backend, Arrays<T>& a) -> std::function<void()> {
        const int first_row = 2, wanted = size.in - 3;
        DenseInputGradient<T> call{a.array(size.nets, size.rows, size.out), weights(a), first_row,
                                   a.array(in_nets, size.rows, wanted), add};
        return [&backend, call, packed, first_row, wanted, cpu = &backend == &cpu_backend<T>()]() mutable {
          std::vector<T> room;
          if (cpu) call.weights = packed(call.weights, first_row, wanted, true, room);
          backend.dense_input_gradient(call);
        };
      });
    check_twice([=]<class T>(const Backend<T>& backend, Arrays<T>& a) -> std::function<void()> {
      const View<T> d_weight = a.array(size.nets, size.in, size.out),
                    d_bias = a.array(size.nets, 1, size.out);
      const DenseWeightGradient<T> call{a.array(in_nets, size.rows, size.in),
                                        a.array(size.nets, size.rows, size.out),
                                        d_weight.data,
                                        d_weight.net_stride,
                                        d_bias.data,
                                        d_bias.net_stride};
      return [&backend, call, size] {
        std::vector<std::byte> scratch(
            backend.weight_gradient_scratch(size.rows, size.in, size.out, LayerPlace::input));
        backend.dense_weight_gradient(call, scratch.data());
      };
    });
  }
  for (const int cols : {5, 32, 71}) {
    constexpr int rows = 19, nets = 2;
    const auto row = [=](auto& a) { return a.array(nets, 1, cols); };
    for (const bool keep : {false, true})
      check_twice([=]<class T>(const Backend<T>& backend, Arrays<T>& a) -> std::function<void()> {
        const View<T> gain = row(a), bias = row(a);
        const LayerNorm<T> call{a.array(nets, rows, cols),
                                gain.data,
                                bias.data,
                                gain.net_stride,
                                a.array(nets, rows, cols),
                                keep ? a.array(nets, rows, cols) : View<T>{},
                                keep ? a.array(nets, rows, 1) : View<T>{}};
        return [&backend, call] { backend.layer_norm(call); };
      });
    check_twice([=]<class T>(const Backend<T>& backend, Arrays<T>& a) -> std::function<void()> {
      const View<T> gain = row(a);
      const LayerNormGradient<T> call{a.array(nets, rows, cols), gain.data,
                                      gain.net_stride,           a.array(nets, rows, cols),
                                      a.array(nets, rows, 1),    a.array(nets, rows, cols)};
      return [&backend, call] { backend.layer_norm_gradient(call); };
    });
    check_twice([=]<class T>(const Backend<T>& backend, Arrays<T>& a) -> std::function<void()> {
      const View<T> gain = row(a), bias = row(a), d = a.array(nets, rows, cols),
                    unit = a.array(nets, rows, cols);
      return [&backend, gain, bias, d, unit] {
        backend.layer_norm_gains(d, unit, gain.data, bias.data, gain.net_stride);
      };
    });
    check_exact([=]<class T>(const Backend<T>& backend, Arrays<T>& a) -> std::function<void()> {
      const View<T> factor = a.array(nets, rows, cols), target = a.array(nets, rows, cols, cols % 2);
      return [&backend, factor, target] { backend.scale(factor, target); };
    });
    check_twice([=]<class T>(const Backend<T>& backend, Arrays<T>& a) -> std::function<void()> {
      const View<T> label = a.array(1, rows, 1), d = a.array(1, rows, cols), table = a.array(1, 3, cols);
      a.set(label, [](std::size_t i) { return static_cast<double>(i * i % 3); });
      return [&backend, label, d, table] { backend.embed_backward(label, d, 3, table.data); };
    });
    check_twice([=]<class T>(const Backend<T>& backend, Arrays<T>& a) -> std::function<void()> {
      const View<T> x = a.array(nets, cols, 1), out = a.array(1, 1, 1);
      return [&backend, x, out] { backend.sum_of_means(x, out.data); };
    });
  }
}

TEST_CASE("products of rounded operands err at most twice as much as naive loops over rounded operands") {
  any_order();
  constexpr int rows = 37, in = 29, out = 23;
  for (const Precision precision : {Precision::tf32, Precision::bf16}) {
    // A naive kernel on a GPU gives tensor cores single precision for TF32, whose lowest bits they ignore.
    const auto rounded = [&](float x) {
      if (precision == Precision::bf16) return cuda_host::round_bf16(x);
#ifdef R2PAC_CUDA_HOST
      return cuda_host::round_tf32(x);
#else
      return std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & 0xffffe000u);
#endif
    };
    std::vector<float> x(rows * in), w(in * out), d(rows * out);
    std::uint32_t row = 0;
    for (auto* values : {&x, &w, &d}) {
      for (std::uint32_t i = 0; i < values->size(); ++i)
        (*values)[i] = random_normal(11, Purpose::test, 8, row, i);
      ++row;
    }
    /// c [n, m] = sum over k of a(i, k) b(k, j), in T, of operands as `see` sees them.
    const auto product = [](auto zero, int n, int depth, int m, auto a, auto b, auto see) {
      std::vector<double> c;
      for (int i = 0; i < n; ++i)
        for (int j = 0; j < m; ++j) {
          auto sum = zero;
          for (int k = 0; k < depth; ++k)
            sum += static_cast<decltype(zero)>(see(a(i, k))) * static_cast<decltype(zero)>(see(b(k, j)));
          c.push_back(static_cast<double>(sum));
        }
      return c;
    };
    const auto at = [](const std::vector<float>& m, int cols, int i, int j) {
      return m[static_cast<std::size_t>(i * cols + j)];
    };
    const auto same = [](float v) { return v; };
    const std::shared_ptr<Device> device = on_cuda(precision);
    Memory& memory = device->memory();
    Buffer<float> on_x(x.size(), memory), on_w(w.size(), memory), on_d(d.size(), memory), y(d.size(), memory),
        d_x(x.size(), memory), d_w(w.size(), memory), bias(out, memory);
    on_x.copy_in(x.data(), x.size());
    on_w.copy_in(w.data(), w.size());
    on_d.copy_in(d.data(), d.size());
    const auto view = [](const Buffer<float>& b, int r, int c) {
      return View<float>{b.data(), b.size(), 1, r, c};
    };
    DenseWeights<float> weights;
    weights.weight = on_w.data();
    weights.bias = bias.data();
    weights.in = in;
    weights.out = out;
    const Backend<float>& backend = device->backend<float>();
    device
        ->record(
            {{"call",
              {},
              {},
              true,
              [&] {
                backend.dense({view(on_x, rows, in), weights, Activation::identity, view(y, rows, out), {}});
                backend.dense_input_gradient({view(on_d, rows, out), weights, 0, view(d_x, rows, in), false});
                backend.dense_weight_gradient(
                    {view(on_x, rows, in), view(on_d, rows, out), d_w.data(), 0, bias.data(), 0}, nullptr);
              }}})
        ->run();
    const auto check = [&](const Buffer<float>& found, int n, int depth, int m, auto a, auto b) {
      std::vector<float> values(found.size());
      found.copy_out(values.data(), values.size());
      const auto exact = product(0.0, n, depth, m, a, b, same),
                 naive = product(0.0f, n, depth, m, a, b, rounded);
      CHECK(greatest_error({values.begin(), values.end()}, exact) <= 2 * greatest_error(naive, exact));
      CHECK(greatest_error(naive, exact) > 1e-4);  // the operands are rounded
    };
    check(
        y, rows, in, out, [&](int i, int k) { return at(x, in, i, k); },
        [&](int k, int j) { return at(w, out, k, j); });
    check(
        d_x, rows, out, in, [&](int i, int k) { return at(d, out, i, k); },
        [&](int k, int j) { return at(w, out, j, k); });
    check(
        d_w, in, rows, out, [&](int i, int k) { return at(x, in, k, i); },
        [&](int k, int j) { return at(d, out, k, j); });
  }
}
