// What an episode's budget leaves for a choice by region (model/SAFE_CHUNKS.md, BUDGET).
#pragma once

#include <algorithm>
#include <limits>
#include <optional>

namespace r2pac {

/// How much of what an episode may still cost one decision may use.
enum class BudgetRule {
  none,       ///< the cost so far does not matter
  remaining,  ///< all that is left
  half,       ///< half of it
};

struct EpisodeBudget {
  BudgetRule rule = BudgetRule::none;
  double limit = 0;       ///< kappa: cost that an episode may have, undiscounted
  double cost_scale = 1;  ///< of V_c and Q_c to costs
};

/// The share of the bound where a rule wants the cost so far, but nobody counts it.
inline constexpr double kUncountedShare = 0.2;

/// The greatest V_c and Q_c that a choice by region calls safe in an episode that has cost `spent` so far:
/// m_t = min(bound, cost_scale (kappa - spent)), or half of the latter; minus infinity, so that the least
/// cost is chosen, where more than kappa was spent. `spent` none: see kUncountedShare.
inline double bound_within(const EpisodeBudget& budget, double bound, std::optional<double> spent) {
  if (budget.rule == BudgetRule::none) return bound;
  if (!spent) return kUncountedShare * bound;
  const double left = budget.cost_scale * (budget.limit - *spent);
  if (!(left >= 0)) return -std::numeric_limits<double>::infinity();
  return std::min(bound, budget.rule == BudgetRule::half ? left / 2 : left);
}

}  // namespace r2pac
