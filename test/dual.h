// Forward-mode derivatives: a number that carries its derivative with respect to one input.
#pragma once

#include <cmath>

/// value + dot * e with e * e = 0. Comparisons look at the value.
struct Dual {
  double value = 0, dot = 0;
  constexpr Dual() = default;
  constexpr explicit Dual(double v, double d = 0) : value(v), dot(d) {}
};

inline Dual operator+(Dual a, Dual b) { return Dual(a.value + b.value, a.dot + b.dot); }
inline Dual operator-(Dual a, Dual b) { return Dual(a.value - b.value, a.dot - b.dot); }
inline Dual operator-(Dual a) { return Dual(-a.value, -a.dot); }
inline Dual operator*(Dual a, Dual b) { return Dual(a.value * b.value, a.dot * b.value + a.value * b.dot); }
inline Dual operator/(Dual a, Dual b) {
  return Dual(a.value / b.value, (a.dot * b.value - a.value * b.dot) / (b.value * b.value));
}
inline bool operator<(Dual a, Dual b) { return a.value < b.value; }
inline bool operator>(Dual a, Dual b) { return a.value > b.value; }
inline bool operator==(Dual a, Dual b) { return a.value == b.value; }

inline Dual exp(Dual a) { return Dual(std::exp(a.value), std::exp(a.value) * a.dot); }
inline Dual log1p(Dual a) { return Dual(std::log1p(a.value), a.dot / (1 + a.value)); }
inline Dual erfc(Dual a) {
  return Dual(std::erfc(a.value), -1.12837916709551257390 * std::exp(-a.value * a.value) * a.dot);
}
inline Dual tanh(Dual a) {
  const double t = std::tanh(a.value);
  return Dual(t, (1 - t) * (1 + t) * a.dot);
}
