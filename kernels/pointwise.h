// Element-wise formulas: activations, each with its slope.
//
// Written without branches so that a loop over them becomes vector code. In float the normal
// distribution function comes from a polynomial; in other types (double, the dual numbers of the tests)
// from erfc, so that the formula can be differentiated to full precision. A GPU takes its own powers and
// reciprocals (Elementary), which are quicker and about as exact.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "base/host_device.h"

namespace r2pac {

/// The GELUs are x Phi(x) and the older approximation through tanh (they differ by up to 4.7e-4).
enum class Activation { identity, gelu_erf, gelu_tanh, relu, tanh, mish, softplus };

/// What a layer normalisation adds to the variance unless it says otherwise.
inline constexpr double kNormEpsilon = 1e-5;

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

/// The same from power(t) = 2^t for t <= 0. Relative error: that of `power`, and 1e-7. What the rounding of
/// t = x / ln 2 takes from x becomes a factor of its own.
template <class Power>
R2_FORMULA float exp_of_negative(float x, Power power) {
  x = x < -87.0f ? -87.0f : x;
  const float t = x * 1.44269502f;
  const float rest = std::fma(t, 1.90465430e-9f, std::fma(t, -0.693147182f, x));  // x - t ln 2
  const float p = power(t);
  return p + p * rest;
}

/// a / b for b >= 1 from reciprocal(b), which a step of Newton's corrects. Relative error: 2^-23, and the
/// square of that of `reciprocal`.
template <class Reciprocal>
R2_FORMULA float divide(float a, float b, Reciprocal reciprocal) {
  b = b > 0x1p126f ? 0x1p126f : b;  // the step would make nothing of 1 / infinity
  const float r = reciprocal(b);
  return a * std::fma(r, std::fma(-b, r, 1.0f), r);
}

/// The functions that cost most in an activation. A GPU has instructions for them, with relative errors of at
/// most 2^-22 (PTX instruction set: ex2.approx, rcp.approx).
struct Elementary {
  R2_FORMULA static float exp_of_negative(float x) {
#ifdef __CUDA_ARCH__
    return formula::exp_of_negative(x, [](float t) {
      float power;
      asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(t));
      return power;
    });
#else
    return formula::exp_of_negative(x);
#endif
  }
  /// a / b, where b >= 1.
  template <class T>
  R2_FORMULA static T divide(T a, T b) {
#ifdef __CUDA_ARCH__
    if constexpr (std::is_same_v<T, float>)
      return formula::divide(a, b, [](float of) {
        float reciprocal;
        asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(reciprocal) : "f"(of));
        return reciprocal;
      });
#endif
    return a / b;
  }
};

