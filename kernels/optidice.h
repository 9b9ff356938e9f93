// Stationary distribution corrections (Lee et al., 2022): how much more often than the data a policy should
// visit a transition, and an upper bound of what that costs. All columns are [1, rows, 1] (docs/methods.md).
#pragma once

#include <cmath>

#include "base/host_device.h"
#include "kernels/sampling.h"
#include "kernels/view.h"

namespace r2pac {
namespace formula {

/// The inverse of f' for the soft chi-square divergence f: exp(x) below 0, x + 1 above.
template <class T>
R2_FORMULA T softchi_ratio(T x) {
  using std::exp;
  return x < T(0) ? exp(x) : x + T(1);
}

/// f itself, w > 0: w (log w - 1) + 1 below 1, (w - 1)^2 / 2 above.
template <class T>
R2_FORMULA T softchi(T w) {
  using std::log;
  constexpr T kTiny = T(1e-10);
  return w < T(1) ? w * (log(w + kTiny) - T(1)) + T(1) : T(0.5) * (w - T(1)) * (w - T(1));
}

/// The inverse of tanh; beyond +-(1 - 1e-6) that of the ends.
template <class T>
R2_FORMULA T before_tanh(T y) {
  using std::log;
  constexpr T kEnd = T(1) - T(1e-6);
  const T x = clamped(y, -kEnd, kEnd);
  return T(0.5) * log((T(1) + x) / (T(1) - x));
}

}  // namespace formula

/// What a transition's terms are made of. `initial` is 1 in the first state of an episode, else 0.
template <class T>
struct DiceBatch {
  View<T> rewards, costs, mask, initial;
  T discount;
  T initial_weight;  ///< (1 - discount) / share of initial states in the data

  /// earned + discount * mask * next - now.
  R2_FORMULA T difference(int r, T earned, const View<T>& now, const View<T>& next) const {
    return earned + discount * mask.row(r)[0] * next.row(r)[0] - now.row(r)[0];
  }
  /// What now, or next if `of_next`, is multiplied by in initial_weight * initial * now + ratio * difference.
  R2_FORMULA T slope(int r, T w, bool of_next) const {
    return of_next ? w * discount * mask.row(r)[0] : initial_weight * initial.row(r)[0] - w;
  }
};

/// error = reward - multiplier * cost + discount * mask * nu_next - nu, and ratio = f'^-1(error / alpha).
template <class T>
struct DiceRatio {
  DiceBatch<T> batch;
  View<T> multiplier, nu, nu_next;
  T alpha;
  View<T> error, ratio;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    const T earned = batch.rewards.row(r)[0] - multiplier.row(r)[0] * batch.costs.row(r)[0];
    const T e = batch.difference(r, earned, nu, nu_next);
    error.row(r)[0] = e;
    ratio.row(r)[0] = formula::softchi_ratio(e / alpha);
  }
};

/// loss = initial_weight * initial * nu + ratio * error - alpha f(ratio).
template <class T>
struct DiceLoss {
  DiceBatch<T> batch;
  View<T> nu, error, ratio;
  T alpha;
  View<T> loss;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    const T w = ratio.row(r)[0];
    loss.row(r)[0] = batch.initial_weight * batch.initial.row(r)[0] * nu.row(r)[0] + w * error.row(r)[0] -
                     alpha * formula::softchi(w);
  }
};
/// d = scale * d loss / d nu, or by nu_next if `of_next`; or += if `accumulate`. The ratio is where
/// ratio * error - alpha f(ratio) is greatest, so that its own change counts for nothing.
template <class T>
struct DiceGradient {
  DiceBatch<T> batch;
  View<T> ratio;
  bool of_next;
  T scale;
  View<T> d;
  bool accumulate;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane == 0) contribute(d.row(r)[0], scale * batch.slope(r, ratio.row(r)[0], of_next), accumulate);
  }
};

/// level = initial_weight * initial * chi + ratio * (cost + discount * mask * chi_next - chi), and logit =
/// level / temperature.
template <class T>
struct BoundLevel {
  DiceBatch<T> batch;
  View<T> ratio, chi, chi_next, temperature;
  View<T> level, logit;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    const T flow = batch.difference(r, batch.costs.row(r)[0], chi, chi_next);
    level.row(r)[0] = batch.initial_weight * batch.initial.row(r)[0] * chi.row(r)[0] + ratio.row(r)[0] * flow;
    logit.row(r)[0] = level.row(r)[0] / temperature.row(r)[0];
  }
};

/// power = exp(logit - *greatest).
template <class T>
struct BoundPower {
  View<T> logit;
  const T* greatest;
  View<T> power;
  R2_FORMULA void row(int r, int lane, int) const {
    using std::exp;
    if (lane == 0) power.row(r)[0] = exp(logit.row(r)[0] - *greatest);
  }
};

/// With the weight W = power / *mean_power, which is the softmax of the logits times their number: weighted
/// level W level, divergence W log W - W + 1, weighted cost W ratio cost.
template <class T>
struct BoundTerms {
  DiceBatch<T> batch;
  View<T> ratio, level, logit, power;
  const T *greatest, *mean_power;
  View<T> weight, weighted_level, divergence, weighted_cost;
  R2_FORMULA void row(int r, int lane, int) const {
    using std::log;
    if (lane != 0) return;
    const T w = power.row(r)[0] / *mean_power, log_w = logit.row(r)[0] - *greatest - log(*mean_power);
    weight.row(r)[0] = w;
    weighted_level.row(r)[0] = w * level.row(r)[0];
    divergence.row(r)[0] = w * log_w - w + T(1);
    weighted_cost.row(r)[0] = w * ratio.row(r)[0] * batch.costs.row(r)[0];
  }
};
/// d = scale * d (sum of W level) / d chi, or by chi_next if `of_next`, through the weights, too; or += if
/// `accumulate`. *mean_level is the mean of W level.
template <class T>
struct BoundGradient {
  DiceBatch<T> batch;
  View<T> ratio, temperature, level, weight;
  const T* mean_level;
  bool of_next;
  T scale;
  View<T> d;
  bool accumulate;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    const T by_level = weight.row(r)[0] * (T(1) + (level.row(r)[0] - *mean_level) / temperature.row(r)[0]);
    contribute(d.row(r)[0], scale * by_level * batch.slope(r, ratio.row(r)[0], of_next), accumulate);
  }
};

/// out(r, c) = x(r, c) + factor * deviation[c] * noise(r, c).
template <class T>
struct Perturb {
  View<T> x, noise;
  const T* deviation;
  T factor;
  View<T> out;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int c = lane; c < out.cols; c += lanes)
      out.row(r)[c] = x.row(r)[c] + factor * deviation[c] * noise.row(r)[c];
  }
};

/// out(r, c) = the inverse of tanh at x(r, c).
template <class T>
struct BeforeTanh {
  View<T> x, out;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int c = lane; c < out.cols; c += lanes) out.row(r)[c] = formula::before_tanh(x.row(r)[c]);
  }
};

}  // namespace r2pac
