// Products and weight gradients of an implementation of dense layers against plain loops in a wider type.
//
// A sum of n terms computed in any order with or without fused multiply-adds is within n * eps * sum |terms|
// of the exact one (Higham, section 3.1, with a factor of two to spare); the tests compute that bound.
#pragma once

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "guarded.h"
#include "kernels/dense.h"
#include "near.h"

namespace r2pac {

/// A type in which sums of products of T are exact for our purpose: its rounding is far below that of T.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;

template <class T>
constexpr double kEpsilon = static_cast<double>(std::numeric_limits<T>::epsilon());

struct Size {
  int rows, in, out;
};
/// Each dimension by itself through the awkward sizes, then some together; 1009 is prime.
inline std::vector<Size> sizes() {
  std::vector<Size> all = {{1, 1, 1},     {257, 255, 257}, {64, 1009, 2},  {1009, 2, 3},   {5, 257, 1},
                           {129, 31, 65}, {1, 255, 33},    {1031, 9, 257}, {2053, 3, 129}, {2053, 5, 1}};
  for (const int n : {1, 2, 3, 31, 32, 33, 255, 257, 1009})
    for (const Size s : {Size{n, 33, 31}, Size{33, n, 31}, Size{32, 33, n}, Size{n, 31, 1}}) all.push_back(s);
  return all;
}

/// A sum that knows how far a rounded one may be from it: `unit` of its magnitude for each term.
template <class T>
struct CheckedSum {
  double unit = kEpsilon<T>;
  Wide<T> value = 0;
  double magnitude = 0;
  int terms = 0;
  void add(Wide<T> term) {
    value += term;
    magnitude += std::abs(static_cast<double>(term));
    ++terms;
  }
  bool holds(T actual) const {
    return near(static_cast<double>(static_cast<Wide<T>>(actual) - value), 0, terms * unit * magnitude);
  }
};

template <class T, class Operand>
void check_multiply(const Dense<T>& dense, Operand operand, double unit, Size s, bool transposed,
                    bool accumulate) {
  const auto x = Guarded<T>::normal(s.rows, s.in, 3, 1);
  const auto weight =
      transposed ? Guarded<T>::normal(s.out, s.in, 2, 2) : Guarded<T>::normal(s.in, s.out, 2, 2);
  const auto before = Guarded<T>::normal(s.rows, s.out, 5, 3);
  Guarded<T> y = accumulate ? before : Guarded<T>(s.rows, s.out, 5);
  Guarded<T> packed(1, static_cast<int>(dense.packed_size(s.in, s.out)));
  dense.pack(weight.data(), s.in, s.out, static_cast<int>(weight.stride()), transposed, packed.data());
  dense.multiply(x.data(), x.stride(), s.rows, s.in, packed.data(), s.out, y.data(), y.stride(), accumulate);
  bool right = true;
  for (int r = 0; r < s.rows; ++r)
    for (int c = 0; c < s.out; ++c) {
      CheckedSum<T> sum{unit};
      if (accumulate) sum.add(before(r, c));
      for (int k = 0; k < s.in; ++k)
        sum.add(Wide<T>(operand(x(r, k))) * Wide<T>(operand(transposed ? weight(c, k) : weight(k, c))));
      right &= sum.holds(y(r, c));
    }
  INFO(dense.name() << " multiply " << s.rows << " x " << s.in << " x " << s.out << " transposed "
                    << transposed << " accumulate " << accumulate);
  CHECK(right);
  CHECK(y.intact());
  CHECK(packed.intact());
}

template <class T, class Operand>
void check_weight_gradient(const Dense<T>& dense, Operand operand, double unit, Size s, bool accumulate) {
  const auto x = Guarded<T>::normal(s.rows, s.in, 3, 4), d_y = Guarded<T>::normal(s.rows, s.out, 1, 5);
  const auto weight = Guarded<T>::normal(s.in, s.out, 0, 6), bias0 = Guarded<T>::normal(1, s.out, 0, 7);
  Guarded<T> d_weight = accumulate ? weight : Guarded<T>(s.in, s.out),
             d_bias = accumulate ? bias0 : Guarded<T>(1, s.out),
             scratch(1, static_cast<int>(dense.weight_gradient_scratch(s.rows, s.in, s.out)));
  dense.weight_gradient(x.data(), x.stride(), d_y.data(), d_y.stride(), s.rows, s.in, s.out, d_weight.data(),
                        d_bias.data(), scratch.data(), accumulate);
  bool right = true;
  for (int j = 0; j < s.out; ++j) {
    CheckedSum<T> bias{unit};
    if (accumulate) bias.add(bias0(0, j));
    for (int r = 0; r < s.rows; ++r) bias.add(d_y(r, j));
    right &= bias.holds(d_bias(0, j));
    for (int i = 0; i < s.in; ++i) {
      CheckedSum<T> sum{unit};
      if (accumulate) sum.add(weight(i, j));
      for (int r = 0; r < s.rows; ++r) sum.add(Wide<T>(operand(x(r, i))) * Wide<T>(operand(d_y(r, j))));
      right &= sum.holds(d_weight(i, j));
    }
  }
  INFO(dense.name() << " weight gradient " << s.rows << " x " << s.in << " x " << s.out << " accumulate "
                    << accumulate);
  CHECK(right);
  CHECK((d_weight.intact() && d_bias.intact() && scratch.intact()));
}

/// operand(x): what the products make of an operand; unit: as of CheckedSum.
template <class T, class Operand>
void check_dense(const Dense<T>& dense, Operand operand, double unit) {
  for (const Size s : sizes()) {
    for (const bool transposed : {false, true})
      for (const bool accumulate : {false, true})
        check_multiply(dense, operand, unit, s, transposed, accumulate);
    for (const bool accumulate : {false, true}) check_weight_gradient(dense, operand, unit, s, accumulate);
  }
}
template <class T>
void check_dense(const Dense<T>& dense) {
  check_dense(
      dense, [](T x) { return x; }, kEpsilon<T>);
}

}  // namespace r2pac
