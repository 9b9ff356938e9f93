// Each formula by itself: derivatives against dual numbers, values on both sides of every kink, limits.
#include <catch2/catch.hpp>
#include <limits>
#include <type_traits>

#include "approximate.h"
#include "dual.h"
#include "engine/losses.h"
#include "kernels/budget.h"
#include "kernels/critic.h"
#include "kernels/flow.h"
#include "kernels/optimizer.h"
#include "kernels/pointwise.h"
#include "near.h"
#include "on_cpu.h"

using namespace r2pac;

namespace {

constexpr double kEpsilonFloat = 0x1p-23, kInfinity = std::numeric_limits<double>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

double exact_gelu(double x) { return 0.5 * x * std::erfc(-x * 0.70710678118654752440); }
double exact_gelu_slope(double x) {
  return 0.5 * std::erfc(-x * 0.70710678118654752440) + x * 0.39894228040143267794 * std::exp(-0.5 * x * x);
}

/// Calls f(x) on a grid of [low, high] whose step is no dyadic fraction, so that the kink at 0 is not met.
template <class F>
void sweep(double low, double high, int points, F f) {
  for (int i = 0; i <= points; ++i) f(low + (high - low) * (i + 0.37) / (points + 1));
}

}  // namespace

TEST_CASE("the expectile's gradient is its derivative on both sides of the kink") {
  for (const Side side : {Side::upper, Side::lower})
    for (const double tau : {0.5, 0.7, 0.9, 0.99})
      sweep(-3, 3, 500, [&](double diff) {
        const Dual loss = formula::expectile_loss(Dual(diff, 1), Dual(tau), side);
        const double gradient = formula::expectile_loss_gradient(diff, tau, side);
        REQUIRE(near(gradient, loss.dot, 1e-12 * std::abs(loss.dot)));
      });
}

TEST_CASE("the expectile leans to the side it is told to") {
  CHECK(formula::expectile_loss(2.0, 0.9, Side::upper) == 0.9 * 4);
  CHECK(formula::expectile_loss(-2.0, 0.9, Side::upper) == (1 - 0.9) * 4);
  CHECK(formula::expectile_loss(2.0, 0.9, Side::lower) == (1 - 0.9) * 4);
  CHECK(formula::expectile_loss(-2.0, 0.9, Side::lower) == 0.9 * 4);
  for (const Side side : {Side::upper, Side::lower}) {
    CHECK(formula::expectile_loss(0.0, 0.9, side) == 0);
    CHECK(formula::expectile_loss_gradient(0.0, 0.9, side) == 0);
    CHECK(formula::expectile_loss(3.0, 0.5, side) == formula::expectile_loss(-3.0, 0.5, side));
    CHECK(std::isnan(formula::expectile_loss(kNan, 0.9f, side)));
    // Continuous at the kink: the smallest steps to either side weigh differently but vanish together.
    CHECK(formula::expectile_loss_gradient(1e-300, 0.9, side) > 0);
    CHECK(formula::expectile_loss_gradient(-1e-300, 0.9, side) < 0);
  }
}

TEST_CASE("settings reach a double computation with all their digits") {
  // 0.9f as a double differs from 0.9 by 2.4e-8; an honest double computation differs by a few 1e-16.
  Tape<double> tape{on_cpu()};
  double prediction = 1, high = 4, low = -1;
  const auto scalar = [&](const char* name, double* data) { return tape.external(name, {1, 1, 1}, data); };
  const auto loss = [&](const char* name, double* target) {
    return expectile_loss(tape, name, scalar("prediction", &prediction), scalar("target", target), 0.9,
                          Side::upper);
  };
  const Tensor<double> above = loss("above", &high), below = loss("below", &low);
  tape.backward();
  Program program = tape.finish();
  program.run();
  CHECK(near(*above->whole().data, 0.9 * 9, 1e-14));
  CHECK(near(*below->whole().data, 0.1 * 4, 1e-14));

  const AdamStep<double> adam = adam_step<double>({}, 1);
  CHECK(adam.beta1 == 0.9);
  CHECK(adam.beta2 == 0.999);
  CHECK(adam.epsilon == 1e-8);
  CHECK(adam.polyak == 0.005);
  // Slopes and values of the double activations: no coefficient of the float polynomial may be in them.
  CHECK(near(formula::gelu_erf(1.0).value, 0.84134474606854294859, 1e-15));
  CHECK(near(formula::gelu_erf(1.0).slope, 1.08331547058768628, 1e-15));
  CHECK(near(formula::gelu_tanh(1.0).value, 0.84119199060827676, 1e-15));
}

