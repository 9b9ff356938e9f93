// The formulas of the critics: expectile losses, penalised targets, optimality labels. Rows of PAPER.md are
// named beside each. A residual is always target minus prediction.
#pragma once

#include <cmath>

#include "base/host_device.h"
#include "base/philox.h"
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

/// Which chunks are worth imitating.
enum class LabelRule {
  regions,  ///< within the safe region those of no reward disadvantage, outside it those of no cost
            ///< disadvantage
  reward,   ///< everywhere those of no reward disadvantage: the ablation "without V_c"
  allowed,  ///< as `regions`, but within the region only those whose own cost stays within its limit
};

/// What discounted sums of rewards or costs can be at all.
template <class T>
struct Range {
  T least, greatest;
};

/// Constants of the targets.
template <class T>
struct TargetConstants {
  T discount;        ///< gamma in (0, 1)
  T chunk_discount;  ///< gamma^h
  T penalty;         ///< C >= 0
  PenaltyReading reading;
  Range<T> reward_values, cost_values;  ///< what is bootstrapped from is clamped to these (BOUNDS)
  T feasibility_scale = 25;             ///< M > 0, the feasibility value of a step with a cost
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

/// The value in a range that is nearest to a value (BOUNDS); a NaN stays.
template <class T>
R2_FORMULA T nearest_in(const Range<T>& range, T value) {
  return value < range.least ? range.least : value > range.greatest ? range.greatest : value;
}

/// The target of a chunk that leaves the region, for readings other than none.
template <class T>
R2_FORMULA T penalty_target(const TargetConstants<T>& constants) {
  return constants.reading == PenaltyReading::direct ? -constants.penalty
                                                     : -constants.penalty / (T(1) - constants.discount);
}

/// The h-step target of the reward critics (TARGET-R): rewards is sum_k gamma^k r_{t+k}.
template <class T>
R2_FORMULA T reward_target(T rewards, T mask, T next_reward_value, bool unsafe,
                           const TargetConstants<T>& constants) {
  const T target =
      rewards + constants.chunk_discount * mask * nearest_in(constants.reward_values, next_reward_value);
  return !unsafe || constants.reading == PenaltyReading::none ? target : penalty_target(constants);
}

/// The h-step target of the cost critics (TARGET-C), never penalised.
template <class T>
R2_FORMULA T cost_target(T costs, T mask, T next_cost_value, const TargetConstants<T>& constants) {
  return costs + constants.chunk_discount * mask * nearest_in(constants.cost_values, next_cost_value);
}

/// The h-step target of feasibility critics (FEASIBILITY): with h_k = M where step k has a cost and -1
/// elsewhere, y <- (1 - gamma) h_k + gamma max(h_k, y) from y = V_h(s_{t+h}) back to step t. After a genuine
/// end y begins as -1, the least value. costs [h] are those of the single steps.
template <class T>
R2_FORMULA T feasibility_target(const T* costs, int h, T mask, T next_value,
                                const TargetConstants<T>& constants) {
  T value = mask == T(0) ? T(-1) : nearest_in(constants.cost_values, next_value);
  R2_ROLLED
  for (int k = h - 1; k >= 0; --k) {
    const T now = costs[k] > T(0) ? constants.feasibility_scale : T(-1);
    value = (T(1) - constants.discount) * now + constants.discount * (value > now ? value : now);
  }
  return value;
}

/// Whether a chunk is allowed (ALLOWED): where V_c <= limit one of Q_c <= limit, so that the chunk's own cost
/// stays within it; elsewhere one that recovers as well as the data do, Q_c <= V_c.
template <class T>
R2_FORMULA bool allowed(T q_cost, T v_cost, T limit) {
  return v_cost <= limit ? q_cost <= limit : q_cost <= v_cost;
}

/// 1 for a chunk worth imitating (LABEL): in the safe region one with a reward advantage >= 0, outside it
/// one with a cost advantage <= 0; by LabelRule::reward one with a reward advantage >= 0 wherever it is; by
/// LabelRule::allowed as by regions, if it is allowed. q_reward is the least, q_cost the greatest of the
/// target critics.
template <class T>
R2_FORMULA T optimality_label(T q_reward, T v_reward, T q_cost, T v_cost, T threshold,
                              LabelRule rule = LabelRule::regions) {
  const bool good = rule == LabelRule::reward || v_cost <= threshold ? q_reward - v_reward >= T(0)
                                                                     : q_cost - v_cost <= T(0);
  return good && (rule != LabelRule::allowed || allowed(q_cost, v_cost, threshold)) ? T(1) : T(0);
}

/// exp(temperature * advantage), at most exp(log_cap); never infinite.
template <class T>
R2_FORMULA T capped_exponential(T advantage, T temperature, T log_cap) {
  using std::exp;
  const T power = temperature * advantage;
  return exp(power < log_cap ? power : log_cap);
}

/// How much a chunk weighs in regression (WEIGHT): by its reward advantage where the state is safe, by its
/// cost advantage elsewhere.
template <class T>
R2_FORMULA T advantage_weight(T q_reward, T v_reward, T q_cost, T v_cost, T threshold, T temperature,
                              T log_cap) {
  return capped_exponential(v_cost <= threshold ? q_reward - v_reward : v_cost - q_cost, temperature,
                            log_cap);
}

}  // namespace formula

