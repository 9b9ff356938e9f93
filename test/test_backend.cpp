// Every vectorised kernel, for each instruction set of this machine, against a plain loop in a wider type.
//
// A sum of n terms computed in any order with or without fused multiply-adds is within n * eps * sum |terms|
// of the exact one (Higham, section 3.1, with a factor of two to spare); the tests compute that bound.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

#include "guarded.h"
#include "kernels/dense.h"
#include "kernels/vector_kernels.h"
#include "near.h"

using namespace r2pac;

namespace {

/// A type in which sums of products of T are exact for our purpose: its rounding is far below that of T.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, float>, double, long double>;

template <class T>
constexpr double kEpsilon = static_cast<double>(std::numeric_limits<T>::epsilon());

/// The sets that may be used: those not above the current one.
std::vector<Isa> isas() {
  std::vector<Isa> found;
  for (const Isa isa : kIsas)
    if (isa <= current_isa()) found.push_back(isa);
  return found;
}

struct Size {
  int rows, in, out;
};
/// Each dimension by itself through the awkward sizes, then some together; 1009 is prime.
std::vector<Size> sizes() {
  std::vector<Size> all = {{1, 1, 1},     {257, 255, 257}, {64, 1009, 2},  {1009, 2, 3},   {5, 257, 1},
                           {129, 31, 65}, {1, 255, 33},    {1031, 9, 257}, {2053, 3, 129}, {2053, 5, 1}};
  for (const int n : {1, 2, 3, 31, 32, 33, 255, 257, 1009})
    for (const Size s : {Size{n, 33, 31}, Size{33, n, 31}, Size{32, 33, n}, Size{n, 31, 1}}) all.push_back(s);
  return all;
}

/// A sum that knows how far a rounded one may be from it.
template <class T>
struct Sum {
  Wide<T> value = 0;
  double magnitude = 0;
  int terms = 0;
  void add(Wide<T> term) {
    value += term;
    magnitude += std::abs(static_cast<double>(term));
    ++terms;
  }
  bool holds(T actual) const {
    return near(static_cast<double>(static_cast<Wide<T>>(actual) - value), 0,
                terms * kEpsilon<T> * magnitude);
  }
};

/// The dense layer on one instruction set.
template <class T>
class IsaDense final : public Dense<T> {
 public:
  explicit IsaDense(Isa isa) : isa_(isa), k_(vector_kernels<T>(isa)) {}
  std::string name() const override { return isa_name(isa_); }
  std::size_t packed_size(int depth, int cols) const override {
    return static_cast<std::size_t>(depth) *
           static_cast<std::size_t>((cols + k_.panel - 1) / k_.panel * k_.panel);
  }
  void pack(const T* weight, int depth, int cols, int stride, bool transposed, T* packed) const override {
    k_.pack(weight, depth, cols, stride, transposed, packed);
  }
  void multiply(const T* x, std::size_t xs, int rows, int depth, const T* packed, int cols, T* y,
                std::size_t ys, bool accumulate) const override {
    k_.multiply(x, xs, rows, depth, packed, cols, y, ys, accumulate);
  }
  void weight_gradient(const T* x, std::size_t xs, const T* d_y, std::size_t ys, int rows, int in, int out,
                       T* d_weight, T* d_bias, T* scratch, bool accumulate) const override {
    k_.weight_gradient(x, xs, d_y, ys, rows, in, out, d_weight, d_bias, scratch, accumulate);
  }
  std::size_t weight_gradient_scratch(int rows, int in, int out) const override {
    return k_.weight_gradient_scratch(rows, in, out);
  }

 private:
  Isa isa_;
  const VectorKernels<T>& k_;
};

template <class T>
void check_multiply(const Dense<T>& dense, Size s, bool transposed, bool accumulate) {
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
      Sum<T> sum;
      if (accumulate) sum.add(before(r, c));
      for (int k = 0; k < s.in; ++k)
        sum.add(Wide<T>(x(r, k)) * Wide<T>(transposed ? weight(c, k) : weight(k, c)));
      right &= sum.holds(y(r, c));
    }
  INFO(dense.name() << " multiply " << s.rows << " x " << s.in << " x " << s.out << " transposed "
                    << transposed << " accumulate " << accumulate);
  CHECK(right);
  CHECK(y.intact());
  CHECK(packed.intact());
}

