// Reductions over a batch, in a fixed order.
#pragma once

#include <cstddef>

#include "base/host_device.h"
#include "kernels/view.h"

namespace r2pac {

namespace formula {

/// `weight` in [0, 1] of the way from one order statistic to the next; at 0 the next one, be it infinite or
/// NaN, has no part in it.
template <class T>
R2_FORMULA T between(T low, T high, T weight) {
  return weight == T(0) ? low : low + weight * (high - low);
}

/// The threshold after a batch whose quantile is `now`: smoothed, with keep + rest = 1, unless it is the
/// first.
template <class T>
R2_FORMULA T next_threshold(T before, T now, T keep, T rest, bool first) {
  return keep == T(0) || first ? now : keep * before + rest * now;
}

}  // namespace formula

/// The alpha-quantile of x [n] with linear interpolation between order statistics at (n - 1) alpha.
/// work [n] is overwritten. n >= 1, alpha in [0, 1]. NaN sorts last, so that it cannot break the order.
template <class T>
T quantile(const T* x, std::size_t n, double alpha, T* work);

/// *threshold = the quantile of x [1, rows, 1], or, after `first_step`, keep * *threshold + (1 - keep) *
/// quantile. keep in [0, 1).
template <class T>
void update_threshold(const View<T>& x, double alpha, double keep, const StepState* state,
                      unsigned long long first_step, T* threshold, T* work);

/// *out = sum over members of the mean over rows of x [nets, rows, 1], accumulated in double in ascending
/// order.
template <class T>
void sum_of_means(const View<T>& x, T* out);

}  // namespace r2pac
