// A diagonal Gaussian over a chunk: its density, and the weighted likelihood that an actor maximises.
#pragma once

#include <cmath>

#include "base/host_device.h"
#include "kernels/critic.h"
#include "kernels/view.h"

namespace r2pac {

/// Logarithms of deviations are clamped to this range; beyond it they get no gradient.
inline constexpr double kLeastLogDeviation = -5, kGreatestLogDeviation = 2;

namespace formula {

template <class T>
R2_FORMULA T clamped_log_deviation(T log_deviation) {
  return log_deviation < T(kLeastLogDeviation)      ? T(kLeastLogDeviation)
         : log_deviation > T(kGreatestLogDeviation) ? T(kGreatestLogDeviation)
                                                    : log_deviation;
}

/// log N(x; mean, exp(log_deviation)^2), the deviation within its range.
template <class T>
R2_FORMULA T gaussian_log_density(T x, T mean, T log_deviation) {
  using std::exp;
  const T clamped = clamped_log_deviation(log_deviation);
  const T z = (x - mean) * exp(-clamped);
  return T(-0.5) * z * z - clamped - T(0.91893853320467274178);  // log(2 pi) / 2
}

/// d gaussian_log_density / d mean and / d log_deviation.
template <class T>
R2_FORMULA T gaussian_mean_slope(T x, T mean, T log_deviation) {
  using std::exp;
  const T inverse = exp(-clamped_log_deviation(log_deviation));
  return (x - mean) * inverse * inverse;
}
template <class T>
R2_FORMULA T gaussian_deviation_slope(T x, T mean, T log_deviation) {
  using std::exp;
  if (log_deviation < T(kLeastLogDeviation) || log_deviation > T(kGreatestLogDeviation)) return T(0);
  const T z = (x - mean) * exp(-log_deviation);
  return z * z - T(1);
}

}  // namespace formula

/// loss(r) = -weight(r) * sum over columns of the log density of x, in ascending order.
template <class T>
struct GaussianLoss {
  View<T> mean, log_deviation, x, loss;
  View<T> weights = {};  // data null: none
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    T sum = 0;
    for (int c = 0; c < mean.cols; ++c)
      sum += formula::gaussian_log_density(x.row(r)[c], mean.row(r)[c], log_deviation.row(r)[c]);
    loss.row(r)[0] = -weight_of(weights, r) * sum;
  }
};

/// d(r, c) = scale * d loss(r) / d mean(r, c), or by log_deviation(r, c); or += if `accumulate`.
template <class T>
struct GaussianGradient {
  View<T> mean, log_deviation, x;
  bool of_deviation;
  T scale;
  View<T> d;
  View<T> weights = {};
  bool accumulate = false;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    const T factor = -scale * weight_of(weights, r);
    for (int c = lane; c < mean.cols; c += lanes) {
      const T at = x.row(r)[c], m = mean.row(r)[c], s = log_deviation.row(r)[c];
      const T slope =
          of_deviation ? formula::gaussian_deviation_slope(at, m, s) : formula::gaussian_mean_slope(at, m, s);
      contribute(d.row(r)[c], factor * slope, accumulate);
    }
  }
};

}  // namespace r2pac
