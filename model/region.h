// The safe region: where it ends, how the targets of a chunk that leaves it change, and which chunks are
// worth imitating inside and outside it (PAPER.md, REGION, TARGET-R, TARGET-C, LABEL).
#pragma once

#include "model/iql.h"
#include "model/method.h"

namespace r2pac {

/// The name of l, the greatest V_c that a safe state may have.
inline constexpr char kRegionEnd[] = "threshold";

/// The name of the steps that an episode has, at most.
inline constexpr char kEpisodeSteps[] = "episode_steps";

/// Those of the longest episode of the data.
template <class T>
Scalar<T> episode_steps(const DataFacts<T>& facts) {
  Scalar<T> scalar;
  scalar.name = kEpisodeSteps;
  scalar.fixed = static_cast<double>(facts.longest_episode);
  return scalar;
}

/// l as the settings choose it: a quantile of V_c, the cost limit as a value, or zero.
template <class T>
Scalar<T> region_end(const Settings& settings, const DataFacts<T>& facts);

/// The cost limit of an episode of `steps` > 0, in scaled cost, as a discounted value (Eq. 42):
/// kappa (1 - gamma^T) / ((1 - gamma) T).
double limit_as_value(const Settings& settings, std::int64_t steps);

/// Returns l [1, 1, 1]. If the settings say so, l first moves to the batch's quantile of V_c [1, B, 1].
template <class T>
Tensor<T> updated_region_end(Recorder<T>& r, Tensor<T> v_cost);

template <class T>
struct Targets {
  Tensor<T> reward, cost, unsafe;  // [1, B, 1]
};
/// The targets of the critics. For a chunk that leaves the region, the penalty replaces the return.
/// region_end: [1, 1, 1], or [1, B, 1] where it differs between windows.
template <class T>
Targets<T> penalized_targets(Recorder<T>& r, Tensor<T> v_reward_next, Tensor<T> v_cost_next,
                             Tensor<T> region_end);

/// Targets [1, B, 1] of cost critics that learn feasibility (Eq. 43), from the costs of each window's steps
/// [1, B, h] and V_c of the states after, [1, B, 1].
template <class T>
Tensor<T> feasibility_targets(Tape<T>& tape, Tensor<T> costs, Tensor<T> mask, Tensor<T> v_cost_next,
                              const TargetConstants<T>& constants);

/// The losses of critics and values without a penalty, where V_r learns from allowed chunks alone.
/// next_end: where the region ends after the chunks, as for penalized_targets.
template <class T>
void learn_from_allowed(Recorder<T>& r, Tensor<T> next_end);

// What follows asks where the region ends: at each window's budget where networks see one (budget.h), else
// at l.

/// kLabelGood or kLabelBad for each window, [1, B, 1].
template <class T>
Tensor<T> optimality_label(Recorder<T>& r);

/// The weight of each window in advantage-weighted regression, [1, B, 1].
template <class T>
Tensor<T> advantage_weight(Recorder<T>& r);

/// Whether V_c lies in the region: 1 or 0 for each window, [1, B, 1].
template <class T>
Tensor<T> safe_states(Recorder<T>& r);

/// Whether `cost` [1, B, 1] is at most region_end ([1, 1, 1] or [1, B, 1]): 1 or 0, [1, B, 1].
template <class T>
Tensor<T> within_end(Tape<T>& tape, Tensor<T> cost, Tensor<T> region_end);

/// Whether each window's chunk is allowed: 1 or 0, [1, B, 1].
template <class T>
Tensor<T> allowed_chunks(Recorder<T>& r);

/// What finished critics and the region say of windows: values, labels, safe states (Method::inspect).
template <class T>
std::vector<std::pair<std::string, Tensor<T>>> inspect_region(Recorder<T>& r);

/// The same of a method without labels.
template <class T>
std::vector<std::pair<std::string, Tensor<T>>> inspect_values(Recorder<T>& r);

/// The same as operations of the tape alone. `region_end` is [1, 1, 1] or [1, B, 1], everything else the
/// latter.
template <class T>
Targets<T> critic_targets(Tape<T>& tape, const Batch<T>& batch, Tensor<T> v_reward_next,
                          Tensor<T> v_cost_next, Tensor<T> region_end, const TargetConstants<T>& constants);
template <class T>
Tensor<T> optimality_labels(Tape<T>& tape, const Estimates<T>& estimates, Tensor<T> region_end,
                            LabelRule rule = LabelRule::regions);

}  // namespace r2pac
