// Samples of networks that say a Gaussian, and what actor-critic methods ask of them: targets within a limit
// on cost, the mean of what lies far from the data, and a multiplier by dual ascent (docs/methods.md).
#pragma once

#include <cmath>

#include "base/host_device.h"
#include "base/philox.h"
#include "kernels/gaussian.h"
#include "kernels/view.h"

namespace r2pac {

namespace formula {

/// A sample of N(mean, exp(log_deviation)^2) from standard normal noise.
template <class T>
R2_FORMULA T gaussian_sample(T mean, T log_deviation, T noise, const DeviationRange<T>& range) {
  using std::exp;
  return mean + exp(clamped(log_deviation, range.least, range.greatest)) * noise;
}

/// d gaussian_sample / d log_deviation.
template <class T>
R2_FORMULA T gaussian_sample_slope(T log_deviation, T noise, const DeviationRange<T>& range) {
  using std::exp;
  return range.holds(log_deviation) ? exp(log_deviation) * noise : T(0);
}

/// KL(N(mean, exp(log_deviation)^2) || N(0, 1)).
template <class T>
R2_FORMULA T divergence(T mean, T log_deviation, const DeviationRange<T>& range) {
  using std::exp;
  const T clamped_log = clamped(log_deviation, range.least, range.greatest);
  return T(-0.5) * (T(1) + T(2) * clamped_log - mean * mean - exp(T(2) * clamped_log));
}

/// d divergence / d log_deviation; by the mean it is the mean.
template <class T>
R2_FORMULA T divergence_slope(T log_deviation, const DeviationRange<T>& range) {
  using std::exp;
  return range.holds(log_deviation) ? exp(T(2) * log_deviation) - T(1) : T(0);
}

/// A step of dual ascent on a multiplier exp(log): it grows while `measured` is below the goal.
template <class T>
R2_FORMULA T dual_ascent(T log, T rate, T goal, T measured, T bound) {
  using std::exp;
  return clamped(log + rate * exp(log) * (goal - measured), -bound, bound);
}

}  // namespace formula

/// noise(r, c) standard normal from (seed; policy_noise, step, first_row + r, 2^16 * which + c), which <
/// 2^16.
template <class T>
struct DrawNormal {
  unsigned long long seed;
  const StepState* state;
  int first_row, which;
  View<T> noise;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    const auto drawn = static_cast<std::uint32_t>(first_row + r), first = static_cast<std::uint32_t>(which)
                                                                          << 16;
    for (int c = lane; c < noise.cols; c += lanes)
      noise.row(r)[c] = static_cast<T>(random_normal(seed, Purpose::policy_noise, state->step, drawn,
                                                     first + static_cast<std::uint32_t>(c)));
  }
};

/// out = a sample of each Gaussian; all [1, rows, cols].
template <class T>
struct GaussianSample {
  View<T> mean, log_deviation, noise;
  DeviationRange<T> range;
  View<T> out;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int c = lane; c < out.cols; c += lanes)
      out.row(r)[c] =
          formula::gaussian_sample(mean.row(r)[c], log_deviation.row(r)[c], noise.row(r)[c], range);
  }
};
/// d(r, c) = d_out(r, c) * d out / d log_deviation, or += if `accumulate`. By the mean it is d_out itself.
template <class T>
struct GaussianSampleGradient {
  View<T> log_deviation, noise;
  DeviationRange<T> range;
  View<T> d_out, d;
  bool accumulate;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int c = lane; c < d.cols; c += lanes)
      contribute(
          d.row(r)[c],
          d_out.row(r)[c] * formula::gaussian_sample_slope(log_deviation.row(r)[c], noise.row(r)[c], range),
          accumulate);
  }
};

/// out(r) = mean over columns of the divergence from the standard normal, in ascending order.
template <class T>
struct Divergence {
  View<T> mean, log_deviation;
  DeviationRange<T> range;
  View<T> out;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    T sum = 0;
    R2_ROLLED
    for (int c = 0; c < mean.cols; ++c)
      sum += formula::divergence(mean.row(r)[c], log_deviation.row(r)[c], range);
    out.row(r)[0] = sum / static_cast<T>(mean.cols);
  }
};
/// d(r, c) = scale * d out(r) / d mean(r, c), or by log_deviation(r, c); or += if `accumulate`.
template <class T>
struct DivergenceGradient {
  View<T> mean, log_deviation;
  DeviationRange<T> range;
  bool of_deviation;
  T scale;
  View<T> d;
  bool accumulate;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    const T factor = scale / static_cast<T>(d.cols);
    for (int c = lane; c < d.cols; c += lanes)
      contribute(d.row(r)[c],
                 factor * (of_deviation ? formula::divergence_slope(log_deviation.row(r)[c], range)
                                        : mean.row(r)[c]),
                 accumulate);
  }
};

/// target(r) = earned(r) + discount * mask(r) * value(r), the last term only where cost(r) <= *limit. Without
/// a mask (data null) it is 1; without a cost (data null) nothing is left out.
template <class T>
struct LimitedBackup {
  View<T> earned, mask, value, cost;
  const T* limit;
  T discount;
  View<T> target;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    const bool counts = cost.data == nullptr || cost.row(r)[0] <= *limit;
    target.row(r)[0] = earned.row(r)[0] + (counts ? discount * weight_of(mask, r) * value.row(r)[0] : T(0));
  }
};

/// loss(r) = factor * weight(r) * x(r), the factor times exp(*log_factor) where that is not null.
template <class T>
struct LinearLoss {
  View<T> x, weights, loss;
  T factor;
  const T* log_factor;
  R2_FORMULA T slope(int r) const {
    using std::exp;
    return factor * (log_factor != nullptr ? exp(*log_factor) : T(1)) * weight_of(weights, r);
  }
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane == 0) loss.row(r)[0] = slope(r) * x.row(r)[0];
  }
};
/// d(r) = scale * d loss(r) / d x(r), or += if `accumulate`.
template <class T>
struct LinearLossGradient {
  LinearLoss<T> loss;
  T scale;
  View<T> d;
  bool accumulate;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane == 0) contribute(d.row(r)[0], scale * loss.slope(r), accumulate);
  }
};

/// out(r) = mean over columns of those x(r, c) whose distance(r, c) is at least *bound, the others as zeros.
template <class T>
struct MeanOfFar {
  View<T> x, distance;
  const T* bound;
  View<T> out;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    T sum = 0;
    R2_ROLLED
    for (int c = 0; c < x.cols; ++c)
      if (distance.row(r)[c] >= *bound) sum += x.row(r)[c];
    out.row(r)[0] = sum / static_cast<T>(x.cols);
  }
};
/// d_x(r, c) = d_out(r) * d out(r) / d x(r, c), or += if `accumulate`.
template <class T>
struct MeanOfFarGradient {
  View<T> distance;
  const T* bound;
  View<T> d_out, d_x;
  bool accumulate;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int c = lane; c < d_x.cols; c += lanes)
      contribute(d_x.row(r)[c],
                 distance.row(r)[c] >= *bound ? d_out.row(r)[0] / static_cast<T>(d_x.cols) : T(0),
                 accumulate);
  }
};

/// *log moves by one step of dual ascent; one row.
template <class T>
struct DualAscent {
  T* log;
  const T* measured;
  T rate, goal, bound;
  R2_FORMULA void row(int, int lane, int) const {
    if (lane == 0) *log = formula::dual_ascent(*log, rate, goal, *measured, bound);
  }
};

}  // namespace r2pac
