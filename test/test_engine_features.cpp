// What the engine offers any method: gradients on the CPU in double against central differences.
#include "approximate.h"
#include "dual.h"
#include "engine_cases.h"
#include "failure.h"
#include "optimizer_case.h"

using namespace r2pac;

TEST_CASE("a layer applied several times gets the sum of all gradients") {
  // first 16, second 20, head 5, critics 12, judges 15, norm 8, table 12
  check_gradient(cases::layers_applied_twice, 88);
  Workbench<double> w(on_cpu());
  DenseLayer fewer = w.critics;
  fewer.nets = 2;
  for (const DenseLayer& l : {w.critics, fewer})
    squared_error_loss(w.tape, "loss", w.layer(l, w.input), w.wanted);
  const std::string text = message([&] { w.tape.backward(); });
  CHECK(text.find("`critics.weight` is applied as [2, 3, 1] and as [3, 3, 1]") != std::string::npos);
}

TEST_CASE("a frozen layer passes gradients on and learns nothing, a constant one ends them") {
  check_gradient(cases::frozen_layers, 36);  // first 16, head 5, judges 15
  Workbench<double> w(on_cpu());
  const Tensor<double> x = w.layer(w.first, w.input);
  const auto apply = [&](Tensor<double> in, Gradient gradient) {
    return dense_layer(w.tape, w.parameters, w.second, in, Activation::gelu_erf, gradient)->requires_gradient;
  };
  CHECK(apply(x, Gradient::frozen));
  CHECK_FALSE(apply(x, Gradient::constant));
  CHECK_FALSE(apply(w.data, Gradient::frozen));
  CHECK(apply(w.data, Gradient::learn));
  const Tape<double>::NoGradient constant(w.tape);
  CHECK_FALSE(apply(x, Gradient::frozen));
}

TEST_CASE("several losses on one tensor and its members add up") {
  check_gradient(cases::losses_on_one_tensor, 38);  // first 16, head 5, critics 12, judges: one member of 5
}

TEST_CASE("losses weigh the rows") {
  check_gradient(cases::weighted_losses, 53);  // first 16, second 20, head 5, critics 12
  const auto loss_of = [](bool weighted) {
    return [weighted]<class T>(Workbench<T>& w) {
      const Tensor<T> ones = w.tape.value("ones", {1, w.rows, 1});
      w.tape.rows("ones", w.rows, {}, {ones}, [ones](const Slice& slice) {
        for (int r = 0; r < slice.count; ++r) ones->view(slice).row(r)[0] = 1;
      });
      return std::vector<Tensor<T>>{
          squared_error_loss(w.tape, "loss", w.layer(w.first, w.input), w.noise, weighted ? ones : nullptr)};
    };
  };
  CHECK(gradient_of<float>(on_cpu(), loss_of(true)) == gradient_of<float>(on_cpu(), loss_of(false)));
}

TEST_CASE("the gradient of an ensemble's extreme goes to the chosen member") {
  check_gradient(cases::ensemble_extremes, 22);  // critics 12, two of three judges 10
  // Equal members: the first one is chosen.
  std::vector<double> x(6, 1.0), d_out{2, 3}, d_x(6, 7.0);
  for (const bool maximum : {false, true})
    for (int r = 0; r < 2; ++r)
      EnsembleExtremeGradient<double>{
          {x.data(), 2, 3, 2, 1}, maximum, {d_out.data(), 2, 1, 2, 1}, {d_x.data(), 2, 3, 2, 1}, false}
          .row(r, 0, 1);
  CHECK(d_x == std::vector<double>{2, 3, 0, 0, 0, 0});
}

TEST_CASE("free vectors and scalars get the sum of their rows' gradients") {
  check_gradient(cases::free_parameters, 10);  // vector 4, scalar 1, head 5
}

TEST_CASE("a Gaussian's likelihood teaches its mean and its deviations") {
  check_gradient(cases::gaussians, 20);  // first 16, vector 4
  // Beyond their range deviations count as its ends, without a gradient.
  CHECK(formula::gaussian_log_density(0.5, 0.25, 9.0) == formula::gaussian_log_density(0.5, 0.25, 2.0));
  CHECK(formula::gaussian_log_density(0.5, 0.25, -9.0) == formula::gaussian_log_density(0.5, 0.25, -5.0));
  CHECK(formula::gaussian_deviation_slope(0.5, 0.25, 9.0) == 0);
  CHECK(formula::gaussian_deviation_slope(0.5, 0.25, -9.0) == 0);
  CHECK(formula::gaussian_log_density(1.0, 0.0, 0.0) ==
        Approx(-0.5 - 0.5 * std::log(2 * M_PI)).epsilon(1e-15));
}

