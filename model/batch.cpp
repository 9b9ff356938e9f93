#include "model/batch.h"

namespace r2pac {
namespace {

template <class T>
Batch<T> make_batch(Tape<T>& tape, const WindowSource<T>& source, int rows) {
  const int s = source.observation_dim, chunk = source.action_dim * source.chunk_length;
  return {tape.value("observations", {1, rows, s}),
          tape.value("actions", {1, rows, chunk}),
          tape.value("next_observations", {1, rows, s}),
          tape.value("rewards", {1, rows, 1}),
          tape.value("costs", {1, rows, 1}),
          tape.value("mask", {1, rows, 1})};
}

template <class T>
std::vector<Tensor<T>> parts(const Batch<T>& b) {
  return {b.observations, b.actions, b.next_observations, b.rewards, b.costs, b.mask};
}

template <class T>
WindowBatch<T> views(const Batch<T>& b, const Slice& slice) {
  return {b.observations->view(slice), b.actions->view(slice), b.next_observations->view(slice),
          b.rewards->view(slice),      b.costs->view(slice),   b.mask->view(slice)};
}

}  // namespace

template <class T>
Batch<T> draw_batch(Tape<T>& tape, const WindowSource<T>& source, int batch, std::uint64_t seed,
                    const StepState* state, int first_row) {
  const Batch<T> b = make_batch(tape, source, batch);
  tape.row_operation("draw batch", batch, {tape.place(state)}, parts(b), [=](const Slice& slice) {
    return GatherWindows<T>{source, seed, state, first_row + slice.first, views(b, slice)};
  });
  return b;
}

template <class T>
Batch<T> windows_in_order(Tape<T>& tape, const WindowSource<T>& source, int batch,
                          const std::uint32_t* first_window) {
  const Batch<T> b = make_batch(tape, source, batch);
  tape.row_operation("windows in order", batch, {}, parts(b), [=](const Slice& slice) {
    return GatherWindowsInOrder<T>{source, first_window, slice.first, views(b, slice)};
  });
  return b;
}

template <class T>
Tensor<T> drawn_column(Tape<T>& tape, const std::string& name, const T* column, std::uint32_t windows,
                       int batch, std::uint64_t seed, const StepState* state) {
  const Tensor<T> out = tape.value(name, {1, batch, 1});
  tape.row_operation(name, batch, {tape.place(state)}, {out}, [=](const Slice& slice) {
    return GatherColumn<T>{column, windows, seed, state, slice.first, out->view(slice)};
  });
  return out;
}

#define R2_INSTANTIATE(T)                                                                                    \
  template Batch<T> draw_batch(Tape<T>&, const WindowSource<T>&, int, std::uint64_t, const StepState*, int); \
  template Batch<T> windows_in_order(Tape<T>&, const WindowSource<T>&, int, const std::uint32_t*);           \
  template Tensor<T> drawn_column(Tape<T>&, const std::string&, const T*, std::uint32_t, int, std::uint64_t, \
                                  const StepState*);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