template <class T>
void check_weight_gradient(const Dense<T>& dense, Size s, bool accumulate) {
  const auto x = Guarded<T>::normal(s.rows, s.in, 3, 4), d_y = Guarded<T>::normal(s.rows, s.out, 1, 5);
  const auto weight = Guarded<T>::normal(s.in, s.out, 0, 6), bias0 = Guarded<T>::normal(1, s.out, 0, 7);
  Guarded<T> d_weight = accumulate ? weight : Guarded<T>(s.in, s.out),
             d_bias = accumulate ? bias0 : Guarded<T>(1, s.out),
             scratch(1, static_cast<int>(dense.weight_gradient_scratch(s.rows, s.in, s.out)));
  dense.weight_gradient(x.data(), x.stride(), d_y.data(), d_y.stride(), s.rows, s.in, s.out, d_weight.data(),
                        d_bias.data(), scratch.data(), accumulate);
  bool right = true;
  for (int j = 0; j < s.out; ++j) {
    Sum<T> bias;
    if (accumulate) bias.add(bias0(0, j));
    for (int r = 0; r < s.rows; ++r) bias.add(d_y(r, j));
    right &= bias.holds(d_bias(0, j));
    for (int i = 0; i < s.in; ++i) {
      Sum<T> sum;
      if (accumulate) sum.add(weight(i, j));
      for (int r = 0; r < s.rows; ++r) sum.add(Wide<T>(x(r, i)) * Wide<T>(d_y(r, j)));
      right &= sum.holds(d_weight(i, j));
    }
  }
  INFO(dense.name() << " weight gradient " << s.rows << " x " << s.in << " x " << s.out << " accumulate "
                    << accumulate);
  CHECK(right);
  CHECK((d_weight.intact() && d_bias.intact() && scratch.intact()));
}

template <class T>
void check_dense(const Dense<T>& dense) {
  for (const Size s : sizes()) {
    for (const bool transposed : {false, true})
      for (const bool accumulate : {false, true}) check_multiply(dense, s, transposed, accumulate);
    for (const bool accumulate : {false, true}) check_weight_gradient(dense, s, accumulate);
  }
}

const int kLengths[] = {1, 2, 3, 31, 32, 33, 255, 257, 1009};

}  // namespace

TEMPLATE_TEST_CASE("products and weight gradients equal the plain loop", "", float, double) {
  for (const Isa isa : isas()) check_dense(IsaDense<TestType>(isa));
}

TEST_CASE("oneDNN computes the same layers") { check_dense(onednn_dense()); }

TEMPLATE_TEST_CASE("a packed weight is strips of columns padded with zeros", "", float, double) {
  for (const Isa isa : isas()) {
    const auto& k = vector_kernels<TestType>(isa);
    for (const bool transposed : {false, true})
      for (const Size s : {Size{1, 1, 1}, Size{1, 33, 31}, Size{1, 3, 257}}) {
        const auto weight = transposed ? Guarded<TestType>::normal(s.out, s.in, 2, 6)
                                       : Guarded<TestType>::normal(s.in, s.out, 2, 6);
        const int padded = (s.out + k.panel - 1) / k.panel * k.panel;
        Guarded<TestType> packed(1, s.in * padded);
        k.pack(weight.data(), s.in, s.out, static_cast<int>(weight.stride()), transposed, packed.data());
        bool right = true;
        for (int depth = 0; depth < s.in; ++depth)
          for (int c = 0; c < padded; ++c) {
            const TestType expected = c >= s.out   ? TestType(0)
                                      : transposed ? weight(c, depth)
                                                   : weight(depth, c);
            right &= packed(0, c / k.panel * k.panel * s.in + depth * k.panel + c % k.panel) == expected;
          }
        CHECK(right);
        CHECK(packed.intact());
      }
  }
}