TEST_CASE("samples of Gaussians, their divergence and the mean of what is far teach what they are made of") {
  check_gradient(cases::sampled_gaussians, 41);  // first 16, second 20, head 5
}

TEST_CASE("stationary distribution corrections teach values before and after transitions") {
  check_gradient(cases::distribution_corrections, 41);  // first 16, second 20, head 5
}

TEST_CASE("the gate teaches by the cost where a chunk does not pass it, and by the reward elsewhere") {
  check_gradient(cases::gates, 33);  // first 16, head 5, critics 12
  CHECK(formula::passes_gate(0.5, 0.5, 0.5));
  CHECK_FALSE(formula::passes_gate(0.6, 0.5, 0.5));
  CHECK_FALSE(formula::passes_gate(0.5, 0.6, 0.5));
  CHECK_FALSE(formula::passes_gate(std::nan(""), 0.0, 0.5));
  CHECK(formula::gate_unit(0.0) == 1e-6);

  // Two rows, of which the first passes: its loss is -w Q_r / unit, the other's w Q_c / unit, and so are the
  // slopes.
  std::vector<double> q_reward = {3, 4}, q_cost = {1, 2}, v_cost = {1, 1}, share = {0.5, 0.5}, out(2),
                      passed(2);
  const double most = 2, reward_square = 4, cost_square = 0.25;
  const auto view = [](std::vector<double>& x) { return View<double>{x.data(), 2, 1, 2, 1}; };
  const GateTerms<double> terms{view(q_reward), view(q_cost),   view(v_cost), view(share),
                                &most,          &reward_square, &cost_square, 0.1};
  const auto near = [](double a, double b) { return std::abs(a - b) < 1e-5; };
  for (int r = 0; r < 2; ++r) {
    GateLoss<double>{terms, view(out)}.row(r, 0, 1);
    GatePassed<double>{terms, view(passed)}.row(r, 0, 1);
  }
  CHECK(passed == std::vector<double>{1, 0});
  CHECK((near(out[0], -0.15) && near(out[1], 0.4)));
  for (int r = 0; r < 2; ++r) GateGradient<double>{terms, false, 3, view(out)}.row(r, 0, 1);
  CHECK((near(out[0], -0.15) && out[1] == 0));
  for (int r = 0; r < 2; ++r) GateGradient<double>{terms, true, 3, view(out), true}.row(r, 0, 1);
  CHECK((near(out[0], -0.15) && near(out[1], 0.6)));
}

TEST_CASE("activations and residual sums pass their gradients on") {
  check_gradient(cases::activations, 49);  // first 16, second 20, head 5, two members of critics 8
}

TEST_CASE("each activation's slope is its derivative, and floats keep their bounds") {
  const auto check = [](const char* name, auto formula, double value_bound, double slope_bound,
                        bool relative_slope) {
    INFO(name);
    double value_error = 0, slope_error = 0, derivative_error = 0;
    for (int i = -40000; i <= 40000; ++i) {
      const float x =
          static_cast<float>(i) * 0.002f + (i % 7 == 0 ? 1e-4f * static_cast<float>(i % 5) : 0.0f);
      const auto exact = formula(static_cast<double>(x));
      const auto found = formula(x);
      const auto dual = formula(Dual(static_cast<double>(x), 1));
      if (i != 0) derivative_error = std::max(derivative_error, std::abs(dual.value.dot - exact.slope));
      const auto error = [](float a, double b, bool relative) {
        return std::abs(static_cast<double>(a) - b) / (relative ? std::max(std::abs(b), 1e-30) : 1.0);
      };
      value_error = std::max(value_error, error(found.value, exact.value, true));
      slope_error = std::max(slope_error, error(found.slope, exact.slope, relative_slope));
    }
    CHECK(derivative_error < 1e-14);  // two ways to round numbers of order one
    CHECK(value_error <= value_bound);
    CHECK(slope_error <= slope_bound);
    CHECK(std::isnan(formula(std::nanf("")).value));
  };
  check(
      "relu", [](auto x) { return formula::relu(x); }, 0, 0, true);
  check(
      "tanh", [](auto x) { return formula::tanh(x); }, 5e-7, 1e-6, true);
  check(
      "softplus", [](auto x) { return formula::softplus(x); }, 1e-6, 1e-6, true);
  check(
      "mish", [](auto x) { return formula::mish(x); }, 1e-6, 1e-6, false);
  const auto check_on_gpu = [&]<class E>(E) {
    check(
        "tanh, GPU", [](auto x) { return formula::tanh<decltype(x), E>(x); }, 5e-7, 1e-6, true);
    check(
        "softplus, GPU", [](auto x) { return formula::softplus<decltype(x), E>(x); }, 1e-6, 1e-6, true);
    check(
        "mish, GPU", [](auto x) { return formula::mish<decltype(x), E>(x); }, 1e-6, 1e-6, false);
  };
  check_on_gpu(Approximate<1, 1>());
  check_on_gpu(Approximate<1, -1>());
  check_on_gpu(Approximate<-1, 1>());
  check_on_gpu(Approximate<-1, -1>());
}

