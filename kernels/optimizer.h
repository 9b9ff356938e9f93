// Adam with Polyak-averaged targets, in one pass over the parameters.
#pragma once

#include <cmath>

#include "base/host_device.h"

namespace r2pac {

/// Constants of one optimiser step t = 1, 2, ... (Kingma and Ba, 2015, Algorithm 1).
template <class T>
struct AdamStep {
  T step_size;          ///< learning rate / (1 - beta1^t)
  T second_correction;  ///< 1 / sqrt(1 - beta2^t)
  T beta1, beta2, epsilon;
  T polyak;  ///< weight of the online value in its target, in (0, 1]
};

/// Settings of the optimiser.
struct AdamSettings {
  double learning_rate = 3e-4, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double polyak = 0.005;
};

/// The constants for step t >= 1.
template <class T>
AdamStep<T> adam_step(const AdamSettings& settings, long long t) {
  const auto power = static_cast<double>(t);
  return {static_cast<T>(settings.learning_rate / (1 - std::pow(settings.beta1, power))),
          static_cast<T>(1 / std::sqrt(1 - std::pow(settings.beta2, power))),
          static_cast<T>(settings.beta1),
          static_cast<T>(settings.beta2),
          static_cast<T>(settings.epsilon),
          static_cast<T>(settings.polyak)};
}

namespace formula {

/// One parameter: moments and value are updated in place.
template <class T>
R2_FORMULA void adam_update(T& value, T& first, T& second, T gradient, const AdamStep<T>& step) {
  using std::sqrt;
  first = step.beta1 * first + (T(1) - step.beta1) * gradient;
  second = step.beta2 * second + (T(1) - step.beta2) * gradient * gradient;
  value -= step.step_size * first / (sqrt(second) * step.second_correction + step.epsilon);
}

/// target + polyak * (online - target).
template <class T>
R2_FORMULA T polyak_update(T target, T online, T polyak) {
  return target + polyak * (online - target);
}

}  // namespace formula
}  // namespace r2pac