TEST_CASE("activation slopes are the derivatives of the values") {
  sweep(-12, 12, 4000, [](double x) {
    const Dual erf_value = formula::gelu_erf(Dual(x, 1)).value,
               tanh_value = formula::gelu_tanh(Dual(x, 1)).value;
    // The slope is a sum of two terms that cancel near -0.75: relative to the larger of them.
    const double terms = 0.5 * std::erfc(-x / std::sqrt(2.0)) + std::abs(x) * 0.4 * std::exp(-0.5 * x * x);
    REQUIRE(near(formula::gelu_erf(x).slope, erf_value.dot, 1e-12 * terms));
    // 1 + tanh u cancels for negative u, so an error of 1e-16 times x du <= 200 is absolute.
    REQUIRE(
        near(formula::gelu_tanh(x).slope, tanh_value.dot, 1e-12 * std::max(1.0, std::abs(tanh_value.dot))));
  });
}

/// The greatest errors of the float GELUs with the elementary functions E on [-12, 12], in units of eps *
/// max(1, |x|).
struct GeluErrors {
  double value = 0, slope = 0, tanh_value = 0, tanh_slope = 0;
};
template <class E>
GeluErrors gelu_errors() {
  GeluErrors worst;
  sweep(-12, 12, 400000, [&](double at) {
    const float x = static_cast<float>(at);
    const auto exact = static_cast<double>(x);
    const double unit = kEpsilonFloat * std::max(1.0, std::abs(exact));
    const auto erf_form = formula::gelu_erf<float, E>(x), tanh_form = formula::gelu_tanh<float, E>(x);
    const auto tanh_exact = formula::gelu_tanh(exact);
    const auto error = [&](float actual, double expected) {
      return std::abs(static_cast<double>(actual) - expected) / unit;
    };
    worst.value = std::max(worst.value, error(erf_form.value, exact_gelu(exact)));
    worst.slope = std::max(worst.slope, error(erf_form.slope, exact_gelu_slope(exact)));
    worst.tanh_value = std::max(worst.tanh_value, error(tanh_form.value, tanh_exact.value));
    worst.tanh_slope = std::max(worst.tanh_slope, error(tanh_form.slope, tanh_exact.slope));
  });
  return worst;
}

TEST_CASE("float activations are those of double within a few units of the last place") {
  const auto [worst_value, worst_slope, worst_tanh, worst_tanh_slope] = gelu_errors<formula::Elementary>();
  // In units of eps * max(1, |x|). The distribution function is 1/2 + (1/2 - tail): two roundings of half a
  // unit each, 3e-7 of the tail from the exponential, half a unit for the product with x. The slope has the
  // density's error on top, the slope of the tanh form also that of x du, which exceeds x threefold.
  INFO(worst_value << " " << worst_slope << " " << worst_tanh << " " << worst_tanh_slope);
  CHECK(worst_value <= 1.5);
  CHECK(worst_slope <= 2.5);
  CHECK(worst_tanh <= 2);
  CHECK(worst_tanh_slope <= 5);
}

