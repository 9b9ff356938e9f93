#include "model/losses.h"

#include "engine/operations.h"

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
                    const StepState* state) {
  const Batch<T> b = make_batch(tape, source, batch);
  tape.row_operation("draw batch", batch, {}, parts(b), [=](const Slice& slice) {
    return GatherWindows<T>{source, seed, state, slice.first, views(b, slice)};
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
Targets<T> critic_targets(Tape<T>& tape, const Batch<T>& batch, Tensor<T> next_reward_value,
                          Tensor<T> next_cost_value, Tensor<T> threshold,
                          const TargetConstants<T>& constants) {
  const Shape shape = batch.rewards->shape;
  require_shape("critic_targets", "next_reward_value", shape, next_reward_value->shape);
  require_shape("critic_targets", "next_cost_value", shape, next_cost_value->shape);
  require_shape("critic_targets", "threshold", {1, 1, 1}, threshold->shape);
  const Targets<T> t{tape.value("reward_target", shape), tape.value("cost_target", shape),
                     tape.value("unsafe", shape)};
  tape.row_operation("critic targets", shape.rows,
                     {batch.rewards, batch.costs, batch.mask, next_reward_value, next_cost_value, threshold},
                     {t.reward, t.cost, t.unsafe}, [=](const Slice& slice) {
                       return CriticTargets<T>{batch.rewards->view(slice),
                                               batch.costs->view(slice),
                                               batch.mask->view(slice),
                                               next_reward_value->view(slice),
                                               next_cost_value->view(slice),
                                               threshold->whole().data,
                                               constants,
                                               t.reward->view(slice),
                                               t.cost->view(slice),
                                               t.unsafe->view(slice)};
                     });
  return t;
}

template <class T>
void record_threshold(Tape<T>& tape, Tensor<T> v_cost, double alpha, double keep, const StepState* state,
                      unsigned long long first_step, Tensor<T> threshold) {
  require_shape("record_threshold", "v_cost", {1, v_cost->shape.rows, 1}, v_cost->shape);
  tape.tasks(
      "threshold", 1, {v_cost, threshold}, {threshold},
      [=, &schedules = tape.schedules()](int, int, std::byte* scratch) {
        schedules.update_threshold(v_cost->whole(), alpha, keep, state, first_step, threshold->whole().data,
                                   reinterpret_cast<T*>(scratch));
      },
      static_cast<std::size_t>(v_cost->shape.rows) * sizeof(T));
}

template <class T>
Tensor<T> optimality_labels(Tape<T>& tape, Tensor<T> q_reward, Tensor<T> v_reward, Tensor<T> q_cost,
                            Tensor<T> v_cost, Tensor<T> threshold) {
  const Shape shape = q_reward->shape;
  for (const Tensor<T> x : {q_reward, v_reward, q_cost, v_cost})
    require_shape("optimality_labels", x->name.c_str(), {1, shape.rows, 1}, x->shape);
  const Tensor<T> label = tape.value("label", shape);
  tape.row_operation("labels", shape.rows, {q_reward, v_reward, q_cost, v_cost, threshold}, {label},
                     [=](const Slice& slice) {
                       return OptimalityLabels<T>{q_reward->view(slice),   v_reward->view(slice),
                                                  q_cost->view(slice),     v_cost->view(slice),
                                                  threshold->whole().data, label->view(slice)};
                     });
  return label;
}

template <class T>
Tensor<T> stored_labels(Tape<T>& tape, const std::uint8_t* stored, std::uint32_t windows, int batch,
                        std::uint64_t seed, const StepState* state) {
  const Tensor<T> label = tape.value("label", {1, batch, 1});
  tape.row_operation("stored labels", batch, {}, {label}, [=](const Slice& slice) {
    return GatherLabels<T>{stored, windows, seed, state, slice.first, label->view(slice)};
  });
  return label;
}

template <class T>
Tensor<T> label_dropout(Tape<T>& tape, Tensor<T> label, double dropout, std::uint64_t seed,
                        const StepState* state) {
  const Tensor<T> out = tape.value("dropped label", label->shape);
  tape.row_operation("label dropout", label->shape.rows, {label}, {out}, [=](const Slice& slice) {
    return LabelDropout<T>{label->view(slice), static_cast<T>(dropout), seed, state,
                           slice.first,        out->view(slice)};
  });
  return out;
}

template <class T>
FlowSample<T> draw_flow_sample(Tape<T>& tape, Tensor<T> actions, std::uint64_t seed, const StepState* state) {
  const Shape shape = actions->shape;
  const FlowSample<T> f{tape.value("noise", shape), tape.value("flow_time", {1, shape.rows, 1}),
                        tape.value("flow_point", shape)};
  tape.row_operation("draw flow", shape.rows, {}, {f.noise, f.time}, [=](const Slice& slice) {
    return DrawFlow<T>{seed, state, slice.first, f.noise->view(slice), f.time->view(slice)};
  });
  tape.row_operation("flow path", shape.rows, {actions, f.noise, f.time}, {f.point}, [=](const Slice& slice) {
    return FlowPath<T>{f.noise->view(slice), actions->view(slice), f.time->view(slice), f.point->view(slice)};
  });
  return f;
}

#define R2_INSTANTIATE(T)                                                                                   \
  template Batch<T> draw_batch(Tape<T>&, const WindowSource<T>&, int, std::uint64_t, const StepState*);     \
  template Batch<T> windows_in_order(Tape<T>&, const WindowSource<T>&, int, const std::uint32_t*);          \
  template Targets<T> critic_targets(Tape<T>&, const Batch<T>&, Tensor<T>, Tensor<T>, Tensor<T>,            \
                                     const TargetConstants<T>&);                                            \
  template void record_threshold(Tape<T>&, Tensor<T>, double, double, const StepState*, unsigned long long, \
                                 Tensor<T>);                                                                \
  template Tensor<T> optimality_labels(Tape<T>&, Tensor<T>, Tensor<T>, Tensor<T>, Tensor<T>, Tensor<T>);    \
  template Tensor<T> stored_labels(Tape<T>&, const std::uint8_t*, std::uint32_t, int, std::uint64_t,        \
                                   const StepState*);                                                       \
  template Tensor<T> label_dropout(Tape<T>&, Tensor<T>, double, std::uint64_t, const StepState*);           \
  template FlowSample<T> draw_flow_sample(Tape<T>&, Tensor<T>, std::uint64_t, const StepState*);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
