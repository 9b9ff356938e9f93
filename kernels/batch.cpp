#include "kernels/batch.h"

#include <algorithm>

#include "base/philox.h"

namespace r2pac {
namespace {

template <class T>
void gather_one(const WindowSource<T>& source, std::uint32_t window, int r, const WindowBatch<T>& batch) {
  const std::size_t start = source.starts[window];
  const int h = source.chunk_length;
  const auto observation = [&](std::size_t row) {
    return source.observations + row * static_cast<std::size_t>(source.observation_dim);
  };
  std::copy_n(observation(start), source.observation_dim, batch.observations.row(r));
  std::copy_n(observation(start + static_cast<std::size_t>(h)), source.observation_dim,
              batch.next_observations.row(r));
  std::copy_n(source.actions + start * static_cast<std::size_t>(source.action_dim), h * source.action_dim,
              batch.actions.row(r));
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

}  // namespace

std::uint32_t draw_window(unsigned long long seed, unsigned long long step, int row, std::uint32_t windows) {
  return random_below(seed, Purpose::batch_rows, step, static_cast<std::uint32_t>(row), windows);
}

template <class T>
void gather_windows(const WindowSource<T>& source, unsigned long long seed, const StepState* state,
                    int first_row, const WindowBatch<T>& batch) {
  for (int r = 0; r < batch.observations.rows; ++r)
    gather_one(source, draw_window(seed, state->step, first_row + r, source.windows), r, batch);
}

template <class T>
void gather_windows_in_order(const WindowSource<T>& source, const std::uint32_t* first_window, int first_row,
                             const WindowBatch<T>& batch) {
  for (int r = 0; r < batch.observations.rows; ++r)
    gather_one(source,
               std::min(*first_window + static_cast<std::uint32_t>(first_row + r), source.windows - 1), r,
               batch);
}

template <class T>
void gather_labels(const std::uint8_t* labels, std::uint32_t windows, unsigned long long seed,
                   const StepState* state, int first_row, const View<T>& label) {
  for (int r = 0; r < label.rows; ++r)
    label.row(r)[0] = static_cast<T>(labels[draw_window(seed, state->step, first_row + r, windows)]);
}

#define R2_INSTANTIATE(T)                                                                                    \
  template void gather_windows(const WindowSource<T>&, unsigned long long, const StepState*, int,            \
                               const WindowBatch<T>&);                                                       \
  template void gather_windows_in_order(const WindowSource<T>&, const std::uint32_t*, int,                   \
                                        const WindowBatch<T>&);                                              \
  template void gather_labels(const std::uint8_t*, std::uint32_t, unsigned long long, const StepState*, int, \
                              const View<T>&);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