TEST_CASE("float activations with a GPU's elementary functions err little more") {
  const auto check = [](const GeluErrors& worst) {
    INFO(worst.value << " " << worst.slope << " " << worst.tanh_value << " " << worst.tanh_slope);
    // As above, and 2^-22 of the tail, which is 1/2 at most, from the power: a unit of the slope.
    CHECK(worst.value <= 1.5);
    CHECK(worst.slope <= 3.5);
    CHECK(worst.tanh_value <= 2);
    CHECK(worst.tanh_slope <= 5);
  };
  check(gelu_errors<Approximate<1, 1>>());
  check(gelu_errors<Approximate<1, -1>>());
  check(gelu_errors<Approximate<-1, 1>>());
  check(gelu_errors<Approximate<-1, -1>>());
  for (const auto gelu : {+[](float x) { return formula::gelu_erf<float, Approximate<1, 1>>(x); },
                          +[](float x) { return formula::gelu_tanh<float, Approximate<1, 1>>(x); }}) {
    for (const float large : {15.0f, 1e3f, 1e9f, 1e19f, static_cast<float>(kInfinity)}) {
      CHECK(gelu(large).value == large);
      CHECK_FALSE(gelu(-large).value > 0);
    }
    CHECK(std::isnan(gelu(kNan).value));
    CHECK(std::isnan(gelu(kNan).slope));
  }
}

TEST_CASE("a reciprocal that is off by 2^-22 gives a quotient to the last place") {
  double worst = 0;
  for (const int direction : {-1, 1})
    sweep(1, 1000, 100000, [&](double at) {
      const float b = static_cast<float>(at);
      const auto reciprocal = [&](float of) {
        return static_cast<float>((1 + direction * 0x1p-22) / static_cast<double>(of));
      };
      const double exact = 1 / static_cast<double>(b);
      worst =
          std::max(worst, std::abs(static_cast<double>(formula::divide(1.0f, b, reciprocal)) / exact - 1));
    });
  CHECK(worst <= 0x1p-23);
  const auto exact = [](float of) { return 1 / of; };
  CHECK(formula::divide(1.0f, static_cast<float>(kInfinity), exact) <= 0x1p-126f);
  CHECK(std::isnan(formula::divide(1.0f, kNan, exact)));
}

TEST_CASE("an exponential by powers of two has the error of the power and 1e-7") {
  double worst = 0;
  sweep(-87, 0, 400000, [&](double at) {
    const float x = static_cast<float>(at);
    const auto exact_power = [](float t) { return static_cast<float>(std::exp2(static_cast<double>(t))); };
    const double expected = std::exp(static_cast<double>(x));
    worst = std::max(worst,
                     std::abs(static_cast<double>(formula::exp_of_negative(x, exact_power)) / expected - 1));
  });
  CHECK(worst < 0x1p-24 + 1e-7);
  const auto power = [](float t) { return std::exp2(t); };
  CHECK(formula::exp_of_negative(0.0f, power) == 1);
  CHECK(std::isnan(formula::exp_of_negative(kNan, power)));
  for (const float x : {-87.5f, -100.0f, -1e30f, -std::numeric_limits<float>::infinity()}) {
    CHECK(formula::exp_of_negative(x, power) >= 0);
    CHECK(formula::exp_of_negative(x, power) < 2e-38f);
  }
}

