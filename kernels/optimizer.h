// Adam or AdamW with Polyak-averaged targets, in one pass over the parameters, and schedules of the rate.
#pragma once

#include <cmath>
#include <type_traits>

#include "base/host_device.h"
#include "base/philox.h"

namespace r2pac {

/// Constants of one optimiser step t = 1, 2, ... (Kingma and Ba, 2015, Algorithm 1).
template <class T>
struct AdamStep {
  T step_size;          ///< learning rate / (1 - beta1^t)
  T second_correction;  ///< 1 / sqrt(1 - beta2^t)
  T beta1, beta2, epsilon;
  T polyak;          ///< weight of the online value in its target, in (0, 1]
  T keep;            ///< what weight decay leaves of a value: 1 - learning rate * decay
  T gradient_scale;  ///< by which clipping shortens the gradient
};

/// How the learning rate changes over steps t = 1, 2, ...: a linear rise to its full value at t =
/// warm_up_steps, times half a cosine from 1 at t = 1 to 0 at t = cosine_steps + 1 and beyond. 0: not at all.
struct RateSchedule {
  double warm_up_steps = 0, cosine_steps = 0;
};

/// Settings of the optimiser.
struct AdamSettings {
  double learning_rate = 3e-4, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double polyak = 0.005;
  RateSchedule schedule = {};
  double weight_decay = 0;  ///< decoupled (AdamW): a step takes learning rate * decay of each value away
};

/// Which of an optimiser's steps t = 1, 2, ... an update is, in a run whose gradient steps count from 0.
struct UpdateCount {
  unsigned long long first_step = 0;     ///< the gradient step of the first update
  unsigned int per_step = 1, index = 0;  ///< updates in each gradient step, and which of them it is
  R2_HD constexpr UpdateCount(unsigned long long first = 0, unsigned int of_step = 1, unsigned int which = 0)
      : first_step(first), per_step(of_step), index(which) {}
  /// t, in a step that is taken after `step` others.
  R2_HD constexpr unsigned long long at(unsigned long long step) const {
    return (step - first_step) * per_step + index + 1;
  }
};

namespace formula {

/// cos(pi / 2 * part), part in [0, 1].
template <class T>
R2_FORMULA T quarter_cosine(T part) {
  if constexpr (std::is_same_v<T, float>) return cosine_of_turn(0.25f * part, false);
  using std::cos;
  return cos(T(1.57079632679489661923) * part);
}

/// What the learning rate is multiplied by at step t >= 1.
template <class T>
R2_FORMULA T rate_factor(T t, T warm_up_steps, T cosine_steps) {
  T factor = t < warm_up_steps ? t / warm_up_steps : T(1);
  if (cosine_steps > T(0)) {
    const T part = t - T(1) < cosine_steps ? (t - T(1)) / cosine_steps : T(1);
    const T root = quarter_cosine(part);
    factor *= root * root;
  }
  return factor;
}

/// The factor that shortens a gradient of the given squared norm to `clip`; 1 for a shorter one, and for NaN.
template <class T>
R2_FORMULA T clip_factor(T squared_norm, T clip) {
  using std::sqrt;
  const T norm = sqrt(squared_norm);
  return norm > clip ? clip / norm : T(1);
}

}  // namespace formula

/// The constants for step t >= 1, whose gradient is multiplied by gradient_scale.
template <class T>
AdamStep<T> adam_step(const AdamSettings& settings, long long t, T gradient_scale = 1) {
  const auto power = static_cast<double>(t);
  const double rate = settings.learning_rate * formula::rate_factor(power, settings.schedule.warm_up_steps,
                                                                    settings.schedule.cosine_steps);
  return {static_cast<T>(rate / (1 - std::pow(settings.beta1, power))),
          static_cast<T>(1 / std::sqrt(1 - std::pow(settings.beta2, power))),
          static_cast<T>(settings.beta1),
          static_cast<T>(settings.beta2),
          static_cast<T>(settings.epsilon),
          static_cast<T>(settings.polyak),
          static_cast<T>(1 - rate * settings.weight_decay),
          gradient_scale};
}

namespace formula {

/// One parameter: moments and value are updated in place.
template <class T>
R2_FORMULA void adam_update(T& value, T& first, T& second, T gradient, const AdamStep<T>& step) {
  using std::sqrt;
  gradient = step.gradient_scale * gradient;
  first = step.beta1 * first + (T(1) - step.beta1) * gradient;
  second = step.beta2 * second + (T(1) - step.beta2) * gradient * gradient;
  value = step.keep * value - step.step_size * first / (sqrt(second) * step.second_correction + step.epsilon);
}

/// target + polyak * (online - target).
template <class T>
R2_FORMULA T polyak_update(T target, T online, T polyak) {
  return target + polyak * (online - target);
}

}  // namespace formula
}  // namespace r2pac