/// Rows of the label table. The numbers are part of the policy file.
enum LabelRow : int { kLabelNull = 0, kLabelBad = 1, kLabelGood = 2 };

// Row operations (row_operations.h). Scalars per row are views [1, rows, 1]; `threshold` may be one for all.

/// The critics' targets of a transition, and whether it leaves the region (0 or 1).
template <class T>
struct CriticTargets {
  View<T> rewards, costs, mask, next_reward_value, next_cost_value;  // in
  PerRow<T> threshold;
  TargetConstants<T> constants;
  View<T> reward_target, cost_target, unsafe;  // out

  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    const T m = mask.row(r)[0], next_cost = next_cost_value.row(r)[0];
    const bool leaves = formula::leaves_region(m, next_cost, threshold.at(r));
    unsafe.row(r)[0] = leaves ? T(1) : T(0);
    reward_target.row(r)[0] =
        formula::reward_target(rewards.row(r)[0], m, next_reward_value.row(r)[0], leaves, constants);
    cost_target.row(r)[0] = formula::cost_target(costs.row(r)[0], m, next_cost, constants);
  }
};

/// The feasibility critics' target of a transition; costs [1, B, h].
template <class T>
struct FeasibilityTargets {
  View<T> costs, mask, next_value;  // in
  TargetConstants<T> constants;
  View<T> target;  // out

  R2_FORMULA void row(int r, int lane, int) const {
    if (lane == 0)
      target.row(r)[0] = formula::feasibility_target(costs.row(r), costs.cols, mask.row(r)[0],
                                                     next_value.row(r)[0], constants);
  }
};

/// loss(k, r) = weight(r) * mean over columns of (target - prediction)^2; target [1 or nets, rows, cols].
template <class T>
struct SquaredError {
  View<T> prediction, target, loss;
  View<T> weights = {};  // data null: none
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int k = lane; k < prediction.nets; k += lanes) {
      T sum = 0;
      R2_ROLLED
      for (int c = 0; c < prediction.cols; ++c) {
        const T diff = target.row(k, r)[c] - prediction.row(k, r)[c];
        sum += diff * diff;
      }
      loss.row(k, r)[0] = weight_of(weights, r) * (sum / static_cast<T>(prediction.cols));
    }
  }
};
/// d_prediction(k, r, c) = scale * d loss(k, r) / d prediction(k, r, c), or += if `accumulate`.
template <class T>
struct SquaredErrorGradient {
  View<T> prediction, target;
  T scale;
  View<T> d_prediction;
  View<T> weights = {};
  bool accumulate = false;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    const T factor = -scale * T(2) / static_cast<T>(prediction.cols) * weight_of(weights, r);
    R2_ROLLED
    for (int i = lane; i < prediction.nets * prediction.cols; i += lanes) {
      const int k = i / prediction.cols, c = i % prediction.cols;
      contribute(d_prediction.row(k, r)[c], factor * (target.row(k, r)[c] - prediction.row(k, r)[c]),
                 accumulate);
    }
  }
};