TEST_CASE("activations at special values") {
  for (const auto gelu :
       {+[](float x) { return formula::gelu_erf(x); }, +[](float x) { return formula::gelu_tanh(x); }}) {
    CHECK(gelu(0.0f).value == 0);
    CHECK(gelu(-0.0f).value == 0);
    CHECK(std::signbit(gelu(-0.0f).value));
    CHECK(near(gelu(0.0f).slope, 0.5, kEpsilonFloat));
    for (const float tiny : {1e-45f, 1e-38f, 1e-20f}) {
      CHECK(
          near(gelu(tiny).value, 0.5 * static_cast<double>(tiny), 1.5e-45));  // a subnormal's half may round
      CHECK(near(gelu(-tiny).value, -0.5 * static_cast<double>(tiny), 1.5e-45));
    }
    for (const float large : {15.0f, 1e3f, 1e9f, 1e19f}) {
      CHECK(gelu(large).value == large);
      CHECK(gelu(large).slope == 1);
      CHECK(near(gelu(-large).value, 0, 0));
      CHECK(near(gelu(-large).slope, 0, 1e-18));
    }
    // What is not finite or not a number must not come out as if nothing had happened.
    CHECK(std::isnan(gelu(kNan).value));
    CHECK(std::isnan(gelu(kNan).slope));
    CHECK(gelu(static_cast<float>(kInfinity)).value == static_cast<float>(kInfinity));
    CHECK_FALSE(gelu(-static_cast<float>(kInfinity)).value > 0);
  }
}

TEST_CASE("exp_of_negative keeps its bound and ends at the smallest normal numbers") {
  double worst = 0;
  sweep(-87, 0, 400000, [&](double at) {
    const float x = static_cast<float>(at);
    const double expected = std::exp(static_cast<double>(x));
    worst = std::max(worst, std::abs(static_cast<double>(formula::exp_of_negative(x)) / expected - 1));
  });
  CHECK(worst < 3e-7);
  CHECK(formula::exp_of_negative(0.0f) == 1);
  CHECK(formula::exp_of_negative(-0.0f) == 1);
  for (const float x : {-87.5f, -100.0f, -1e30f, -std::numeric_limits<float>::infinity()}) {
    CHECK(formula::exp_of_negative(x) >= 0);
    CHECK(formula::exp_of_negative(x) < 2e-38f);
  }
}

TEST_CASE("only a bootstrapped state above the threshold leaves the region") {
  CHECK(formula::leaves_region(1.0, 0.5000001, 0.5));
  CHECK_FALSE(formula::leaves_region(1.0, 0.5, 0.5));  // a tie is safe
  CHECK_FALSE(formula::leaves_region(1.0, 0.4, 0.5));
  CHECK_FALSE(formula::leaves_region(0.0, 9.0, 0.5));  // nothing follows a terminal
  CHECK(formula::leaves_region(1.0, -0.4, -0.5));
}

TEST_CASE("the three readings of the penalty") {
  const auto target = [](PenaltyReading reading, double mask, bool unsafe) {
    const TargetConstants<double> constants{0.75, 0.5625, 3, reading, {-20, 20}, {0, 9}};
    return formula::reward_target(2.0, mask, 8.0, unsafe, constants);
  };
  for (const auto reading : {PenaltyReading::absorbing, PenaltyReading::direct, PenaltyReading::none}) {
    CHECK(target(reading, 1, false) == 2 + 0.5625 * 8);
    CHECK(target(reading, 0, false) == 2);
  }
  CHECK(target(PenaltyReading::absorbing, 1, true) == -3 / 0.25);
  CHECK(target(PenaltyReading::direct, 1, true) == -3);
  CHECK(target(PenaltyReading::none, 1, true) == 2 + 0.5625 * 8);
  const TargetConstants<double> constants{0.75, 0.5625, 3, PenaltyReading::absorbing, {-20, 20}, {0, 9}};
  CHECK(formula::cost_target(2.0, 1.0, 8.0, constants) == 2 + 0.5625 * 8);
  CHECK(formula::cost_target(2.0, 0.0, 8.0, constants) == 2);
  // What no sum of the data's steps can be is not bootstrapped from.
  CHECK(formula::cost_target(2.0, 1.0, 10.0, constants) == 2 + 0.5625 * 9);
  CHECK(formula::cost_target(2.0, 1.0, -0.5, constants) == 2);
  CHECK(formula::reward_target(2.0, 1.0, 21.0, false, constants) == 2 + 0.5625 * 20);
  CHECK(formula::reward_target(2.0, 1.0, -21.0, false, constants) == 2 - 0.5625 * 20);
  CHECK(std::isnan(formula::cost_target(2.0, 1.0, std::nan(""), constants)));
}

