#include "engine/diffusion.h"

#include "engine/operations.h"

namespace r2pac {

template <class T>
Tensor<T> draw_times(Tape<T>& tape, int rows, const DiffusionSchedule& schedule, std::uint64_t seed,
                     const StepState* state, int which) {
  const Tensor<T> time = tape.value("diffusion time", {1, rows, 1});
  tape.row_operation("draw times", rows, {tape.place(state)}, {time}, [=](const Slice& slice) {
    return DrawTimes<T>{seed, state, slice.first, which, schedule.steps, time->view(slice)};
  });
  return time;
}

template <class T>
Tensor<T> clamp_columns(Tape<T>& tape, Tensor<T> x, double bound) {
  const Tensor<T> out = tape.value("clamped", {1, x->shape.rows, x->shape.cols});
  require_shape("clamp_columns", "x", out->shape, x->shape);
  tape.row_operation("clamp", x->shape.rows, {x}, {out}, [=](const Slice& slice) {
    return ClampColumns<T>{x->view(slice), static_cast<T>(bound), out->view(slice)};
  });
  return out;
}

template <class T>
Tensor<T> diffuse_actions(Tape<T>& tape, Tensor<T> actions, Tensor<T> noise, Tensor<T> time,
                          const DiffusionSchedule& schedule) {
  const Shape shape{1, actions->shape.rows, actions->shape.cols};
  require_shape("diffuse_actions", "actions", shape, actions->shape);
  require_shape("diffuse_actions", "noise", shape, noise->shape);
  require_shape("diffuse_actions", "time", {1, shape.rows, 1}, time->shape);
  const Tensor<T> out = tape.value("diffused", shape);
  tape.row_operation("diffuse", shape.rows, {actions, noise, time}, {out}, [=](const Slice& slice) {
    return DiffuseActions<T>{actions->view(slice), noise->view(slice), time->view(slice), schedule,
                             out->view(slice)};
  });
  return out;
}

template <class T>
Tensor<T> fourier_features(Tape<T>& tape, Tensor<T> frequencies, Tensor<T> time) {
  const int rows = frequencies->shape.rows, count = frequencies->shape.cols;
  require_shape("fourier_features", "frequencies", {1, rows, count}, frequencies->shape);
  require_shape("fourier_features", "time", {1, rows, 1}, time->shape);
  const bool learns = tape.gradient_enabled() && frequencies->requires_gradient;
  const Tensor<T> out = tape.value("fourier features", {1, rows, 2 * count}, learns);
  tape.row_operation("fourier features", rows, {frequencies, time}, {out}, [=](const Slice& slice) {
    return FourierFeatures<T>{frequencies->view(slice), time->view(slice), out->view(slice)};
  });
  if (!learns) return out;
  want_all_columns(frequencies);
  tape.on_backward(out, [=, &tape] {
    const bool add = !tape.first_contribution(frequencies);
    const Tensor<T> d_out = tape.gradient(out), d = tape.gradient(frequencies);
    tape.row_operation("fourier features backward", rows, {time, out, d_out, d}, {d},
                       [=](const Slice& slice) {
                         return FourierFeaturesGradient<T>{time->view(slice), out->view(slice),
                                                           d_out->view(slice), d->view(slice), add};
                       });
  });
  return out;
}

#define R2_INSTANTIATE(T)                                                                                  \
  template Tensor<T> draw_times(Tape<T>&, int, const DiffusionSchedule&, std::uint64_t, const StepState*,  \
                                int);                                                                      \
  template Tensor<T> clamp_columns(Tape<T>&, Tensor<T>, double);                                           \
  template Tensor<T> diffuse_actions(Tape<T>&, Tensor<T>, Tensor<T>, Tensor<T>, const DiffusionSchedule&); \
  template Tensor<T> fourier_features(Tape<T>&, Tensor<T>, Tensor<T>);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
