// Surplus: what a budget leaves beyond the cost that is expected, all as discounted and scaled values like
// V_c (docs/methods.md, BCRL).
#pragma once

#include "base/host_device.h"
#include "base/philox.h"
#include "kernels/view.h"

namespace r2pac {
namespace formula {

/// max(budget - cost, 0); a NaN stays.
template <class T>
R2_FORMULA T surplus(T budget, T cost) {
  return budget - cost < T(0) ? T(0) : budget - cost;
}

}  // namespace formula

// Row operations (row_operations.h). Scalars per row are views [1, rows, 1]; `greatest` points to one value.

/// surplus(r) = factor * share * greatest. Random: share by (seed; budget, step, first_row + r, which).
template <class T>
struct DrawSurplus {
  unsigned long long seed;
  const StepState* state;
  int first_row, which;
  const T* greatest;
  T factor;
  View<T> surplus;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    const float share =
        random_uniform(seed, Purpose::budget, state->step, static_cast<std::uint32_t>(first_row + r),
                       static_cast<std::uint32_t>(which));
    surplus.row(r)[0] = factor * static_cast<T>(share) * *greatest;
  }
};

/// surplus(r) of budget(r) over cost(r). With a second cost the budget is above the greater of both by
/// budget(r).
template <class T>
struct Surplus {
  PerRow<T> budget;
  View<T> cost, other;  ///< data of the latter null: there is none
  const T* greatest;    ///< null: any
  View<T> surplus;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    const T of = cost.row(r)[0], second = other.data != nullptr ? other.row(r)[0] : of,
            above = other.data == nullptr ? T(0)
                    : second > of         ? second
                                          : of,
            left = formula::surplus(budget.at(r) + above, of);
    surplus.row(r)[0] = greatest != nullptr && left > *greatest ? *greatest : left;
  }
};

}  // namespace r2pac
