// The vectorised element-wise kernels, for each instruction set of this machine, against the formula in a
// wider type: activations, scaling, Adam, layer normalisation.
#include <algorithm>
#include <catch2/catch.hpp>

#include "guarded.h"
#include "kernels/vector_kernels.h"
#include "near.h"

using namespace r2pac;

namespace {

template <class T>
constexpr double kEpsilon = static_cast<double>(std::numeric_limits<T>::epsilon());

const int kLengths[] = {1, 2, 3, 31, 32, 33, 255, 257, 1009};

/// Calls check(kernels) for each instruction set that may be used.
template <class T, class Check>
void for_each_isa(Check check) {
  for (const Isa isa : kIsas) {
    if (isa > current_isa()) continue;
    INFO(isa_name(isa));
    check(vector_kernels<T>(isa));
  }
}

formula::ValueAndSlope<double> activation_of(Activation activation, double x) {
  formula::ValueAndSlope<double> result;
  with_activation(activation,
                  [&](auto constant) { result = formula::activate<decltype(constant)::value>(x); });
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("bias and activation equal the formula in double", "", float, double) {
  using T = TestType;
  for_each_isa<T>([](const VectorKernels<T>& k) {
    for (const Activation activation :
         {Activation::identity, Activation::gelu_erf, Activation::gelu_tanh, Activation::relu,
          Activation::tanh, Activation::mish, Activation::softplus})
      for (const int rows : {1, 3, 31})
        for (const int cols : kLengths) {
          Guarded<T> y = Guarded<T>::normal(rows, cols, 1, 30), slope(rows, cols, 2);
          const auto bias = Guarded<T>::normal(1, cols, 0, 31);
          for (int r = 0; r < rows; ++r)
            for (int c = 0; c < cols; ++c) y(r, c) *= T(3);  // from deep in one tail to deep in the other
          const Guarded<T> x = y;
          Guarded<T> plain = y;
          k.bias_activation(y.data(), y.stride(), rows, cols, bias.data(), activation, slope.data(),
                            slope.stride());
          k.bias_activation(plain.data(), plain.stride(), rows, cols, bias.data(), activation, nullptr, 0);
          bool right = true, same = true;
          for (int r = 0; r < rows; ++r)
            for (int c = 0; c < cols; ++c) {
              const double at = static_cast<double>(x(r, c)) + static_cast<double>(bias(0, c));
              const auto expected = activation_of(activation, at);
              // The formula's own bound (2 and 5 units, see test_formulas) plus the rounded sum's half unit
              // through slopes below 1.2.
              const double unit = kEpsilon<T> * std::max(1.0, std::abs(at));
              right &= near(static_cast<double>(y(r, c)), expected.value, 3 * unit);
              right &= near(static_cast<double>(slope(r, c)), expected.slope, 6 * unit);
              same &= near(static_cast<double>(plain(r, c)), static_cast<double>(y(r, c)), unit);
            }
          INFO(rows << " x " << cols << " activation " << static_cast<int>(activation));
          CHECK(right);
          CHECK(same);
          CHECK((y.intact() && slope.intact() && plain.intact()));
        }
  });
}

TEMPLATE_TEST_CASE("scaling multiplies each element", "", float, double) {
  using T = TestType;
  for_each_isa<T>([](const VectorKernels<T>& k) {
    for (const int n : kLengths) {
      Guarded<T> target = Guarded<T>::normal(1, n, 0, 32);
      const Guarded<T> before = target, factor = Guarded<T>::normal(1, n, 0, 33);
      k.scale(target.data(), factor.data(), static_cast<std::size_t>(n));
      bool right = true;
      for (int i = 0; i < n; ++i) right &= target(0, i) == before(0, i) * factor(0, i);
      CHECK(right);
      CHECK(target.intact());
    }
  });
}

TEMPLATE_TEST_CASE("Adam and Polyak equal the formula in double", "", float, double) {
  using T = TestType;
  for_each_isa<T>([](const VectorKernels<T>& k) {
    const AdamStep<T> step = adam_step<T>({1e-2, 0.9, 0.999, 1e-8, 0.05}, 3);
    const auto wide = [](T x) { return static_cast<double>(x); };
    const AdamStep<double> exact{wide(step.step_size), wide(step.second_correction), wide(step.beta1),
                                 wide(step.beta2),     wide(step.epsilon),           wide(step.polyak),
                                 wide(step.keep),      wide(step.gradient_scale)};
    for (const bool averaged : {true, false})
      for (const int n : kLengths) {
        Guarded<T> value = Guarded<T>::normal(1, n, 0, 34), first = Guarded<T>::normal(1, n, 0, 35),
                   second = Guarded<T>::normal(1, n, 0, 36), target = Guarded<T>::normal(1, n, 0, 37);
        for (int i = 0; i < n; ++i) second(0, i) *= second(0, i);
        const Guarded<T> gradient = Guarded<T>::normal(1, n, 0, 38), value0 = value, first0 = first,
                         second0 = second, target0 = target;
        const double squares = k.adam(value.data(), first.data(), second.data(), gradient.data(),
                                      averaged ? target.data() : nullptr, static_cast<std::size_t>(n), step);
        bool right = true;
        double sum = 0;
        for (int i = 0; i < n; ++i) {
          const double g = wide(gradient(0, i));
          double v = wide(value0(0, i)), m = wide(first0(0, i)), s = wide(second0(0, i));
          // Four roundings of each moment's terms; those of the first moment pass through the quotient, which
          // adds less than eight of its own.
          const double m_error =
              4 * kEpsilon<T> * (std::abs(exact.beta1 * m) + std::abs((1 - exact.beta1) * g));
          formula::adam_update(v, m, s, g, exact);
          const double denominator = std::sqrt(s) * exact.second_correction + exact.epsilon;
          const double v_error = kEpsilon<T> * std::abs(v) +
                                 exact.step_size / denominator * (m_error + 8 * kEpsilon<T> * std::abs(m));
          right &= near(wide(first(0, i)), m, m_error);
          right &= near(wide(second(0, i)), s, 4 * kEpsilon<T> * s);
          right &= near(wide(value(0, i)), v, v_error);
          const double moved =
              averaged ? formula::polyak_update(wide(target0(0, i)), v, exact.polyak) : wide(target0(0, i));
          right &= near(wide(target(0, i)), moved,
                        averaged ? 2 * kEpsilon<T> * (1 + std::abs(moved) + std::abs(v)) : 0);
          sum += g * g;
        }
        CHECK(right);
        CHECK(near(squares, sum, 256 * kEpsilon<T> * sum));  // blocks of 256 in T, added in double
        CHECK((value.intact() && first.intact() && second.intact() && target.intact()));
      }
  });
}

TEMPLATE_TEST_CASE("layer normalisation equals the plain loop", "", float, double) {
  using T = TestType;
  for_each_isa<T>([](const VectorKernels<T>& k) {
    for (const int rows : {1, 2, 33})
      for (const int cols : kLengths) {
        const auto x = Guarded<T>::normal(rows, cols, 0, 40), gain = Guarded<T>::normal(1, cols, 0, 41),
                   bias = Guarded<T>::normal(1, cols, 0, 42);
        Guarded<T> out(rows, cols), unit(rows, cols), inverse(rows, 1), bare(rows, cols), in_place = x;
        k.layer_norm(x.data(), rows, cols, gain.data(), bias.data(), out.data(), unit.data(), inverse.data(),
                     T(1e-5));
        k.layer_norm(x.data(), rows, cols, gain.data(), bias.data(), bare.data(), nullptr, nullptr, T(1e-5));
        k.layer_norm(in_place.data(), rows, cols, gain.data(), bias.data(), in_place.data(), nullptr, nullptr,
                     T(1e-5));
        bool right = true, same = true;
        for (int r = 0; r < rows; ++r) {
          double mean = 0, variance = 0, size = 0;
          for (int c = 0; c < cols; ++c) mean += static_cast<double>(x(r, c)) / cols;
          for (int c = 0; c < cols; ++c) {
            const double centred = static_cast<double>(x(r, c)) - mean;
            variance += centred * centred / cols;
            size = std::max(size, std::abs(static_cast<double>(x(r, c))));
          }
          const double scale = 1 / std::sqrt(variance + 1e-5);
          // The mean is off by n eps max|x|, hence a unit by that times `scale`; the deviation's relative
          // error is half of the sum of squares' n eps and of twice the centring error.
          const double relative = (cols + 4) * kEpsilon<T> * (1 + 2 * scale * size);
          right &= near(static_cast<double>(inverse(r, 0)), scale, relative * scale);
          for (int c = 0; c < cols; ++c) {
            const double expected = (static_cast<double>(x(r, c)) - mean) * scale;
            const double error = relative * (1 + std::abs(expected));
            right &= near(static_cast<double>(unit(r, c)), expected, error);
            const double shifted =
                static_cast<double>(gain(0, c)) * expected + static_cast<double>(bias(0, c));
            right &= near(static_cast<double>(out(r, c)), shifted,
                          error * std::abs(static_cast<double>(gain(0, c))) +
                              2 * kEpsilon<T> * (1 + std::abs(shifted)));
            same &= out(r, c) == bare(r, c) && out(r, c) == in_place(r, c);
          }
        }
        INFO(rows << " x " << cols);
        CHECK(right);
        CHECK(same);
        CHECK((out.intact() && unit.intact() && inverse.intact() && in_place.intact()));
      }
  });
}

TEMPLATE_TEST_CASE("gradients of layer normalisation equal the plain loop", "", float, double) {
  using T = TestType;
  for_each_isa<T>([](const VectorKernels<T>& k) {
    for (const int rows : {1, 2, 257})
      for (const int cols : kLengths) {
        const auto d = Guarded<T>::normal(rows, cols, 0, 43), unit = Guarded<T>::normal(rows, cols, 0, 44),
                   gain = Guarded<T>::normal(1, cols, 0, 45), inverse = Guarded<T>::normal(rows, 1, 0, 46);
        Guarded<T> d_x(rows, cols), d_gain(1, cols), d_bias(1, cols);
        k.layer_norm_backward(d.data(), rows, cols, gain.data(), unit.data(), inverse.data(), d_x.data(),
                              false);
        k.column_products(d.data(), unit.data(), rows, cols, d_gain.data(), d_bias.data(), false);
        const auto wide = [](T x) { return static_cast<double>(x); };
        bool right = true;
        for (int c = 0; c < cols; ++c) {
          double product = 0, sum = 0, product_size = 0, sum_size = 0;
          for (int r = 0; r < rows; ++r) {
            product += wide(d(r, c)) * wide(unit(r, c));
            product_size += std::abs(wide(d(r, c)) * wide(unit(r, c)));
            sum += wide(d(r, c));
            sum_size += std::abs(wide(d(r, c)));
          }
          right &= near(wide(d_gain(0, c)), product, rows * kEpsilon<T> * product_size);
          right &= near(wide(d_bias(0, c)), sum, rows * kEpsilon<T> * sum_size);
        }
        for (int r = 0; r < rows; ++r) {
          double mean = 0, along = 0, mean_size = 0, along_size = 0;
          for (int c = 0; c < cols; ++c) {
            const double term = wide(d(r, c)) * wide(gain(0, c));
            mean += term / cols;
            mean_size += std::abs(term) / cols;
            along += term * wide(unit(r, c)) / cols;
            along_size += std::abs(term * wide(unit(r, c))) / cols;
          }
          for (int c = 0; c < cols; ++c) {
            const double term = wide(d(r, c)) * wide(gain(0, c)), back = wide(unit(r, c)) * along;
            const double expected = (term - mean - back) * wide(inverse(r, 0));
            const double size = std::abs(term) + mean_size + std::abs(wide(unit(r, c))) * along_size;
            right &= near(wide(d_x(r, c)), expected,
                          (cols + 6) * kEpsilon<T> * size * std::abs(wide(inverse(r, 0))));
          }
        }
        INFO(rows << " x " << cols);
        CHECK(right);
        CHECK((d_x.intact() && d_gain.intact() && d_bias.intact()));
      }
  });
}