/// x Phi(x) and its slope Phi(x) + x phi(x), where Phi and phi are the standard normal's distribution
/// function and density. (PAPER.md, "Networks")
///
/// float: Phi(-z) = exp(-z^2/2) P(1/(1 + 0.26 z)) for z >= 0, with P of degree 9 fitted to a relative
/// error of 2.5e-8; one exponential serves both results.
template <class T, class E = Elementary>
R2_FORMULA ValueAndSlope<T> gelu_erf(T x) {
  if constexpr (std::is_same_v<T, float>) {
    const float z = std::fabs(x);
    const float bell = E::exp_of_negative(-0.5f * z * z);
    const float t = E::divide(1.0f, 1.0f + 0.26f * z);
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
template <class T, class E = Elementary>
R2_FORMULA ValueAndSlope<T> gelu_tanh(T x) {
  const T u = T(0.79788456080286535588) * x * (T(1) + T(0.044715) * x * x);
  const T du = T(0.79788456080286535588) * (T(1) + T(3 * 0.044715) * x * x);
  T gate;  // (1 + tanh u) / 2 = 1 / (1 + exp(-2u))
  if constexpr (std::is_same_v<T, float>) {
    const float e = E::exp_of_negative(-2.0f * std::fabs(u));
    gate = 0.5f + std::copysign(E::divide(1.0f, 1.0f + e) - 0.5f, u);
  } else {
    using std::tanh;
    gate = T(0.5) * (T(1) + tanh(u));
  }
  return {x * gate, gate + x * (T(2) * gate * (T(1) - gate)) * du};
}

/// exp(x) for x <= 0.
template <class T, class E = Elementary>
R2_FORMULA T decay(T x) {
  if constexpr (std::is_same_v<T, float>) {
    return E::exp_of_negative(x);
  } else {
    using std::exp;
    return exp(x);
  }
}

/// log(1 + e) for e in [0, 1]. float: 2 artanh(e / (2 + e)) by a polynomial, relative error below 3e-7.
template <class T, class E = Elementary>
R2_FORMULA T log_one_plus(T e) {
  if constexpr (std::is_same_v<T, float>) {
    const float s = E::divide(e, 2.0f + e), z = s * s;
    float p = 0.11612165f;
    p = p * z + 0.108532876f;
    p = p * z + 0.142961785f;
    p = p * z + 0.199998528f;
    p = p * z + 0.333333343f;
    return 2.0f * (s + s * (z * p));
  } else {
    using std::log1p;
    return log1p(e);
  }
}

/// max(x, 0); the slope at 0 is 0. A NaN stays.
template <class T>
R2_FORMULA ValueAndSlope<T> relu(T x) {
  return {x < T(0) ? T(0) : x, x > T(0) ? T(1) : T(0)};
}

/// tanh(x). float: a polynomial up to 1/2, beyond it through exp(-2 |x|). Relative error of the value below
/// 5e-7, of the slope below 1e-6.
template <class T, class E = Elementary>
R2_FORMULA ValueAndSlope<T> tanh(T x) {
  const T size = x < T(0) ? -x : x;
  const T e = decay<T, E>(T(-2) * size), inverse = E::divide(T(1), T(1) + e);
  const T slope = T(4) * e * inverse * inverse;
  if constexpr (std::is_same_v<T, float>) {
    const float z = x * x;
    float p = -0.00694294181f;
    p = p * z + 0.0214706827f;
    p = p * z - 0.0539334677f;
    p = p * z + 0.133332253f;
    p = p * z - 0.333333313f;
    const float small = x + x * (z * p), large = std::copysign((1.0f - e) * inverse, x);
    return {size >= 0.5f ? large : small, slope};
  } else {
    using std::tanh;
    return {tanh(x), slope};
  }
}

/// log(1 + exp(x)), with the logistic function as its slope. float: relative error of both below 1e-6 where
/// they are above 1e-37; a slope or a value below that may vanish.
template <class T, class E = Elementary>
R2_FORMULA ValueAndSlope<T> softplus(T x) {
  const bool negative = x < T(0);
  const T e = decay<T, E>(negative ? x : -x), inverse = E::divide(T(1), T(1) + e);
  return {(negative ? T(0) : x) + log_one_plus<T, E>(e), negative ? e * inverse : inverse};
}

/// x tanh(softplus(x)) (Misra, 2019). With w = exp(-|x|) the tanh is a quotient of polynomials in w, without
/// a difference of nearly equal numbers. float: relative error of the value below 1e-6, absolute error of the
/// slope below 1e-6.
template <class T, class E = Elementary>
R2_FORMULA ValueAndSlope<T> mish(T x) {
  const bool negative = x < T(0);
  const T w = decay<T, E>(negative ? x : -x);
  const T above = negative ? w * (w + T(2)) : T(1) + T(2) * w;
  const T below = E::divide(T(1), negative ? w * w + T(2) * w + T(2) : T(2) * w * w + T(2) * w + T(1));
  const T gate = above * below;
  return {x * gate, gate + x * (T(4) * (T(1) + w) * w * (negative ? T(1) : w) * below * below)};
}

/// The formula of an activation known to the compiler.
template <Activation kActivation, class T>
R2_FORMULA ValueAndSlope<T> activate(T x) {
  if constexpr (kActivation == Activation::gelu_erf) return gelu_erf(x);
  if constexpr (kActivation == Activation::gelu_tanh) return gelu_tanh(x);
  if constexpr (kActivation == Activation::relu) return relu(x);
  if constexpr (kActivation == Activation::tanh) return formula::tanh(x);
  if constexpr (kActivation == Activation::mish) return mish(x);
  if constexpr (kActivation == Activation::softplus) return softplus(x);
  return {x, T(1)};
}

}  // namespace formula

/// Calls run(constant) with the activation as a constant of the compiler.
template <class Run>
void with_activation(Activation activation, Run run) {
  switch (activation) {
#define R2_CASE(name)    \
  case Activation::name: \
    return run(std::integral_constant<Activation, Activation::name>());
    R2_CASE(identity)
    R2_CASE(gelu_erf)
    R2_CASE(gelu_tanh)
    R2_CASE(relu)
    R2_CASE(tanh)
    R2_CASE(mish)
    R2_CASE(softplus)
#undef R2_CASE
  }
}

}  // namespace r2pac
