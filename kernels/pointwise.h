// Element-wise formulas: GELU in its exact and tanh forms, each with its slope.
//
// Written without branches so that a loop over them becomes vector code. In float the normal
// distribution function comes from a polynomial; in other types (double, the dual numbers of the tests)
// from erfc, so that the formula can be differentiated to full precision.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "base/host_device.h"

namespace r2pac {

/// Which GELU: x Phi(x), or the older approximation through tanh (they differ by up to 4.7e-4).
enum class Activation { identity, gelu_erf, gelu_tanh };

namespace formula {

template <class T>
struct ValueAndSlope {
  T value, slope;
};

/// exp(x) for x <= 0, relative error below 3e-7; exp(-87), which is nearly nothing, below -87.
R2_FORMULA float exp_of_negative(float x) {
  x = x < -87.0f ? -87.0f : x;
  const float shifted = x * 1.44269504f + 12582912.0f;  // rounds x / ln 2 to an integer in the low bits
  const float n = shifted - 12582912.0f;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.38888889e-3f;
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const auto exponent = static_cast<std::uint32_t>(std::bit_cast<std::int32_t>(shifted)) << 23;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(p) + exponent);
}

/// x Phi(x) and its slope Phi(x) + x phi(x), where Phi and phi are the standard normal's distribution
/// function and density. (PAPER.md, "Networks")
///
/// float: Phi(-z) = exp(-z^2/2) P(1/(1 + 0.26 z)) for z >= 0, with P of degree 9 fitted to a relative
/// error of 2.5e-8; one exponential serves both results.
template <class T>
R2_FORMULA ValueAndSlope<T> gelu_erf(T x) {
  if constexpr (std::is_same_v<T, float>) {
    const float z = std::fabs(x);
    const float bell = exp_of_negative(-0.5f * z * z);
    const float t = 1.0f / (1.0f + 0.26f * z);
    float p = 0.0305131887f;
    p = p * t - 0.15286928f;
    p = p * t + 0.251575142f;
    p = p * t - 0.151045323f;
    p = p * t + 0.161014849f;
    p = p * t + 0.0509988907f;
    p = p * t + 0.103037708f;
    p = p * t + 0.103015689f;
    p = p * t + 0.103759123f;
    const float tail = bell * (p * t);
    const float cdf = 0.5f + std::copysign(0.5f - tail, x);
    return {x * cdf, cdf + x * (0.398942280f * bell)};
  } else {
    using std::erfc;
    using std::exp;
    const T cdf = T(0.5) * erfc(x * T(-0.70710678118654752440));
    return {x * cdf, cdf + x * (T(0.39894228040143267794) * exp(T(-0.5) * x * x))};
  }
}

/// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) and its slope.
template <class T>
R2_FORMULA ValueAndSlope<T> gelu_tanh(T x) {
  const T u = T(0.79788456080286535588) * x * (T(1) + T(0.044715) * x * x);
  const T du = T(0.79788456080286535588) * (T(1) + T(3 * 0.044715) * x * x);
  T gate;  // (1 + tanh u) / 2 = 1 / (1 + exp(-2u))
  if constexpr (std::is_same_v<T, float>) {
    gate = 0.5f + std::copysign(1.0f / (1.0f + exp_of_negative(-2.0f * std::fabs(u))) - 0.5f, u);
  } else {
    using std::tanh;
    gate = T(0.5) * (T(1) + tanh(u));
  }
  return {x * gate, gate + x * (T(2) * gate * (T(1) - gate)) * du};
}

}  // namespace formula
}  // namespace r2pac
