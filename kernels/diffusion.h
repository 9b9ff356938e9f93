// Denoising diffusion of actions (Ho, Jain and Abbeel, 2020) with the variance-preserving schedule of few
// steps, as FISOR uses it (docs/methods.md): from actions to noise in training, and back in acting.
#pragma once

#include <cmath>
#include <type_traits>

#include "base/host_device.h"
#include "base/philox.h"
#include "kernels/flow.h"
#include "kernels/gaussian.h"
#include "kernels/view.h"

namespace r2pac {

/// The schedule of `steps` steps t = 0, 1, ...: the more steps, the less noise each adds.
struct DiffusionSchedule {
  int steps = 5;
};

namespace formula {

/// The logarithm of what remains of an action's square after the first n of all steps: the sum over i = 1 ..
/// n of -b0 / N - (b1 - b0) (2 i - 1) / (2 N^2), with b0 = 0.1 and b1 = 10.
template <class T>
R2_FORMULA T log_signal(T n, T steps) {
  const T part = n / steps;
  return T(-0.1) * part - T(4.95) * part * part;
}

/// alpha_t: what one step t leaves of the square; alpha-bar_t: what steps 0 .. t leave.
template <class T>
R2_FORMULA T step_signal(T t, T steps) {
  using std::exp;
  return exp(log_signal(t + T(1), steps) - log_signal(t, steps));
}
template <class T>
R2_FORMULA T signal(T t, T steps) {
  using std::exp;
  return exp(log_signal(t + T(1), steps));
}

/// An action with the noise of steps 0 .. t.
template <class T>
R2_FORMULA T diffused(T action, T noise, T t, T steps) {
  using std::sqrt;
  const T remains = signal(t, steps);
  return sqrt(remains) * action + sqrt(T(1) - remains) * noise;
}

/// x with one step t less of noise, of which `predicted` is the estimate, plus new noise but for the last
/// step t = 0, within [-1, 1].
template <class T>
R2_FORMULA T denoised(T x, T predicted, T noise, T t, T steps) {
  using std::sqrt;
  const T alpha = step_signal(t, steps);
  T out = (x - (T(1) - alpha) / sqrt(T(1) - signal(t, steps)) * predicted) / sqrt(alpha);
  if (t > T(0)) out += sqrt(T(1) - alpha) * noise;
  return clip_action(out);
}

/// cos(2 pi turn), or the sine.
template <class T>
R2_FORMULA T wave(T turn, bool sine) {
  if constexpr (std::is_same_v<T, float>) {
    return cosine_of_turn(turn, sine);
  } else {
    const T angle = T(6.28318530717958647693) * turn;
    return sine ? std::sin(angle) : std::cos(angle);
  }
}

}  // namespace formula

// Row operations (row_operations.h). Scalars per row are views [1, rows, 1].

/// time(r) uniform on 0 .. steps - 1, from (seed; diffusion_time, step, first_row + r, which).
template <class T>
struct DrawTimes {
  unsigned long long seed;
  const StepState* state;
  int first_row, which, steps;
  View<T> time;
  R2_FORMULA void row(int r, int lane, int) const {
    if (lane != 0) return;
    const float share =
        random_uniform(seed, Purpose::diffusion_time, state->step, static_cast<std::uint32_t>(first_row + r),
                       static_cast<std::uint32_t>(which));
    const int t = static_cast<int>(share * static_cast<float>(steps));
    time.row(r)[0] = static_cast<T>(t < steps ? t : steps - 1);
  }
};

/// out(r, c) = x(r, c) within +-bound.
template <class T>
struct ClampColumns {
  View<T> x;
  T bound;
  View<T> out;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int c = lane; c < out.cols; c += lanes) out.row(r)[c] = formula::clamped(x.row(r)[c], -bound, bound);
  }
};

/// out(r, c): actions with the noise of steps 0 .. time(r).
template <class T>
struct DiffuseActions {
  View<T> actions, noise, time;
  DiffusionSchedule schedule;
  View<T> out;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    for (int c = lane; c < out.cols; c += lanes)
      out.row(r)[c] = formula::diffused(actions.row(r)[c], noise.row(r)[c], time.row(r)[0],
                                        static_cast<T>(schedule.steps));
  }
};

/// out(r) = cos(2 pi time(r) frequencies(r)), and behind them the sines: [1, rows, F] -> [1, rows, 2 F].
template <class T>
struct FourierFeatures {
  View<T> frequencies, time, out;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    const int count = frequencies.cols;
    for (int c = lane; c < out.cols; c += lanes)
      out.row(r)[c] =
          formula::wave(time.row(r)[0] * frequencies.row(r)[c < count ? c : c - count], c >= count);
  }
};
/// d(r, f) = the gradient of FourierFeatures by frequencies(r, f) from d_out, or += if `accumulate`.
template <class T>
struct FourierFeaturesGradient {
  View<T> time, features, d_out, d;
  bool accumulate;
  R2_FORMULA void row(int r, int lane, int lanes) const {
    const T slope = T(6.28318530717958647693) * time.row(r)[0];
    for (int f = lane; f < d.cols; f += lanes) {
      const T cosine = features.row(r)[f], sine = features.row(r)[d.cols + f];
      contribute(d.row(r)[f], slope * (cosine * d_out.row(r)[d.cols + f] - sine * d_out.row(r)[f]),
                 accumulate);
    }
  }
};

}  // namespace r2pac
