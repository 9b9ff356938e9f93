// A small data set of random windows, for tests of what consumes them.
#pragma once

#include <cstdint>
#include <vector>

#include "base/philox.h"
#include "kernels/batch.h"
#include "kernels/critic.h"
#include "kernels/memory.h"

namespace r2pac {

/// A small data set of random windows in kernel memory.
template <class T>
struct RandomWindows {
  static constexpr int rows = 400, s = 5, a = 2, h = 3;
  Buffer<T> observations, actions, rewards, costs, continues;
  Buffer<std::uint32_t> starts;
  Buffer<T> labels;
  WindowSource<T> source;

  explicit RandomWindows(Memory& memory = host_memory())
      : observations(rows * s, memory),
        actions(rows * a, memory),
        rewards(rows, memory),
        costs(rows, memory),
        continues(rows, memory),
        starts(rows - h - 1, memory),
        labels(rows - h - 1, memory) {
    const auto fill = [](Buffer<T>& buffer, std::uint32_t row, auto&& f) {
      std::vector<T> values(buffer.size());
      for (std::uint32_t i = 0; i < values.size(); ++i)
        values[i] = f(static_cast<T>(random_uniform(7, Purpose::test, 0, row, i)));
      buffer.copy_in(values.data(), values.size());
    };
    const auto centred = [](T u) { return T(2) * u - T(1); };
    fill(observations, 0, centred);
    fill(actions, 1, centred);
    fill(rewards, 2, centred);
    fill(costs, 3, [](T u) { return u < T(0.3) ? T(1) : T(0); });
    fill(continues, 4, [](T u) { return u < T(0.05) ? T(0) : T(1); });
    std::vector<std::uint32_t> start(starts.size());
    std::vector<T> label(starts.size());
    for (std::uint32_t i = 0; i < start.size(); ++i) {
      start[i] = i;
      label[i] = static_cast<T>(i % 3 == 0 ? kLabelGood : kLabelBad);
    }
    starts.copy_in(start.data(), start.size());
    labels.copy_in(label.data(), label.size());
    source = {observations.data(),
              actions.data(),
              rewards.data(),
              costs.data(),
              continues.data(),
              starts.data(),
              static_cast<std::uint32_t>(starts.size()),
              s,
              a,
              h,
              T(0.99)};
  }
};

}  // namespace r2pac
