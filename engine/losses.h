// Losses that record themselves on a tape together with their gradients: formulas of kernels/critic.h and
// kernels/flow.h. Each is a kept scalar, a mean over the batch. A gradient flows to the prediction only, if
// it wants one; several losses may share a prediction. `weights` [1, B, 1] multiply the rows' losses, as
// constants; null: none. The mean is over all rows, whatever they weigh.
#pragma once

#include <string>

#include "engine/tape.h"
#include "kernels/critic.h"
#include "kernels/gaussian.h"

namespace r2pac {

/// Sum over members of the batch mean of (target - prediction)^2, itself a mean over columns: prediction
/// [K, B, C], target [1 or K, B, C].
template <class T>
Tensor<T> squared_error_loss(Tape<T>& tape, const std::string& name, Tensor<T> prediction, Tensor<T> target,
                             Tensor<T> weights = nullptr);
/// Batch mean of the expectile loss of target - prediction, both [1, B, 1]; `expectile` in (0, 1).
template <class T>
Tensor<T> expectile_loss(Tape<T>& tape, const std::string& name, Tensor<T> prediction, Tensor<T> target,
                         double expectile, Side side, Tensor<T> weights = nullptr);
/// Batch mean of the mean squared error of the velocity against actions - noise, all [1, B, C].
template <class T>
Tensor<T> flow_matching_loss(Tape<T>& tape, const std::string& name, Tensor<T> velocity, Tensor<T> noise,
                             Tensor<T> actions, Tensor<T> weights = nullptr);

/// Batch mean of minus the log density of x under a diagonal Gaussian: mean, log_deviation (clamped to the
/// range) and x [1, B, C]; the density is that of a whole row. Gradients flow to mean and log_deviation.
template <class T>
Tensor<T> gaussian_loss(Tape<T>& tape, const std::string& name, Tensor<T> mean, Tensor<T> log_deviation,
                        Tensor<T> x, Tensor<T> weights = nullptr, const DeviationRange<T>& range = {});

/// What decides in gate_loss, as constants (kernels/gate.h). Tensors are [1, B, 1], or [1, 1, 1] where they
/// say so.
template <class T>
struct Gate {
  Tensor<T> v_cost, share;               ///< V_c, and the share of `greatest_bound` that a chunk may use
  Tensor<T> greatest_bound;              ///< [1, 1, 1]
  Tensor<T> reward_square, cost_square;  ///< [1, 1, 1] mean squared advantages
  double weight;
};
/// Batch mean of the gate's loss of chunks that the critics value at q_reward and q_cost, both [1, B, 1]. A
/// gradient flows to both.
template <class T>
Tensor<T> gate_loss(Tape<T>& tape, const std::string& name, Tensor<T> q_reward, Tensor<T> q_cost,
                    const Gate<T>& gate);
/// 1 where a chunk passes the gate, else 0: [1, B, 1]. No gradient.
template <class T>
Tensor<T> gate_passed(Tape<T>& tape, Tensor<T> q_reward, Tensor<T> q_cost, const Gate<T>& gate);

/// Batch mean [1, 1, 1] of (target - prediction)^2, both [1, B, 1], for use within the step. No gradient.
template <class T>
Tensor<T> mean_square(Tape<T>& tape, const std::string& name, Tensor<T> prediction, Tensor<T> target);

/// Kept scalar: sum over members of the batch mean of x [K, B, 1]; computed after the gradient. No gradient.
template <class T>
Tensor<T> sum_of_means(Tape<T>& tape, const std::string& name, Tensor<T> x);

}  // namespace r2pac
