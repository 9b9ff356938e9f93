// The formulas of the critics: expectile losses, penalised targets, optimality labels. Rows of PAPER.md are
// named beside each. A residual is always target minus prediction.
#pragma once

#include "base/host_device.h"
#include "kernels/view.h"

namespace r2pac {

/// How a transition that leaves the safe region is charged (PAPER.md, "penalty").
enum class PenaltyReading {
  absorbing,  ///< the target is -penalty / (1 - discount), the value of a state that costs `penalty` for ever
  direct,     ///< the target is -penalty
  none,       ///< no penalty: plain IQL
};

/// Whether a value follows the best or the least of what the data contain.
enum class Side {
  upper,  ///< V_r: weight `expectile` where the target exceeds the prediction
  lower,  ///< V_c: weight `expectile` where the prediction exceeds the target
};

/// Constants of the targets.
template <class T>
struct TargetConstants {
  T discount;        ///< gamma in (0, 1)
  T chunk_discount;  ///< gamma^h
  T penalty;         ///< C >= 0
  PenaltyReading reading;
};

namespace formula {

/// Asymmetric squared error (EXPECTILE): `expectile` in (0, 1) weighs residuals above zero for
/// Side::upper and below zero for Side::lower.
template <class T>
R2_FORMULA T expectile_weight(T diff, T expectile, Side side) {
  const bool heavy = side == Side::upper ? diff > T(0) : diff < T(0);
  return heavy ? expectile : T(1) - expectile;
}
template <class T>
R2_FORMULA T expectile_loss(T diff, T expectile, Side side) {
  return expectile_weight(diff, expectile, side) * diff * diff;
}
/// d expectile_loss / d diff.
template <class T>
R2_FORMULA T expectile_loss_gradient(T diff, T expectile, Side side) {
  return T(2) * expectile_weight(diff, expectile, side) * diff;
}

/// Whether the chunk ends outside the safe region (REGION). A genuine terminal (mask 0) has no successor to
/// test; a cost value equal to the threshold is safe.
template <class T>
R2_FORMULA bool leaves_region(T mask, T next_cost_value, T threshold) {
  return mask != T(0) && next_cost_value > threshold;
}

/// The h-step target of the reward critics (TARGET-R): rewards is sum_k gamma^k r_{t+k}.
template <class T>
R2_FORMULA T reward_target(T rewards, T mask, T next_reward_value, bool unsafe,
                           const TargetConstants<T>& constants) {
  const T target = rewards + constants.chunk_discount * mask * next_reward_value;
  if (!unsafe || constants.reading == PenaltyReading::none) return target;
  return constants.reading == PenaltyReading::direct ? -constants.penalty
                                                     : -constants.penalty / (T(1) - constants.discount);
}

/// The h-step target of the cost critics (TARGET-C), never penalised.
template <class T>
R2_FORMULA T cost_target(T costs, T mask, T next_cost_value, const TargetConstants<T>& constants) {
  return costs + constants.chunk_discount * mask * next_cost_value;
}

/// 1 for a chunk worth imitating (LABEL): in the safe region one with a reward advantage >= 0, outside it
/// one with a cost advantage <= 0. q_reward is the least, q_cost the greatest of the target critics.
template <class T>
R2_FORMULA T optimality_label(T q_reward, T v_reward, T q_cost, T v_cost, T threshold) {
  const bool good = v_cost <= threshold ? q_reward - v_reward >= T(0) : q_cost - v_cost <= T(0);
  return good ? T(1) : T(0);
}

}  // namespace formula

/// Rows of the label table. The numbers are part of the policy file.
enum LabelRow : int { kLabelNull = 0, kLabelBad = 1, kLabelGood = 2 };

// Schedules. Scalars per row are views [1, rows, 1]; `threshold` points to one value.

template <class T>
struct TargetArguments {
  View<T> rewards, costs, mask, next_reward_value, next_cost_value;  // in
  const T* threshold;
  TargetConstants<T> constants;
  View<T> reward_target, cost_target, unsafe;  // out; unsafe is 0 or 1
};
template <class T>
void targets(const TargetArguments<T>& arguments);

/// loss(k, r) = (target(r) - prediction(k, r))^2.
template <class T>
void squared_error(const View<T>& prediction, const View<T>& target, const View<T>& loss);
/// d_prediction(k, r) = scale * d loss(k, r) / d prediction(k, r), overwritten.
template <class T>
void squared_error_backward(const View<T>& prediction, const View<T>& target, T scale,
                            const View<T>& d_prediction);

/// loss(r) = expectile_loss(target(r) - prediction(r)).
template <class T>
void expectile(const View<T>& prediction, const View<T>& target, T expectile, Side side, const View<T>& loss);
template <class T>
void expectile_backward(const View<T>& prediction, const View<T>& target, T expectile, Side side, T scale,
                        const View<T>& d_prediction);

/// label(r) = kLabelGood or kLabelBad.
template <class T>
void labels(const View<T>& q_reward, const View<T>& v_reward, const View<T>& q_cost, const View<T>& v_cost,
            const T* threshold, const View<T>& label);

/// out(r) = kLabelNull with probability `dropout`, else label(r). Random: (seed; label_dropout, step,
/// first_row + r, 0).
template <class T>
void drop_labels(const View<T>& label, T dropout, unsigned long long seed, const StepState* state,
                 int first_row, const View<T>& out);

}  // namespace r2pac
