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

}  // namespace r2pac
