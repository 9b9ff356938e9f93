// R2PAC's own operations on the tape: batches, targets, labels, the flow path. Each is a thin recording of a
// formula in kernels/critic.h or kernels/flow.h. All tensors are [nets, B, cols]; scalars per row have
// cols = 1.
#pragma once

#include <cstdint>

#include "engine/losses.h"
#include "engine/tape.h"
#include "kernels/batch.h"
#include "kernels/critic.h"
#include "kernels/flow.h"

namespace r2pac {

template <class T>
struct Batch {
  Tensor<T> observations, actions, next_observations;  // [1, B, S], [1, B, hA], [1, B, S]
  Tensor<T> rewards, costs, mask;                      // [1, B, 1]
};

/// A random batch of windows for the current step.
template <class T>
Batch<T> draw_batch(Tape<T>& tape, const WindowSource<T>& source, int batch, std::uint64_t seed,
                    const StepState* state);
/// The windows *first_window .. *first_window + batch - 1, the last one repeated beyond the end.
template <class T>
Batch<T> windows_in_order(Tape<T>& tape, const WindowSource<T>& source, int batch,
                          const std::uint32_t* first_window);

template <class T>
struct Targets {
  Tensor<T> reward, cost, unsafe;  // [1, B, 1]
};
/// The critics' targets; `threshold` is [1, 1, 1].
template <class T>
Targets<T> critic_targets(Tape<T>& tape, const Batch<T>& batch, Tensor<T> next_reward_value,
                          Tensor<T> next_cost_value, Tensor<T> threshold,
                          const TargetConstants<T>& constants);

/// threshold <- alpha-quantile of v_cost over the batch, smoothed by `keep` (see update_threshold).
template <class T>
void record_threshold(Tape<T>& tape, Tensor<T> v_cost, double alpha, double keep, const StepState* state,
                      unsigned long long first_step, Tensor<T> threshold);

template <class T>
Tensor<T> optimality_labels(Tape<T>& tape, Tensor<T> q_reward, Tensor<T> v_reward, Tensor<T> q_cost,
                            Tensor<T> v_cost, Tensor<T> threshold);
/// The label that was stored for the drawn window of each row.
template <class T>
Tensor<T> stored_labels(Tape<T>& tape, const std::uint8_t* labels, std::uint32_t windows, int batch,
                        std::uint64_t seed, const StepState* state);
template <class T>
Tensor<T> label_dropout(Tape<T>& tape, Tensor<T> label, double dropout, std::uint64_t seed,
                        const StepState* state);

template <class T>
struct FlowSample {
  Tensor<T> noise, time, point;  // [1, B, hA], [1, B, 1], [1, B, hA]
};
template <class T>
FlowSample<T> draw_flow_sample(Tape<T>& tape, Tensor<T> actions, std::uint64_t seed, const StepState* state);

}  // namespace r2pac
