// Reductions over a batch, in a fixed order.
#pragma once

#include <cstddef>

#include "kernels/view.h"

namespace r2pac {

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