TEST_CASE("a label asks for reward inside the region and for less cost outside") {
  const auto label = [](double q_reward, double v_reward, double q_cost, double v_cost) {
    return formula::optimality_label(q_reward, v_reward, q_cost, v_cost, 1.0);
  };
  CHECK(label(5, 5, 9, 1) == 1);  // at the threshold: safe; an advantage of zero is good
  CHECK(label(std::nextafter(5, 0), 5, 0, 1) == 0);
  CHECK(label(6, 5, 9, 0.5) == 1);    // in the region cost does not matter
  CHECK(label(0, 5, 1.5, 1.5) == 1);  // outside it: reward does not, equality is good
  CHECK(label(9, 5, std::nextafter(1.5, 2), 1.5) == 0);
  CHECK(label(9, 5, 1.4, 1.5) == 1);
  CHECK(label(9, 5, 1.4, static_cast<double>(kNan)) == 0);
}

TEST_CASE("feasibility over a chunk is Eq. 43 once for each step, and one maximum of two numbers") {
  const TargetConstants<double> c{0.9, 0, 1, PenaltyReading::none, {}, {-1, 25}};
  const double free = 0, costly = 0.1;
  for (const double next : {-1.0, -0.3, 0.0, 4.0, 25.0}) {  // one step: (1 - gamma) h + gamma max(h, V)
    CHECK(near(formula::feasibility_target(&free, 1, 1.0, next, c), -0.1 + 0.9 * next, 1e-15));
    CHECK(near(formula::feasibility_target(&costly, 1, 1.0, next, c), 25, 1e-15));
    CHECK(near(formula::feasibility_target(&free, 1, 0.0, next, c), -1, 1e-15));
    CHECK(near(formula::feasibility_target(&costly, 1, 0.0, next, c), 25, 1e-15));
  }
  CHECK(near(formula::feasibility_target(&free, 1, 1.0, 1e6, c), -0.1 + 0.9 * 25, 1e-15));  // BOUNDS
  // Such steps y -> max(h, (1 - gamma) h + gamma y) follow each other as max(floor, sum + gamma^h y).
  for (int pattern = 0; pattern < 32; ++pattern)
    for (const double next : {-1.0, 0.5, 11.0}) {
      double costs[5], floor = -1e300, sum = 0;
      for (int k = 4; k >= 0; --k) {
        costs[k] = pattern >> k & 1 ? 3.5 : 0;
        const double now = costs[k] > 0 ? 25 : -1;
        floor = std::max(now, 0.1 * now + 0.9 * floor);
        sum = 0.1 * now + 0.9 * sum;
      }
      CHECK(near(formula::feasibility_target(costs, 5, 1.0, next, c),
                 std::max(floor, sum + std::pow(0.9, 5) * next), 1e-14));
      CHECK(near(formula::feasibility_target(costs, 5, 0.0, next, c), std::max(floor, -1.0), 1e-14));
    }
}

TEST_CASE("a label by reward alone is that of the region wherever a state is safe") {
  for (const double q_reward : {4.0, 5.0, 6.0})
    for (const double q_cost : {0.5, 2.0, 3.0})
      for (const double v_cost : {0.5, 1.0, 2.0}) {
        const double by_reward =
            formula::optimality_label(q_reward, 5.0, q_cost, v_cost, 1.0, LabelRule::reward);
        CHECK(by_reward == (q_reward >= 5 ? 1 : 0));
        if (v_cost <= 1) CHECK(by_reward == formula::optimality_label(q_reward, 5.0, q_cost, v_cost, 1.0));
      }
}

