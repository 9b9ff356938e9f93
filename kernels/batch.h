// Drawing a batch of windows and gathering it from a data set that lies beside the parameters.
#pragma once

#include <cstdint>

#include "base/philox.h"
#include "kernels/view.h"

namespace r2pac {

/// The data set in kernel memory. Each episode's rows are followed by rows for the state it ended in, so
/// that the window at row t has its successor state at row t + h.
template <class T>
struct WindowSource {
  const T* observations = nullptr;        ///< [rows, S]
  const T* actions = nullptr;             ///< [rows, A]
  const T* rewards = nullptr;             ///< [rows], already scaled
  const T* costs = nullptr;               ///< [rows], already scaled
  const T* continues = nullptr;           ///< [rows]; 0 where the episode ended for good at this row, else 1
  const std::uint32_t* starts = nullptr;  ///< [windows] rows at which a window may start
  std::uint32_t windows = 0;
  int observation_dim = 0, action_dim = 0, chunk_length = 0;
  T discount = 0;
  // What only some methods ask for.
  const T* initial = nullptr;                ///< [rows]; 1 in the first row of an episode, else 0
  const T* observation_deviation = nullptr;  ///< [S] standard deviations over the rows that are trained on
  const T* action_deviation = nullptr;       ///< [A]
};

/// One batch of windows: R = sum_k gamma^k r_{t+k}, K = sum_k gamma^k c_{t+k}, mask = 0 if the episode
/// ended for good within the window (PAPER.md, DATA).
template <class T>
struct WindowBatch {
  View<T> observations;          // [1, B, S]
  View<T> actions;               // [1, B, h A], time-major
  View<T> next_observations;     // [1, B, S]
  View<T> rewards, costs, mask;  // [1, B, 1]
};

namespace formula {

/// Row r of the batch <- the window `window` of the source.
template <class T>
R2_FORMULA void gather_window(const WindowSource<T>& source, std::uint32_t window, int r,
                              const WindowBatch<T>& batch, int lane, int lanes) {
  const std::size_t start = source.starts[window];
  const int s = source.observation_dim, h = source.chunk_length, chunk = h * source.action_dim;
  const T* observation = source.observations + start * static_cast<std::size_t>(s);
  const T* next = observation + static_cast<std::size_t>(h) * static_cast<std::size_t>(s);
  const T* actions = source.actions + start * static_cast<std::size_t>(source.action_dim);
  for (int c = lane; c < s; c += lanes) {
    batch.observations.row(r)[c] = observation[c];
    batch.next_observations.row(r)[c] = next[c];
  }
  for (int c = lane; c < chunk; c += lanes) batch.actions.row(r)[c] = actions[c];
  if (lane != 0) return;
  T rewards = 0, costs = 0, mask = 1;
  for (int k = h - 1; k >= 0; --k) {  // Horner's rule for the discounted sums
    const std::size_t row = start + static_cast<std::size_t>(k);
    rewards = source.rewards[row] + source.discount * rewards;
    costs = source.costs[row] + source.discount * costs;
    mask *= source.continues[row];
  }
  batch.rewards.row(r)[0] = rewards;
  batch.costs.row(r)[0] = costs;
  batch.mask.row(r)[0] = mask;
}

}  // namespace formula

/// Index into `starts` for row r of a batch: (seed; batch_rows, step, r).
R2_FORMULA std::uint32_t draw_window(unsigned long long seed, unsigned long long step, int row,
                                     std::uint32_t windows) {
  return random_below(seed, Purpose::batch_rows, step, static_cast<std::uint32_t>(row), windows);
}

/// Row r holds the window drawn for row first_row + r.
template <class T>
struct GatherWindows {
  WindowSource<T> source;
  unsigned long long seed;
  const StepState* state;
  int first_row;
  WindowBatch<T> batch;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    formula::gather_window(source, draw_window(seed, state->step, first_row + r, source.windows), r, batch,
                           lane, lanes);
  }
};

/// Row r holds the window *first_window + first_row + r, or the last one beyond the end.
template <class T>
struct GatherWindowsInOrder {
  WindowSource<T> source;
  const std::uint32_t* first_window;
  int first_row;
  WindowBatch<T> batch;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    const std::uint32_t wanted = *first_window + static_cast<std::uint32_t>(first_row + r);
    formula::gather_window(source, wanted < source.windows ? wanted : source.windows - 1, r, batch, lane,
                           lanes);
  }
};

/// out(r) = column[window drawn for row first_row + r], column [windows].
template <class T>
struct GatherColumn {
  const T* column;
  std::uint32_t windows;
  unsigned long long seed;
  const StepState* state;
  int first_row;
  View<T> out;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane == 0) out.row(r)[0] = column[draw_window(seed, state->step, first_row + r, windows)];
  }
};

/// out(r, k) = steps[row of step k of the window drawn for row first_row + r]; steps [rows of the source],
/// out [1, B, h].
template <class T>
struct GatherSteps {
  WindowSource<T> source;
  const T* steps;
  unsigned long long seed;
  const StepState* state;
  int first_row;
  View<T> out;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    const T* window = steps + source.starts[draw_window(seed, state->step, first_row + r, source.windows)];
    for (int k = lane; k < out.cols; k += lanes) out.row(r)[k] = window[k];
  }
};

}  // namespace r2pac
