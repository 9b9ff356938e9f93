// Every vectorised kernel, for each instruction set of this machine, against a plain loop in a wider type.
//
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>

#include "dense_cases.h"
#include "kernels/vector_kernels.h"

using namespace r2pac;

namespace {

/// The sets that may be used: those not above the current one.
std::vector<Isa> isas() {
  std::vector<Isa> found;
  for (const Isa isa : kIsas)
    if (isa <= current_isa()) found.push_back(isa);
  return found;
}

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
          CheckedSum<T> sum;
          sum.add(0.25);
          for (int i = 0; i < depth; ++i) {
            sum.add(Wide<T>(x(r, i)) * Wide<T>(weight(0, i)));
            CheckedSum<T> alone, both;
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
