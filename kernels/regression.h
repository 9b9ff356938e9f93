// How much a window weighs in the regressions of published methods (docs/methods.md).
#pragma once

#include "base/host_device.h"
#include "kernels/critic.h"
#include "kernels/view.h"

namespace r2pac {
namespace formula {

/// What an action is worth to a head of an actor that has several: its weights by the advantages of reward
/// and of cost, each times a share.
template <class T>
R2_FORMULA T head_weight(T reward_advantage, T cost_advantage, T reward_share, T cost_share, T temperature,
                         T log_cap) {
  return reward_share * capped_exponential(reward_advantage, temperature, log_cap) +
         cost_share * capped_exponential(cost_advantage, temperature, log_cap);
}

/// What an action is worth where feasibility divides states (FISOR): in an infeasible state, V_h above 0, by
/// its advantage of feasibility; in a feasible one by its advantage of reward, if the action stays feasible.
/// Each weight has its temperature and the logarithm of its cap.
template <class T>
struct RegressionScale {
  T temperature, log_cap;
};
template <class T>
R2_FORMULA T feasibility_weight(T q_reward, T v_reward, T q_cost, T v_cost, const RegressionScale<T>& reward,
                                const RegressionScale<T>& cost) {
  if (v_cost > T(0)) return capped_exponential(v_cost - q_cost, cost.temperature, cost.log_cap);
  return q_cost > T(0) ? T(0) : capped_exponential(q_reward - v_reward, reward.temperature, reward.log_cap);
}

}  // namespace formula

// Row operations (row_operations.h). Scalars per row are views [1, rows, 1].

/// weight(r) of a window for a head. A cost advantage is positive where the chunk costs less than V_c.
template <class T>
struct HeadWeights {
  View<T> q_reward, v_reward, q_cost, v_cost;
  T reward_share, cost_share, temperature, log_cap;
  View<T> weight;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane == 0)
      weight.row(r)[0] =
          formula::head_weight(q_reward.row(r)[0] - v_reward.row(r)[0], v_cost.row(r)[0] - q_cost.row(r)[0],
                               reward_share, cost_share, temperature, log_cap);
  }
};

/// weight(r) = factor * feasibility_weight of a window.
template <class T>
struct FeasibilityWeights {
  View<T> q_reward, v_reward, q_cost, v_cost;
  formula::RegressionScale<T> reward, cost;
  T factor;
  View<T> weight;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane == 0)
      weight.row(r)[0] =
          factor * formula::feasibility_weight(q_reward.row(r)[0], v_reward.row(r)[0], q_cost.row(r)[0],
                                               v_cost.row(r)[0], reward, cost);
  }
};

}  // namespace r2pac
