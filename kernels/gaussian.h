// A diagonal Gaussian over a chunk: its density, and the weighted likelihood that an actor maximises.
#pragma once

#include <cmath>

#include "base/host_device.h"
#include "kernels/critic.h"
#include "kernels/view.h"

namespace r2pac {

/// Where logarithms of deviations are clamped; beyond it they get no gradient.
template <class T>
struct DeviationRange {
  T least = -5, greatest = 2;
  R2_FORMULA bool holds(T log_deviation) const {
    return !(log_deviation < least || log_deviation > greatest);
  }
};

namespace formula {

template <class T>
R2_FORMULA T clamped(T x, T least, T greatest) {
  return x < least ? least : x > greatest ? greatest : x;
}

/// log N(x; mean, exp(log_deviation)^2), the deviation within its range.
template <class T>
R2_FORMULA T gaussian_log_density(T x, T mean, T log_deviation, const DeviationRange<T>& range = {}) {
  using std::exp;
  const T within = clamped(log_deviation, range.least, range.greatest);
  const T z = (x - mean) * exp(-within);
  return T(-0.5) * z * z - within - T(0.91893853320467274178);  // log(2 pi) / 2
}

/// d gaussian_log_density / d mean and / d log_deviation.
template <class T>
R2_FORMULA T gaussian_mean_slope(T x, T mean, T log_deviation, const DeviationRange<T>& range = {}) {
  using std::exp;
  const T inverse = exp(-clamped(log_deviation, range.least, range.greatest));
  return (x - mean) * inverse * inverse;
}
template <class T>
R2_FORMULA T gaussian_deviation_slope(T x, T mean, T log_deviation, const DeviationRange<T>& range = {}) {
  using std::exp;
  if (!range.holds(log_deviation)) return T(0);
  const T z = (x - mean) * exp(-log_deviation);
  return z * z - T(1);
}

}  // namespace formula

/// loss(r) = -weight(r) * sum over columns of the log density of x, in ascending order.
template <class T>
struct GaussianLoss {
  View<T> mean, log_deviation, x, loss;
  View<T> weights = {};  // data null: none
  DeviationRange<T> range = {};
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    T sum = 0;
    for (int c = 0; c < mean.cols; ++c)
      sum += formula::gaussian_log_density(x.row(r)[c], mean.row(r)[c], log_deviation.row(r)[c], range);
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
  DeviationRange<T> range = {};
  R2_FORMULA void row(int r, int lane, int lanes) const {
    const T factor = -scale * weight_of(weights, r);
    for (int c = lane; c < mean.cols; c += lanes) {
      const T at = x.row(r)[c], m = mean.row(r)[c], s = log_deviation.row(r)[c];
      const T slope = of_deviation ? formula::gaussian_deviation_slope(at, m, s, range)
                                   : formula::gaussian_mean_slope(at, m, s, range);
      contribute(d.row(r)[c], factor * slope, accumulate);
    }
  }
};

}  // namespace r2pac