/// loss(r) = weight(r) * expectile_loss(target(r) - prediction(r)).
template <class T>
struct ExpectileLoss {
  View<T> prediction, target;
  T expectile;
  Side side;
  View<T> loss;
  View<T> weights = {};
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane == 0)
      loss.row(r)[0] = weight_of(weights, r) *
                       formula::expectile_loss(target.row(r)[0] - prediction.row(r)[0], expectile, side);
  }
};
/// d_prediction(r) = scale * d loss(r) / d prediction(r), or += if `accumulate`.
template <class T>
struct ExpectileGradient {
  View<T> prediction, target;
  T expectile;
  Side side;
  T scale;
  View<T> d_prediction;
  View<T> weights = {};
  bool accumulate = false;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    const T slope =
        formula::expectile_loss_gradient(target.row(r)[0] - prediction.row(r)[0], expectile, side);
    contribute(d_prediction.row(r)[0], -scale * weight_of(weights, r) * slope, accumulate);
  }
};

/// label(r) = kLabelGood or kLabelBad.
template <class T>
struct OptimalityLabels {
  View<T> q_reward, v_reward, q_cost, v_cost;
  PerRow<T> threshold;
  View<T> label;
  LabelRule rule = LabelRule::regions;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    const T good = formula::optimality_label(q_reward.row(r)[0], v_reward.row(r)[0], q_cost.row(r)[0],
                                             v_cost.row(r)[0], threshold.at(r), rule);
    label.row(r)[0] = good != T(0) ? T(kLabelGood) : T(kLabelBad);
  }
};

/// allowed(r) = 1 where the chunk is allowed, else 0.
template <class T>
struct AllowedChunks {
  View<T> q_cost, v_cost;
  PerRow<T> threshold;
  View<T> allowed;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane == 0)
      allowed.row(r)[0] = formula::allowed(q_cost.row(r)[0], v_cost.row(r)[0], threshold.at(r)) ? T(1) : T(0);
  }
};

/// weight(r) of each chunk in regression.
template <class T>
struct AdvantageWeights {
  View<T> q_reward, v_reward, q_cost, v_cost;
  PerRow<T> threshold;
  T temperature, log_cap;
  View<T> weight;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane == 0)
      weight.row(r)[0] = formula::advantage_weight(q_reward.row(r)[0], v_reward.row(r)[0], q_cost.row(r)[0],
                                                   v_cost.row(r)[0], threshold.at(r), temperature, log_cap);
  }
};

/// safe(r) = 1 where v_cost(r) <= threshold, else 0.
template <class T>
struct SafeStates {
  View<T> v_cost;
  PerRow<T> threshold;
  View<T> safe;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane == 0) safe.row(r)[0] = v_cost.row(r)[0] <= threshold.at(r) ? T(1) : T(0);
  }
};

/// out(r) = kLabelNull with probability `dropout`, else label(r). Random: (seed; label_dropout, step,
/// first_row + r, 0).
template <class T>
struct LabelDropout {
  View<T> label;
  T dropout;
  unsigned long long seed;
  const StepState* state;
  int first_row;
  View<T> out;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    const float u = random_uniform(seed, Purpose::label_dropout, state->step,
                                   static_cast<std::uint32_t>(first_row + r), 0);
    out.row(r)[0] = static_cast<T>(u) < dropout ? T(kLabelNull) : label.row(r)[0];
  }
};

}  // namespace r2pac
