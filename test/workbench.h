// Layers of small and different widths to build tapes from, and checks of the gradients of such a tape: on
// the CPU in double against central differences, on a CUDA device in float against the CPU.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "engine/operations.h"
#include "entry_values.h"
#include "near.h"
#include "on_cpu.h"

namespace r2pac {

template <class T>
struct Workbench {
  static constexpr int rows = 150;  // more than two tiles of the CPU, the last one short

  explicit Workbench(const std::shared_ptr<Device>& device)
      : tape(device), numbers(std::size_t{rows} * 20, device->memory()), states(1, device->memory()) {
    const StepState now{123, 123, 0};
    states.copy_in(&now, 1);
    declare(parameters);
    declare(fixed);
    average.add("second.weight", {1, 4, 4});
    average.add("critics.bias", {3, 1, 1});
    average.add("norm.gain", {1, 1, 4});
    for (Parameters<T>* p : {&fixed, &parameters}) {
      p->allocate(true, *device, p == &parameters ? &average : nullptr);
      std::vector<T> values(p->size());
      for (std::uint32_t i = 0; i < values.size(); ++i) values[i] = normal(p == &fixed ? 2 : 0, i);
      p->values().copy_in(values.data(), values.size());
      p->repack();
    }
    std::vector<T> values(numbers.size());
    for (std::uint32_t i = 0; i < values.size(); ++i) values[i] = normal(1, i);
    for (std::size_t r = 0; r < rows; ++r) {
      values[std::size_t{rows} * 18 + r] = static_cast<T>(r % 3);
      values[std::size_t{rows} * 19 + r] = std::abs(values[std::size_t{rows} * 19 + r]);
    }
    numbers.copy_in(values.data(), values.size());
    int column = 0;
    const auto external = [&](const char* name, int cols) {
      T* const begin = numbers.data() + std::ptrdiff_t{rows} * column;
      column += cols;
      return tape.external(name, {1, rows, cols}, begin);
    };
    input = external("input", 3);
    other = external("other", 3);
    actions = external("actions", 3);
    noise = external("noise", 4);
    data = external("data", 4);
    wanted = external("wanted", 1);
    label = external("label", 1);
    weights = external("weights", 1);
  }

  Tensor<T> layer(const DenseLayer& l, Tensor<T> x, Activation activation = Activation::gelu_erf) {
    return dense_layer(tape, parameters, l, x, activation);
  }

  StepState* state() const { return states.data(); }  ///< of step 123

  Parameters<T> parameters;
  Parameters<T> average;  ///< followers of second.weight, critics.bias and norm.gain
  Parameters<T> fixed;    ///< the same layers with other values, whose gradients nobody looks at
  DenseLayer first, second, head, critics, judges;  ///< 3 -> 4, 4 -> 4, 4 -> 1; three members 3 -> 1, 4 -> 1
  NormLayer norm;                                   ///< of width 4
  int table = 0, vector = 0, scalar = 0;            ///< entries [1, 3, 4], [1, 1, 4], [1, 1, 1]
  Tape<T> tape;
  Tensor<T> input, other, actions, noise, data, wanted, label, weights;  ///< of width 3, 3, 3, 4, 4, 1, 1, 1

 private:
  void declare(Parameters<T>& p) {
    first = add_dense(p, "first", 1, 3, 4);
    second = add_dense(p, "second", 1, 4, 4);
    head = add_dense(p, "head", 1, 4, 1);
    critics = add_dense(p, "critics", 3, 3, 1);
    judges = add_dense(p, "judges", 3, 4, 1);
    norm = add_norm(p, "norm", 1, 4, 0.1);  // whose third derivatives are of order one
    table = p.add("table", {1, 3, 4});
    vector = p.add("vector", {1, 1, 4});
    scalar = p.add("scalar", {1, 1, 1});
  }
  static T normal(std::uint32_t row, std::uint32_t lane) {
    return static_cast<T>(random_normal(5, Purpose::test, 0, row, lane));
  }
  Buffer<T> numbers;
  Buffer<StepState> states;
};

/// Losses and gradients of what `record(workbench)` records; it returns the losses.
template <class T, class Record>
std::vector<double> gradient_of(const std::shared_ptr<Device>& device, Record record) {
  Workbench<T> w(device);
  const std::vector<Tensor<T>> losses = record(w);
  w.tape.backward();
  Program program = w.tape.finish();
  for (int replay = 0; replay < 2; ++replay) program.run();  // nothing is left over from a run before
  std::vector<T> all(w.parameters.gradients().size());
  w.parameters.gradients().copy_out(all.data(), all.size());
  for (const Tensor<T> loss : losses) {
    all.emplace_back();
    device->memory().copy_out(&all.back(), loss->whole().data, sizeof(T));
  }
  return {all.begin(), all.end()};
}

/// Checks the gradient of the sum of the losses against central differences in every parameter, and that any
/// number of threads gives the same bits. `moved`: how many parameters must have a gradient other than zero.
template <class Record>
void check_gradient(Record record, int moved) {
  Workbench<double> w(on_cpu());
  const std::vector<Tensor<double>> losses = record(w);
  w.tape.backward();
  Program program = w.tape.finish();
  const std::vector<double> gradient = gradient_of<double>(on_cpu(), record);
  for (const int threads : {2, 3}) CHECK(gradient_of<double>(cpu_device(threads), record) == gradient);
  std::vector<double> values(w.parameters.size());
  w.parameters.values().copy_out(values.data(), values.size());
  const auto total = [&](std::size_t i, double move) {
    std::vector<double> changed = values;
    changed[i] += move;
    w.parameters.values().copy_in(changed.data(), changed.size());
    w.parameters.repack();
    program.run();
    double sum = 0;
    for (const Tensor<double> loss : losses) sum += *loss->whole().data;
    return sum;
  };
  int found_moved = 0;
  for (const auto& entry : w.parameters.entries())
    for (std::size_t i = 0; i < entry.shape.size(); ++i) {
      const double found = gradient[entry.trained_offset + i];
      INFO(entry.name << " " << i << ": " << found);
      // Truncation 1e-10 of a third derivative of order ten; rounding 1e-15 / 1e-5 of losses of order ten.
      const double expected = (total(entry.offset + i, 1e-5) - total(entry.offset + i, -1e-5)) / 2e-5;
      INFO("difference " << found - expected);
      CHECK(near(found, expected, 2e-8 * std::max(1.0, std::abs(expected))));
      found_moved += found != 0;
    }
  CHECK(found_moved == moved);
}

/// Checks that errors are at most twice the CPU's in single precision, where a unit in the last place of the
/// largest value is granted for errors of the CPU that are small by chance.
inline void check_errors(const std::vector<double>& exact, const std::vector<double>& cpu,
                         const std::vector<double>& found) {
  double largest = 0, cpu_error = 0, error = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    largest = std::max(largest, std::abs(exact[i]));
    cpu_error = std::max(cpu_error, std::abs(cpu[i] - exact[i]));
    error = std::isnan(found[i]) ? INFINITY : std::max(error, std::abs(found[i] - exact[i]));
  }
  CHECK(largest > 0);
  CHECK(error <= 2 * cpu_error + largest * 0x1p-23);
}

/// Checks losses and gradients on a device.
template <class Record>
void check_on(const std::shared_ptr<Device>& device, Record record) {
  check_errors(gradient_of<double>(on_cpu(), record), gradient_of<float>(on_cpu(), record),
               gradient_of<float>(device, record));
}

}  // namespace r2pac