TEST_CASE("a chunk is allowed within the limit, and beyond it where it recovers as well as the data") {
  const double limit = 1.5;
  CHECK(formula::allowed(1.5, 1.5, limit));
  CHECK_FALSE(formula::allowed(std::nextafter(1.5, 2), 0.0, limit));
  const double beyond = std::nextafter(1.5, 2);
  CHECK(formula::allowed(beyond, beyond, limit));
  CHECK_FALSE(formula::allowed(std::nextafter(3, 4), 3.0, limit));
  CHECK_FALSE(formula::allowed(static_cast<double>(kNan), 1.0, limit));
  for (const double q_r : {4.0, 5.0, 6.0})
    for (const double q_c : {0.5, 1.5, 2.0, 3.0})
      for (const double v_c : {0.5, 1.5, 2.0}) {
        const auto label = [&](LabelRule rule) {
          return formula::optimality_label(q_r, 5.0, q_c, v_c, limit, rule);
        };
        CHECK(label(LabelRule::allowed) ==
              (formula::allowed(q_c, v_c, limit) ? label(LabelRule::regions) : 0));
      }
}

TEST_CASE(
    "what networks see of a budget grows with it, up to the greatest, and is uniform where it is drawn") {
  constexpr double most = 9, scale = 0.5;
  CHECK(formula::budget_input(0.0, most, scale) == 0);
  CHECK(formula::budget_input(-std::numeric_limits<double>::infinity(), most, scale) == 0);
  CHECK(formula::budget_input(0.5, most, scale) == Approx(std::log(2)));  // one unit of cost
  CHECK(formula::budget_input(1e9, most, scale) == formula::budget_input(most, most, scale));
  double before = 0;
  for (int i = 1; i < 100; ++i) {
    const double share = i / 100.0, budget = formula::budget_of_share(share, most, scale);
    CHECK(budget > before);
    CHECK(budget < most);
    CHECK(formula::budget_input(budget, most, scale) ==
          Approx(share * formula::budget_input(most, most, scale)));
    before = budget;
  }
}

TEST_CASE("a chunk's cost leaves the rest of its budget, seen from where it ends") {
  CHECK(formula::next_budget(3.0, 1.0, 9.0, 0.5) == 4);
  CHECK(formula::next_budget(3.0, 3.0, 9.0, 0.5) == 0);
  CHECK(formula::next_budget(3.0, 4.0, 9.0, 0.5) == 0);
  CHECK(formula::next_budget(6.0, 1.0, 9.0, 0.5) == 9);
  // A budget that is all spent later, by c after each chunk: b = c + g c + g^2 c ... leaves itself.
  const double c = 0.2, g = 0.95, b = c / (1 - g);
  CHECK(formula::next_budget(b, c, 9.0, g) == Approx(b));
}

TEST_CASE("a weight follows the advantage that counts in its region, and never leaves its cap") {
  const double cap = std::log(100.0);
  const auto weight = [&](double q_reward, double q_cost, double v_cost) {
    return formula::advantage_weight(q_reward, 5.0, q_cost, v_cost, 1.0, 6.0, cap);
  };
  CHECK(weight(5, 9, 1) == 1);  // at the threshold: safe, and cost does not matter
  CHECK(near(weight(5.1, 9, 0.5), std::exp(0.6), 1e-14));
  CHECK(near(weight(9, 1.9, 2), std::exp(0.6), 1e-14));  // outside it reward does not
  CHECK(near(weight(9, 2.1, 2), std::exp(-0.6), 1e-14));
  CHECK(near(weight(1e300, 0, 0), 100, 1e-12));
  CHECK(weight(-1e300, 0, 0) == 0);
}

