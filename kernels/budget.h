// Budgets: what the rest of an episode may cost, as a discounted and scaled value like V_c. Rows of
// model/BUDGETED.md are named beside each formula.
#pragma once

#include <cmath>

#include "base/host_device.h"
#include "base/philox.h"
#include "kernels/view.h"

namespace r2pac {
namespace formula {

/// What networks see of a budget (INPUT): log(1 + b / C) for b in [0, greatest], for another b as for the
/// nearest of these. cost_scale: C > 0, one unit of cost as a value.
template <class T>
R2_FORMULA T budget_input(T budget, T greatest, T cost_scale) {
  using std::log;
  const T seen = !(budget > T(0)) ? T(0) : budget > greatest ? greatest : budget;
  return log(T(1) + seen / cost_scale);
}

/// The budget whose input is `share` in (0, 1) of the greatest one's (DRAW).
template <class T>
R2_FORMULA T budget_of_share(T share, T greatest, T cost_scale) {
  using std::exp;
  return cost_scale * (exp(share * budget_input(greatest, greatest, cost_scale)) - T(1));
}

/// What is left of a budget after a chunk of discounted cost `costs` (NEXT), as seen from the state after it:
/// within [0, greatest].
template <class T>
R2_FORMULA T next_budget(T budget, T costs, T greatest, T chunk_discount) {
  const T left = (budget - costs) / chunk_discount;
  return left < T(0) ? T(0) : left > greatest ? greatest : left;
}

}  // namespace formula

// Row operations (row_operations.h). Scalars per row are views [1, rows, 1]; `greatest` points to one value.

/// budget(r), its input uniform over what networks see. Random: (seed; budget, step, first_row + r, 0).
template <class T>
struct DrawBudgets {
  unsigned long long seed;
  const StepState* state;
  int first_row;
  const T* greatest;
  T cost_scale;
  View<T> budget;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    const float share =
        random_uniform(seed, Purpose::budget, state->step, static_cast<std::uint32_t>(first_row + r), 0);
    budget.row(r)[0] = formula::budget_of_share(static_cast<T>(share), *greatest, cost_scale);
  }
};

/// next(r), what is left of budget(r) after the row's chunk.
template <class T>
struct NextBudgets {
  View<T> budget, costs;  // in
  const T* greatest;
  T chunk_discount;
  View<T> next;  // out
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane == 0)
      next.row(r)[0] = formula::next_budget(budget.row(r)[0], costs.row(r)[0], *greatest, chunk_discount);
  }
};

/// input(r), what networks see of budget(r).
template <class T>
struct BudgetInputs {
  View<T> budget;  // in
  const T* greatest;
  T cost_scale;
  View<T> input;  // out
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane == 0) input.row(r)[0] = formula::budget_input(budget.row(r)[0], *greatest, cost_scale);
  }
};

}  // namespace r2pac
