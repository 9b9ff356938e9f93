// Comparison in which NaN fails.
#pragma once

#include <cmath>

/// |actual - expected| <= tolerance; false if either is NaN.
inline bool near(double actual, double expected, double tolerance) {
  return std::abs(actual - expected) <= tolerance;
}
