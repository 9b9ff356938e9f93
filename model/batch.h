// Batches of windows as tensors of a recording. A window is h actions in a row, what they earned and cost,
// and the states before and after them.
#pragma once

#include <cstdint>
#include <string>

#include "engine/tape.h"
#include "kernels/batch.h"

namespace r2pac {

/// Widths of the data and the chunk.
struct Dimensions {
  int observation = 0, action = 0;
  int chunk_length = 0;
  int chunk() const { return action * chunk_length; }
  bool operator==(const Dimensions&) const = default;
};

/// Within which FISOR and BCRL keep the data's actions.
inline constexpr double kInnerActionBound = 1 - 1e-5;

template <class T>
struct Batch {
  Tensor<T> observations, actions, next_observations;  // [1, B, S], [1, B, hA], [1, B, S]
  Tensor<T> rewards, costs, mask;  // [1, B, 1]: discounted sums; 0 where the episode ended
};

/// A random batch of windows for the current step, or of a larger one the rows from first_row on.
template <class T>
Batch<T> draw_batch(Tape<T>& tape, const WindowSource<T>& source, int batch, std::uint64_t seed,
                    const StepState* state, int first_row = 0);
/// The windows *first_window .. *first_window + batch - 1. Beyond the end the last window is repeated.
template <class T>
Batch<T> windows_in_order(Tape<T>& tape, const WindowSource<T>& source, int batch,
                          const std::uint32_t* first_window);

/// [1, B, 1]: for each row the value in `column` [windows] of its drawn window.
template <class T>
Tensor<T> drawn_column(Tape<T>& tape, const std::string& name, const T* column, std::uint32_t windows,
                       int batch, std::uint64_t seed, const StepState* state);

}  // namespace r2pac