TEST_CASE("flow path, guidance and clipping at their ends") {
  for (const double noise : {-1.3, 0.2}) {
    CHECK(formula::flow_point(noise, 0.7, 0.0) == noise);
    CHECK(formula::flow_point(noise, 0.7, 1.0) == 0.7);
    // The velocity is the path's derivative in time.
    const Dual point = formula::flow_point(Dual(noise), Dual(0.7), Dual(0.3, 1));
    CHECK(near(point.dot, formula::flow_velocity(noise, 0.7), 1e-15));
    CHECK(near(formula::euler_step(noise, formula::flow_velocity(noise, 0.7), 1.0), 0.7, 1e-15));
  }
  CHECK(formula::guided_velocity(2.0, 5.0, 0.0) == 2);
  CHECK(formula::guided_velocity(2.0, 5.0, 1.0) == 5);
  CHECK(formula::guided_velocity(2.0, 5.0, 2.0) == 8);
  CHECK(formula::clip_action(-1.0000001f) == -1);
  CHECK(formula::clip_action(1.0000001f) == 1);
  CHECK(formula::clip_action(0.25f) == 0.25f);
  CHECK(formula::clip_action(-1.0f) == -1);
  CHECK(formula::clip_action(1.0f) == 1);
  CHECK(formula::clip_action(kInfinity) == 1);
  CHECK(formula::clip_action(-kInfinity) == -1);
  CHECK(std::isnan(formula::clip_action(kNan)));
}

TEST_CASE("Adam's constants are those of the closed form") {
  const AdamSettings settings{3e-4, 0.9, 0.999, 1e-8, 0.005};
  for (const long long t : {1, 2, 1000}) {
    const auto step = adam_step<double>(settings, t);
    double beta1 = 1, beta2 = 1;
    for (long long i = 0; i < t; ++i) {
      beta1 *= 0.9;
      beta2 *= 0.999;
    }
    // 1 - 0.999 keeps 13 digits; the running product adds t roundings.
    CHECK(near(step.step_size, 3e-4 / (1 - beta1), 1e-12 * step.step_size));
    CHECK(near(step.second_correction, 1 / std::sqrt(1 - beta2), 1e-12 * step.second_correction));
    const auto single = adam_step<float>(settings, t);
    CHECK(single.step_size == static_cast<float>(step.step_size));
    CHECK(single.second_correction == static_cast<float>(step.second_correction));
  }
}

TEST_CASE("under a constant gradient Adam walks by the learning rate") {
  // Both corrected moments are then exact: each step is -lr * g / (|g| + eps) (Kingma and Ba, section 2.1).
  const AdamSettings settings{1e-3, 0.9, 0.999, 1e-8, 0.005};
  const auto walk = [&](auto gradient, int steps) {
    using T = decltype(gradient);
    T value = 0, first = 0, second = 0;
    for (int t = 1; t <= steps; ++t)
      formula::adam_update(value, first, second, gradient, adam_step<T>(settings, t));
    return static_cast<double>(value);
  };
  for (const double g : {-7.0, 1e-3, 0.5})
    for (const int t : {1, 2, 1000}) {
      const double expected = -t * 1e-3 * g / (std::abs(g) + 1e-8);
      CHECK(near(walk(g, t), expected, 1e-11 * std::abs(expected)));
      // float: 1 - 0.999f is 1.3e-5 from 0.001, whose root enters each step.
      CHECK(near(walk(static_cast<float>(g), t), expected, 2e-5 * std::abs(expected)));
    }
  CHECK(walk(0.0, 10) == 0);
  CHECK(std::isnan(walk(kNan, 1)));
}

TEST_CASE("Polyak averaging keeps equal values and moves by its share") {
  CHECK(formula::polyak_update(0.3f, 0.3f, 0.005f) == 0.3f);
  CHECK(formula::polyak_update(2.0, 4.0, 1.0) == 4);
  CHECK(near(formula::polyak_update(2.0, 4.0, 0.005), 2.01, 1e-15));
  double target = 1;
  for (int i = 0; i < 1000; ++i) target = formula::polyak_update(target, 0.0, 0.005);
  CHECK(near(target, std::pow(0.995, 1000), 1e-14));
}
