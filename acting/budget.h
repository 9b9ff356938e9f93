// What an episode's budget leaves for a choice (model/SAFE_CHUNKS.md, BUDGET; docs/methods.md, CAPS).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

namespace r2pac {

/// How much of what an episode may still cost one decision may use.
enum class BudgetRule {
  none,        ///< the cost so far does not matter
  remaining,   ///< all that is left
  half,        ///< half of it
  discounted,  ///< all that is left, spread evenly over the steps that are left, as a discounted value
};

struct EpisodeBudget {
  BudgetRule rule = BudgetRule::none;
  double limit = 0;       ///< kappa: cost that an episode may have, undiscounted
  double cost_scale = 1;  ///< of V_c and Q_c to costs
  // Of BudgetRule::discounted:
  double discount = 0;       ///< gamma in (0, 1)
  double episode_steps = 0;  ///< T, the steps of an episode
};

/// The share of the bound where a rule wants the cost so far, but nobody counts it.
inline constexpr double kUncountedShare = 0.2;

/// A cost that is spread evenly over n = `steps` > 0 steps, as a discounted value (Eq. 42):
/// cost (1 - gamma^n) / ((1 - gamma) n).
inline double spread_as_value(double cost, double discount, double steps) {
  return cost * (1 - std::pow(discount, steps)) / ((1 - discount) * steps);
}

/// What is left of the limit at `step` (from 0) of an episode that has cost `spent` so far, as a discounted
/// value (docs/methods.md, CAPS): with n = T - t steps left, cost_scale max(kappa - spent, 0) (1 - gamma^n) /
/// ((1 - gamma) n). Beyond T one step is left.
inline double discounted_rest(const EpisodeBudget& budget, double spent, std::int64_t step) {
  const double steps = std::max(budget.episode_steps - static_cast<double>(step), 1.0);
  return spread_as_value(budget.cost_scale * std::max(budget.limit - spent, 0.0), budget.discount, steps);
}

/// The greatest V_c and Q_c that a choice calls safe at `step` of an episode that has cost `spent` so far:
/// m_t = min(bound, cost_scale (kappa - spent)), or half of the latter; minus infinity, so that the least
/// cost is chosen, where more than kappa was spent. Of BudgetRule::discounted it is discounted_rest, in place
/// of the bound. `spent` none: see kUncountedShare.
inline double bound_within(const EpisodeBudget& budget, double bound, std::optional<double> spent,
                           std::int64_t step = 0) {
  if (budget.rule == BudgetRule::none) return bound;
  if (budget.rule == BudgetRule::discounted)
    return discounted_rest(budget, spent.value_or(0), step) * (spent ? 1 : kUncountedShare);
  if (!spent) return kUncountedShare * bound;
  const double left = budget.cost_scale * (budget.limit - *spent);
  if (!(left >= 0)) return -std::numeric_limits<double>::infinity();
  return std::min(bound, budget.rule == BudgetRule::half ? left / 2 : left);
}

}  // namespace r2pac
