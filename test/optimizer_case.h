// Two groups of an optimiser that differ in everything, moved after one backward or each after its own.
#pragma once

#include <numeric>

#include "engine/losses.h"
#include "workbench.h"

namespace r2pac::cases {

inline constexpr int kSteps = 5;

/// The first group follows nobody and is clipped; the second has followers, some of entries before it.
template <class T>
std::vector<OptimizerGroup<T>> two_groups(Workbench<T>& w) {
  AdamSettings decaying{0.02, 0.8, 0.9, 1e-6, 0.3, {3, 4}, 0.5}, plain{0.003, 0.9, 0.99, 1e-8, 0.1, {}, 0};
  return {{{w.first.weight, w.first.bias, w.head.weight}, decaying, 0.02, nullptr},
          {{w.norm.gain, w.second.weight, w.second.bias, w.vector, w.critics.bias}, plain, 0, &w.average}};
}

/// The losses of a part of the step; part 0 concerns the first group, part 1 the second by way of the first.
template <class T>
std::vector<Tensor<T>> losses_of_part(Workbench<T>& w, int part) {
  const Tensor<T> x = w.layer(w.first, w.input);
  if (part == 0) return {squared_error_loss(w.tape, "head", w.layer(w.head, x), w.wanted)};
  const Tensor<T> y = layer_norm(w.tape, w.parameters, w.norm, w.layer(w.second, x));
  return {squared_error_loss(w.tape, "y", add(w.tape, y, free_vector(w.tape, w.parameters, w.vector, w.rows)),
                             w.data),
          squared_error_loss(w.tape, "critics", w.layer(w.critics, w.input), w.wanted)};
}

/// All values and followers, the squares and the state, after kSteps steps.
template <class T>
std::vector<double> after_steps(const std::shared_ptr<Device>& device, bool in_parts) {
  Workbench<T> w(device);
  const std::vector<OptimizerGroup<T>> groups = two_groups(w);
  const Tensor<T> squares = w.tape.kept("squares", {1, 10, 1});
  Optimizer<T> optimizer(w.tape, w.parameters, groups, w.state(), 123, squares);
  std::vector<Tensor<T>> losses;
  for (const int part : {0, 1}) {
    const std::vector<Tensor<T>> more = losses_of_part(w, part);
    losses.insert(losses.end(), more.begin(), more.end());
    if (part == 0 && !in_parts) continue;
    w.tape.backward();
    if (!in_parts) optimizer.update(0);
    optimizer.update(static_cast<std::size_t>(part));
  }
  optimizer.finish(losses);
  Program program = w.tape.finish();
  for (int i = 0; i < kSteps; ++i) program.run();
  std::vector<T> all = entry_values(w.parameters, w.parameters.values());
  const std::vector<T> average = entry_values(w.average, w.average.values());
  all.insert(all.end(), average.begin(), average.end());
  all.resize(all.size() + 10);
  device->memory().copy_out(&all[all.size() - 10], squares->whole().data, 10 * sizeof(T));
  StepState state;
  device->memory().copy_out(&state, w.state(), sizeof state);
  CHECK(state.step == 123 + kSteps);
  CHECK(state.first_bad_step == 0);
  return {all.begin(), all.end()};
}

/// The same by plain loops over gradients that a tape without an optimiser gives.
inline std::vector<double> expected_after_steps(bool in_parts) {
  Workbench<double> all(on_cpu());
  const auto groups = two_groups(all);
  std::vector<double> values = entry_values(all.parameters, all.parameters.values()),
                      average = entry_values(all.average, all.average.values()), squares;
  std::vector<double> first(values.size(), 0), second(values.size(), 0);
  const auto begin_of = [](const Parameters<double>& p, int entry) {
    std::size_t at = 0;
    for (int i = 0; i < entry; ++i) at += p.entry(i).shape.size();
    return at;
  };
  for (int t = 1; t <= kSteps; ++t) {
    squares.clear();
    std::vector<double> gradient;
    for (const std::size_t g : {0u, 1u}) {
      if (g == 0 || in_parts) {
        Workbench<double> w(on_cpu());
        set_entry_values(w.parameters, values);
        for (const int part : {0, 1})
          if (!in_parts || part == static_cast<int>(g)) losses_of_part(w, part);
        w.tape.backward();
        w.tape.finish().run();
        gradient = entry_values(w.parameters, w.parameters.gradients());
      }
      const OptimizerGroup<double>& group = groups[g];
      const AdamSettings& a = group.adam;
      double total = 0;
      for (const int e : group.entries) {
        const auto& entry = all.parameters.entry(e);
        const std::size_t at = begin_of(all.parameters, e);
        for (int net = 0; net < entry.shape.nets; ++net) {
          const auto from = gradient.begin() + static_cast<std::ptrdiff_t>(
                                                   at + static_cast<std::size_t>(net) * entry.net_size());
          squares.push_back(
              std::inner_product(from, from + static_cast<std::ptrdiff_t>(entry.net_size()), from, 0.0));
          total += squares.back();
        }
      }
      const double scale = group.clip_norm > 0 ? std::min(1.0, group.clip_norm / std::sqrt(total)) : 1;
      CHECK((scale < 1) == (g == 0));  // the clipping matters
      double rate = a.learning_rate;
      if (g == 0)  // three steps of warm-up, four of the cosine
        rate *= std::min(1.0, t / 3.0) * (t <= 4 ? (1 + std::cos(M_PI * (t - 1) / 4)) / 2 : 0);
      for (const int e : group.entries) {
        const auto& entry = all.parameters.entry(e);
        const int follower = group.follower != nullptr ? all.average.find(entry.name) : -1;
        for (std::size_t i = 0; i < entry.shape.size(); ++i) {
          const std::size_t at = begin_of(all.parameters, e) + i;
          const double d = gradient[at] * scale;
          first[at] = a.beta1 * first[at] + (1 - a.beta1) * d;
          second[at] = a.beta2 * second[at] + (1 - a.beta2) * d * d;
          const double direction = first[at] / (1 - std::pow(a.beta1, t)) /
                                   (std::sqrt(second[at] / (1 - std::pow(a.beta2, t))) + a.epsilon);
          values[at] -= rate * (direction + a.weight_decay * values[at]);
          if (follower >= 0) {
            double& slow = average[begin_of(all.average, follower) + i];
            slow = (1 - a.polyak) * slow + a.polyak * values[at];
          }
        }
      }
    }
  }
  values.insert(values.end(), average.begin(), average.end());
  values.insert(values.end(), squares.begin(), squares.end());
  return values;
}

}  // namespace r2pac::cases
