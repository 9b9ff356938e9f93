// Drawing a batch of windows and gathering it from a data set that lies beside the parameters.
#pragma once

#include <cstdint>

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
};

/// Index into `starts` for row r of a batch: (seed; batch_rows, step, r).
std::uint32_t draw_window(unsigned long long seed, unsigned long long step, int row, std::uint32_t windows);

/// One batch of windows: R = sum_k gamma^k r_{t+k}, K = sum_k gamma^k c_{t+k}, mask = 0 if the episode
/// ended for good within the window (PAPER.md, DATA).
template <class T>
struct WindowBatch {
  View<T> observations;          // [1, B, S]
  View<T> actions;               // [1, B, h A], time-major
  View<T> next_observations;     // [1, B, S]
  View<T> rewards, costs, mask;  // [1, B, 1]
};

/// Row r holds the window drawn for row first_row + r.
template <class T>
void gather_windows(const WindowSource<T>& source, unsigned long long seed, const StepState* state,
                    int first_row, const WindowBatch<T>& batch);
/// Row r holds the window *first_window + first_row + r, or the last one beyond the end.
template <class T>
void gather_windows_in_order(const WindowSource<T>& source, const std::uint32_t* first_window, int first_row,
                             const WindowBatch<T>& batch);
/// label(r) = labels[window drawn for row first_row + r], labels [windows].
template <class T>
void gather_labels(const std::uint8_t* labels, std::uint32_t windows, unsigned long long seed,
                   const StepState* state, int first_row, const View<T>& label);

}  // namespace r2pac