TEMPLATE_TEST_CASE("heads of one output and their input gradients equal the plain loop", "", float, double) {
  using T = TestType;
  for (const Isa isa : isas()) {
    const auto& k = vector_kernels<T>(isa);
    for (const int rows : {1, 3, 33})
      for (const int depth : kLengths) {
        const auto x = Guarded<T>::normal(rows, depth, 1, 7), weight = Guarded<T>::normal(1, depth, 0, 8),
                   d_y = Guarded<T>::normal(rows, 1, 2, 9), before = Guarded<T>::normal(rows, depth, 3, 10);
        Guarded<T> y(rows, 1, 2), written(rows, depth, 3), added = before;
        k.dot(x.data(), x.stride(), rows, depth, weight.data(), T(0.25), y.data(), y.stride());
        k.outer(d_y.data(), d_y.stride(), rows, depth, weight.data(), written.data(), written.stride(),
                false);
        k.outer(d_y.data(), d_y.stride(), rows, depth, weight.data(), added.data(), added.stride(), true);
        bool right = true;
        for (int r = 0; r < rows; ++r) {
          Sum<T> sum;
          sum.add(0.25);
          for (int i = 0; i < depth; ++i) {
            sum.add(Wide<T>(x(r, i)) * Wide<T>(weight(0, i)));
            Sum<T> alone, both;
            alone.add(Wide<T>(d_y(r, 0)) * Wide<T>(weight(0, i)));
            both = alone;
            both.add(before(r, i));
            right &= alone.holds(written(r, i)) && both.holds(added(r, i));
          }
          right &= sum.holds(y(r, 0));
        }
        INFO(isa_name(isa) << " " << rows << " x " << depth);
        CHECK(right);
        CHECK((y.intact() && written.intact() && added.intact()));
      }
  }
}

TEMPLATE_TEST_CASE("a row's result does not depend on the rows beside it", "", float, double) {
  using T = TestType;
  constexpr int all = 70, in = 37, out = 45;
  for (const Isa isa : isas()) {
    const auto& k = vector_kernels<T>(isa);
    const auto x = Guarded<T>::normal(all, in, 0, 20), w = Guarded<T>::normal(in, out, 0, 21),
               b = Guarded<T>::normal(1, out, 0, 22);
    std::vector<T> panels(IsaDense<T>(isa).packed_size(in, out));
    k.pack(w.data(), in, out, out, false, panels.data());
    // Rows first .. first + rows through all row-wise kernels, at a place of their own in memory.
    const auto results = [&](int first, int rows) {
      Guarded<T> y(rows, out), slope(rows, out), norm(rows, out), unit(rows, out), inverse(rows, 1),
          head(rows, 1), d_norm(rows, out), d_x(rows, in), d_head(rows, out);
      k.multiply(x.data() + static_cast<std::size_t>(first) * x.stride(), x.stride(), rows, in, panels.data(),
                 out, y.data(), y.stride(), false);
      k.bias_activation(y.data(), y.stride(), rows, out, b.data(), Activation::gelu_erf, slope.data(),
                        slope.stride());
      k.layer_norm(y.data(), rows, out, b.data(), b.data(), norm.data(), unit.data(), inverse.data(),
                   T(1e-5));
      k.dot(norm.data(), norm.stride(), rows, out, b.data(), T(1), head.data(), 1);
      k.outer(head.data(), 1, rows, out, b.data(), d_head.data(), d_head.stride(), false);
      k.layer_norm_backward(d_head.data(), rows, out, b.data(), unit.data(), inverse.data(), d_norm.data(),
                            false);
      std::vector<std::vector<T>> each;
      for (int r = 0; r < rows; ++r) {
        std::vector<T>& row = each.emplace_back();
        for (const Guarded<T>* m : {&y, &slope, &norm, &unit, &inverse, &head, &d_head, &d_norm})
          for (int c = 0; c < m->cols(); ++c) row.push_back((*m)(r, c));
      }
      return each;
    };
    const auto together = results(0, all);
    for (int rows = 1; rows <= all; ++rows)
      for (const int first : {0, (all - rows) / 2, all - rows}) {
        const auto some = results(first, rows);
        bool same = true;
        for (int r = 0; r < rows; ++r) {
          const auto &a = some[static_cast<std::size_t>(r)],
                     &c = together[static_cast<std::size_t>(first + r)];
          same &= std::memcmp(a.data(), c.data(), a.size() * sizeof(T)) == 0;
        }
        INFO(isa_name(isa) << ": rows " << first << " .. " << first + rows);
        REQUIRE(same);
      }
  }
}