TEST_CASE("a normalisation's argument may have other readers, its epsilon is the layer's") {
  check_gradient(cases::normalised_residual, 49);  // first 16, second 20, head 5, norm 8
}

TEST_CASE("diffusion teaches the frequencies of its times and what reads its actions") {
  check_gradient(cases::diffusions, 20);  // vector 4, first 16
}

TEST_CASE(
    "dropout keeps the expectation, repeats by its coordinates and passes the gradient of what it keeps") {
  check_gradient(cases::dropouts, 33);  // first 16, head 5, critics 12
  constexpr int rows = 1000, cols = 7, nets = 2;
  const auto mask = [](int which, unsigned long long step, int first_row) {
    const StepState state{step, step, 0};
    std::vector<double> factor(std::size_t{nets} * rows * cols);
    for (int r = 0; r < rows; ++r)
      DrawDropout<double>{9,         &state,
                          first_row, which,
                          0.3f,      View<double>{factor.data(), std::size_t{rows} * cols, nets, rows, cols}}
          .row(r, 0, 1);
    return factor;
  };
  const std::vector<double> one = mask(0, 5, 0);
  double sum = 0;
  for (const double f : one) {
    sum += f;
    CHECK((f == 0 || near(f, 1 / 0.7, 1e-7)));
  }
  const double n = static_cast<double>(one.size());
  CHECK(near(sum / n, 1, 5 * std::sqrt(0.3 / 0.7 / n)));  // five standard deviations
  CHECK(mask(0, 5, 0) == one);
  const std::vector<double> shifted = mask(0, 5, 1);
  CHECK(std::equal(one.begin() + cols, one.begin() + rows * cols, shifted.begin()));
  const auto agreement = [&](const std::vector<double>& other) {
    double same = 0;
    for (std::size_t i = 0; i < one.size(); ++i) same += one[i] == other[i];
    return same / n;
  };
  std::vector<double> swapped(one.begin() + rows * cols, one.end());
  swapped.insert(swapped.end(), one.begin(), one.begin() + rows * cols);
  // Independent masks agree with probability 0.7^2 + 0.3^2; five standard deviations.
  for (const auto& other : {mask(1, 5, 0), mask(0, 6, 0), shifted, swapped})
    CHECK(near(agreement(other), 0.58, 5 * std::sqrt(0.58 * 0.42 / n)));
}

TEST_CASE("groups of an optimiser have their own rate, schedule, decay, clipping, followers and order") {
  for (const bool in_parts : {false, true}) {
    INFO("each group after its own backward: " << in_parts);
    const std::vector<double> expected = cases::expected_after_steps(in_parts),
                              found = cases::after_steps<double>(on_cpu(), in_parts);
    REQUIRE(found.size() == expected.size());
    double greatest = 0;
    for (std::size_t i = 0; i < found.size(); ++i)
      greatest = std::max(greatest, std::abs(found[i] - expected[i]));
    // Five steps of numbers of order one to ten; a quotient of Adam turns 1e-15 of a small gradient into
    // 1e-11.
    CHECK(greatest < 1e-10);
    CHECK(cases::after_steps<double>(cpu_device(3), in_parts) == found);
  }
  CHECK(cases::expected_after_steps(false) != cases::expected_after_steps(true));
  Workbench<double> w(on_cpu());
  const Tensor<double> squares = w.tape.kept("squares", {1, 10, 1});
  Optimizer<double> optimizer(w.tape, w.parameters, cases::two_groups(w), w.state(), 0, squares);
  optimizer.update(1);
  CHECK(message([&] { optimizer.update(1); }).find("twice") != std::string::npos);
  CHECK(message([&] { optimizer.finish({}); }).find("not updated") != std::string::npos);
  Parameters<double> leader, follower;
  leader.add("x", {1, 2, 2});
  follower.add("y", {1, 2, 2});
  CHECK(message([&] { leader.allocate(true, *on_cpu(), &follower); }).find("nobody") != std::string::npos);
}
