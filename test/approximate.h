// The elementary functions of a GPU, as inexact as they may be.
#pragma once

#include <cmath>
#include <type_traits>

#include "kernels/pointwise.h"

namespace r2pac {

/// In place of formula::Elementary: powers and reciprocals of floats are off by 2^-22 of the result, in one
/// direction each. The PTX instruction set promises no more for ex2.approx and rcp.approx.
template <int kPower, int kReciprocal>
struct Approximate {
  static float exp_of_negative(float x) {
    return formula::exp_of_negative(x, [](float t) {
      return static_cast<float>(std::exp2(static_cast<double>(t)) * (1 + kPower * 0x1p-22));
    });
  }
  template <class T>
  static T divide(T a, T b) {
    if constexpr (std::is_same_v<T, float>)
      return formula::divide(a, b, [](float of) {
        return static_cast<float>((1 + kReciprocal * 0x1p-22) / static_cast<double>(of));
      });
    else
      return a / b;
  }
};

}  // namespace r2pac
