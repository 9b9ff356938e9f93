// The published methods where their answers are known: fixed points worked out by hand, and runs that must be
// equal.
#include <catch2/catch.hpp>
#include <cmath>

#include "data/layouts.h"
#include "engine/sampling.h"
#include "entry_values.h"
#include "kernels/optidice.h"
#include "kernels/regression.h"
#include "kernels/surplus.h"
#include "on_cpu.h"
#include "settings/methods.h"
#include "tools/data_make.h"
#include "training/learner.h"

using namespace r2pac;

namespace {

Settings small_settings(const std::string& method) {
  SettingsRequest request;
  request.flags = {{"method", method}};
  Settings settings = resolve_settings(request).values;
  settings.hidden = {16, 16};
  settings.vae_hidden = {12, 12};
  settings.batch = 32;
  settings.steps = 20;
  return settings;
}

/// By which BCRL learns closed forms in seconds.
Settings learning_bcrl() {
  Settings settings = small_settings("bcrl");
  settings.cost_expectile = 0.5;
  settings.hidden = {32, 32};
  settings.batch = 128;
  settings.polyak = 1;
  settings.learning_rate = 3e-3;
  settings.steps = 4000;
  return settings;
}

/// Episodes of one step each, in two states, that end genuinely.
struct OneStep {
  float state, action, reward, cost;
};
Dataset one_step_data(const std::vector<OneStep>& steps) {
  DsrlColumns columns{};
  columns.rows = static_cast<std::int64_t>(steps.size());
  columns.observation_dim = columns.action_dim = 1;
  for (const OneStep& step : steps) {
    columns.observations.push_back(step.state);
    columns.next_observations.push_back(step.state);
    columns.actions.push_back(step.action);
    columns.rewards.push_back(step.reward);
    columns.costs.push_back(step.cost);
    columns.terminals.push_back(1);
    columns.timeouts.push_back(0);
  }
  return make_dataset(columns, "one step");
}

double find(const std::vector<std::pair<std::string, double>>& report, const std::string& name) {
  for (const auto& [key, value] : report)
    if (key == name) return value;
  FAIL("no " << name);
  return 0;
}

/// Trains to the end. Returns the last step's report.
std::vector<std::pair<std::string, double>> trained(const Settings& settings, const Dataset& dataset) {
  const TrainingData<double> data(dataset, settings, *on_cpu());
  Learner<double> learner(settings, data, on_cpu());
  while (!learner.finished()) learner.advance();
  return learner.report();
}

/// The weights of networks of these names after a training.
std::vector<std::vector<float>> weights_after(const Settings& settings, const Dataset& dataset,
                                              const std::vector<std::string>& names) {
  const TrainingData<float> data(dataset, settings, *on_cpu());
  Learner<float> learner(settings, data, on_cpu());
  while (!learner.finished()) learner.advance();
  Networks<float>& networks = learner.networks();
  std::vector<std::vector<float>> values;
  for (const NamedTensor& tensor : networks.tensors())
    if (std::ranges::find(names, tensor.owner) != names.end()) {
      const auto& entry = networks.online.entry(tensor.entry);
      values.emplace_back(entry.shape.size());
      networks.online.values().copy_out(values.back().data(), values.back().size(), entry.offset);
    }
  return values;
}

}  // namespace

TEST_CASE("the formulas of the published methods by hand") {
  const DeviationRange<double> range{-4, 2};
  CHECK(formula::gaussian_sample(0.5, std::log(3.0), -1.0, range) == Approx(-2.5).epsilon(1e-15));
  CHECK(formula::gaussian_sample(0.0, 9.0, 1.0, range) == Approx(std::exp(2.0)).epsilon(1e-15));
  CHECK(formula::gaussian_sample_slope(9.0, 1.0, range) == 0);
  CHECK(formula::divergence(0.0, 0.0, range) == 0);
  CHECK(formula::divergence(2.0, std::log(3.0), range) ==
        Approx((4 + 9 - 1 - 2 * std::log(3.0)) / 2).epsilon(1e-15));
  CHECK(formula::dual_ascent(std::log(2.0), 0.1, 3.0, 1.0, 5.0) ==
        Approx(std::log(2.0) + 0.1 * 2 * 2).epsilon(1e-15));
  CHECK(formula::dual_ascent(4.9, 1.0, 3.0, 1.0, 5.0) == 5);
  CHECK(formula::before_tanh(std::tanh(0.7)) == Approx(0.7).epsilon(1e-14));
  CHECK(std::isfinite(formula::before_tanh(1.0)));
  // The ratio is where x w - f(w) is greatest, so that there f' = x; by differences of 1e-6, whose error is
  // 1e-10.
  for (const double x : {-3.0, -0.5, 0.25, 2.0}) {
    const double w = formula::softchi_ratio(x);
    CHECK((formula::softchi(w + 1e-6) - formula::softchi(w - 1e-6)) / 2e-6 == Approx(x).margin(1e-7));
  }
  CHECK(formula::softchi(1.0) == 0);
  const double cap = std::log(5.0);
  CHECK(formula::head_weight(0.5, -1.0, 1.0, 0.0, 2.0, cap) == Approx(std::exp(1.0)).epsilon(1e-15));
  CHECK(formula::head_weight(0.5, -1.0, 0.0, 1.0, 2.0, cap) == Approx(std::exp(-2.0)).epsilon(1e-15));
  CHECK(formula::head_weight(9.0, 9.0, 0.5, 0.25, 2.0, cap) == Approx(0.75 * 5).epsilon(1e-15));
}

TEST_CASE("behaviour cloning finds the mean action of each state") {
  // Actions lie 0.2 beside the means 0.4 and -0.2, so that the least error of every row is 0.04.
  const Dataset dataset =
      one_step_data({{-1, 0.2f, 0, 0}, {-1, 0.6f, 0, 0}, {1, -0.4f, 0, 0}, {1, 0.0f, 0, 0}});
  Settings settings = small_settings("bc");
  settings.steps = 3000;
  // Batches hold unequal numbers of the four rows, which moves the means by some 1e-2, the error by its
  // square.
  CHECK(find(trained(settings, dataset), "loss_actor") == Approx(0.04).margin(2e-3));
}

TEST_CASE("bc-safe is bc on the episodes within the limit, bit for bit") {
  const DsrlColumns columns = reach_avoid_columns(12, 0);
  Settings settings = small_settings("bc-safe");
  settings.cost_limit = 10;
  const DsrlColumns within = episodes_within(columns, settings.cost_limit);
  REQUIRE(within.rows > 0);
  REQUIRE(within.rows < columns.rows);
  const std::vector<std::string> names = {"mean"};
  const auto safe = weights_after(settings, make_dataset(columns, "all"), names);
  settings.method = "bc";
  settings.episodes = Episodes::all;
  const bool same_as_all = weights_after(settings, make_dataset(columns, "all"), names) == safe,
             same_as_within = weights_after(settings, make_dataset(within, "within"), names) == safe;
  CHECK_FALSE(same_as_all);
  CHECK(same_as_within);
}

TEST_CASE("a limit that no episode keeps is refused, with the least cost of one") {
  const Dataset dataset = one_step_data({{0, 0, 0, 3}, {0, 0, 0, 2.5f}});
  Settings settings = small_settings("bc-safe");
  settings.cost_limit = 2;
  try {
    const TrainingData<float> data(dataset, settings, *on_cpu());
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::data);
    CHECK_THAT(error.what(), Catch::Contains("the limit of 2") && Catch::Contains("2.5"));
  }
  settings.cost_limit = 2.5;
  CHECK(TrainingData<float>(dataset, settings, *on_cpu()).windows() == 1);
}

TEST_CASE("the dead terms of cpq change no weight of critics and actor") {
  const Dataset dataset = make_dataset(reach_avoid_columns(6, 0), "robot");
  Settings settings = small_settings("cpq");
  const std::vector<std::string> names = {"q_r", "q_c", "trunk", "mean", "log_deviation"};
  const auto without = weights_after(settings, dataset, names);
  settings.dead_terms = true;
  const bool same_with_dead_terms = weights_after(settings, dataset, names) == without;
  CHECK(same_with_dead_terms);
  settings.form = Form::consistent;  // there they are alive
  const bool same_in_consistent_form = weights_after(settings, dataset, names) == without;
  CHECK_FALSE(same_in_consistent_form);
}

TEST_CASE("cpq as published looks for costs beyond genuine ends, the consistent form does not") {
  std::vector<OneStep> steps;
  for (int i = 0; i <= 40; ++i) steps.push_back({0, static_cast<float>(i - 20) / 20, 0, 1});
  const Dataset dataset = one_step_data(steps);
  Settings settings = small_settings("cpq");
  settings.discount = 0.5;
  settings.polyak = 1;
  settings.steps = 1500;
  // Q_c = 1 + Q_c / 2 everywhere. Rows' values differ by what a small network leaves, some 1e-2.
  CHECK(find(trained(settings, dataset), "target_q_c") == Approx(2).margin(0.05));
  settings.form = Form::consistent;
  CHECK(find(trained(settings, dataset), "target_q_c") == 1);
}

TEST_CASE("coptidice finds the ratios of one-step episodes") {
  // nu lowers (1 - gamma) nu + alpha f*((r - nu) / alpha) in each state: the ratio is 1 - gamma, and nu = r -
  // alpha f'(1 - gamma). Then the loss is that of these values: with gamma = 1/2 and f'(w) = log w it is nu /
  // 2 + (r - nu) / 2 - alpha f(1/2).
  const Dataset dataset =
      one_step_data({{-1, 0.2f, 0, 0}, {1, -0.2f, 1, 0}, {-1, 0.4f, 0, 0}, {1, -0.4f, 1, 0}});
  Settings settings = small_settings("coptidice");
  settings.discount = 0.5;
  settings.reward_scale = 1;
  settings.learning_rate = 3e-3;
  settings.steps = 3000;
  const auto report = trained(settings, dataset);
  CHECK(find(report, "ratio") == Approx(0.5).margin(0.01));  // what remains after so many steps of this rate
  CHECK(find(report, "multiplier") <
        std::log1p(std::exp(1.0)));  // no cost at all: it falls from where it began
}

TEST_CASE(
    "the heads of caps are weighted means of the data, and each decision takes the one that the limit "
    "allows") {
  // One state and two actions, of which one earns and costs. V_r and V_c are the 0.7-expectiles of {0, 1}
  // seen from above and from below, 0.7 and 0.3. So the action that earns weighs exp(3 * 0.3) to the first
  // head and exp(-3 * 0.7) to the second one, the other action the other way round.
  constexpr float kEarns = 0.2f, kSaves = -0.8f;
  const Dataset dataset = one_step_data({{0, kEarns, 1, 1}, {0, kSaves, 0, 0}});
  Settings settings = small_settings("caps");
  settings.reward_scale = 1;
  settings.polyak = 1;
  settings.learning_rate = 3e-3;
  settings.steps = 4000;
  settings.cost_limit = 1.5;
  const TrainingData<double> data(dataset, settings, *on_cpu());
  Learner<double> learner(settings, data, on_cpu());
  while (!learner.finished()) learner.advance();
  const auto report = learner.report();
  // Batches hold unequal numbers of the two rows, which the networks follow.
  CHECK(find(report, "v_r") == Approx(0.7).margin(0.05));
  CHECK(find(report, "v_c") == Approx(0.3).margin(0.05));
  CHECK(find(report, "threshold") == Approx(1.5).epsilon(1e-15));  // of episodes of one step

  SamplerOptions options;
  options.num_candidates = 2;
  options.selection = Selection::within;
  options.budget = {BudgetRule::discounted, settings.cost_limit, 1, settings.discount, 1};
  Sampler<double> sampler(learner.networks(), learner.method().acting, data.normalization(), options,
                          on_cpu());
  const std::vector<double> state{0, 0, 0}, noise(6), spent{0, 0.4, 1.4};
  std::vector<double> chosen(3), heads(6), reward(3), cost(3);
  SampleOutputs<double> out;
  out.chunk = chosen, out.candidates = heads, out.q_reward = reward, out.q_cost = cost;
  sampler.sample(state, noise, out, spent);
  const double heavy = std::exp(3 * 0.3), light = std::exp(-3 * 0.7), sum = heavy + light;
  CHECK(heads[0] == Approx((heavy * kEarns + light * kSaves) / sum).margin(0.05));
  CHECK(heads[1] == Approx((light * kEarns + heavy * kSaves) / sum).margin(0.05));
  // What is left of the limit is 1.5, 1.1 and 0.1, and the heads cost nearly 1 and nearly 0.
  CHECK(chosen == std::vector<double>{heads[0], heads[0], heads[1]});
  CHECK(cost[0] > 0.5);
  CHECK(reward[0] > reward[2]);
}

TEST_CASE("bcrl values a state by what its budget allows, and saves where none is left") {
  CHECK(formula::surplus(1.5, 0.5) == 1);
  CHECK(formula::surplus(0.5, 1.5) == 0);
  CHECK(std::isnan(formula::surplus(std::nan(""), 0.0)));
  // One state and two actions, of which one earns and costs. V_c, between Q_c of both, is 1/2. So the action
  // that costs needs a surplus of 1/2 over it: V_r is that of the other one, 0, below, and the 0.7-expectile
  // of {0, 1} above. What may be drawn ends at 5, a cost of 1 at each step with a discount of 0.8, and
  // critics of reward learn up to a surplus of 4.
  constexpr float kEarns = 0.2f, kSaves = -0.8f;
  const Dataset dataset = one_step_data({{0, kEarns, 1, 1}, {0, kSaves, 0, 0}});
  Settings settings = learning_bcrl();
  settings.discount = 0.8;
  settings.expectile = 0.7;
  settings.cost_limit = 2.5;
  const TrainingData<double> data(dataset, settings, *on_cpu());
  Learner<double> learner(settings, data, on_cpu());
  while (!learner.finished()) learner.advance();
  CHECK(find(learner.report(), "greatest_budget") == Approx(5).epsilon(1e-14));

  SamplerOptions options;
  options.num_candidates = 2;
  options.selection = Selection::surplus;
  options.budget = {BudgetRule::discounted, settings.cost_limit, 1, settings.discount, 1};
  options.greatest_budget = 5;
  Sampler<double> sampler(learner.networks(), learner.method().acting, data.normalization(), options,
                          on_cpu());
  // What is left of the limit is 2.5, 0.75, 0.55 and nothing.
  const std::vector<double> state{0, 0, 0, 0}, noise(8), spent{0, 1.75, 1.95, 9};
  std::vector<double> chosen(4), said(8), q_reward(8), q_cost(8), v_reward(4), v_cost(4);
  SampleOutputs<double> out;
  out.chunk = chosen, out.candidates = said, out.v_reward = v_reward, out.v_cost = v_cost;
  out.candidate_q_reward = q_reward, out.candidate_q_cost = q_cost;
  sampler.sample(state, noise, out, spent);
  // Batches hold unequal numbers of the two rows, which the networks follow.
  CHECK(v_cost[0] == Approx(0.5).margin(0.05));
  CHECK(v_reward[0] == Approx(0.7).margin(0.07));  // at a surplus of 2
  CHECK(v_reward[1] == Approx(0).margin(0.15));    // at 0.25, near the step
  const auto mean = [&](double earns, double saves) {
    return (std::exp(3 * earns) * kEarns + std::exp(3 * saves) * kSaves) /
           (std::exp(3 * earns) + std::exp(3 * saves));
  };
  CHECK(said[0] == Approx(mean(0.3, -0.7)).margin(0.08));
  CHECK(said[2] == Approx(kSaves).margin(0.08));
  for (std::size_t i = 0; i < 4; ++i) CHECK(said[2 * i + 1] == Approx(mean(-0.5, 0.5)).margin(0.08));
  CHECK(chosen == std::vector<double>{said[0], said[2], said[5], said[7]});

  // An action is worth what it earns at what is left beyond its own cost.
  std::vector<double> reward(2), cost(2);
  sampler.score(std::vector<double>{0, 0}, std::vector<double>{kEarns, kSaves}, reward, cost, {}, {},
                std::vector<double>{0, 0});
  CHECK(cost[0] == Approx(1).margin(0.05));
  CHECK(cost[1] == Approx(0).margin(0.05));
  CHECK(reward[0] == Approx(1).margin(0.05));
  CHECK(reward[1] == Approx(0).margin(0.05));
}

TEST_CASE("what is left of a budget grows with interest along a chain, and pays for what comes") {
  // Episodes of two steps. The first earns nothing and costs nothing; the second is as above, but costs 2:
  // V_c is 1 there and 1/2 before. Of a budget of B the surplus before is B - 1/2, and the one after it twice
  // as much: the action that earns, which needs 1 there, is within reach from B = 1 on.
  DsrlColumns columns{};
  columns.rows = 4;
  columns.observation_dim = columns.action_dim = 1;
  columns.observations = {-1, 1, -1, 1};
  columns.next_observations = {1, 1, 1, 1};
  columns.actions = {0, 0.5f, 0, -0.5f};
  columns.rewards = {0, 1, 0, 0};
  columns.costs = {0, 2, 0, 0};
  columns.terminals = {0, 1, 0, 1};
  columns.timeouts = {0, 0, 0, 0};
  const Dataset dataset = make_dataset(columns, "two steps");
  Settings settings = learning_bcrl();
  settings.discount = 0.5;
  settings.expectile = 0.9;
  const TrainingData<double> data(dataset, settings, *on_cpu());
  Learner<double> learner(settings, data, on_cpu());
  while (!learner.finished()) learner.advance();
  SamplerOptions options;
  options.num_candidates = 2;
  options.selection = Selection::surplus;
  options.budget = {BudgetRule::discounted, 4, 1, settings.discount, 1};
  options.greatest_budget = 4;
  Sampler<double> sampler(learner.networks(), learner.method().acting, data.normalization(), options,
                          on_cpu());
  const std::vector<double> first(6, -1), actions(6, 0), left{0.5, 0.8, 0.9, 1.1, 1.3, 1.8};
  std::vector<double> spent, q_reward(6), q_cost(6), v_reward(6), v_cost(6);
  for (const double budget : left) spent.push_back(4 - budget);
  sampler.score(first, actions, q_reward, q_cost, v_reward, v_cost, spent);
  CHECK(v_cost[0] == Approx(0.5).margin(0.05));
  CHECK(q_cost[0] == Approx(0.5).margin(0.05));
  // Half of V_r after: 0 below, 0.45 above.
  CHECK(q_reward[0] == Approx(0).margin(0.1));
  CHECK(q_reward[1] < 0.2);
  CHECK(q_reward[4] > 0.25);
  CHECK(q_reward[5] == Approx(0.45).margin(0.1));
  CHECK(v_reward[5] == Approx(0.45).margin(0.1));
}

TEST_CASE("diffusion by hand, and the weights of fisor in feasible and infeasible states") {
  // alpha_0 = exp(-0.1 / 5 - (10 - 0.1) / 2 * 1 / 25), and the product of all is what signal says.
  CHECK(formula::step_signal(0.0, 5.0) == Approx(std::exp(-0.02 - 0.198)).epsilon(1e-14));
  double product = 1;
  for (int t = 0; t < 5; ++t) {
    product *= formula::step_signal(static_cast<double>(t), 5.0);
    CHECK(formula::signal(static_cast<double>(t), 5.0) == Approx(product).epsilon(1e-14));
  }
  // From x_0 with the noise told exactly, the last step of denoising finds the action again.
  const double x = formula::diffused(0.3, -1.2, 0.0, 5.0);
  CHECK(formula::denoised(x, -1.2, 7.0, 0.0, 5.0) == Approx(0.3).epsilon(1e-13));
  const double alpha = formula::step_signal(2.0, 5.0), remains = formula::signal(2.0, 5.0);
  CHECK(formula::denoised(0.1, 0.2, 0.3, 2.0, 5.0) ==
        Approx((0.1 - (1 - alpha) / std::sqrt(1 - remains) * 0.2) / std::sqrt(alpha) +
               std::sqrt(1 - alpha) * 0.3)
            .epsilon(1e-14));
  CHECK(formula::denoised(9.0, 0.0, 0.0, 2.0, 5.0) == 1);
  CHECK(formula::denoised(-9.0, 0.0, 0.0, 2.0, 5.0) == -1);

  const formula::RegressionScale<double> reward{3, std::log(100.0)}, cost{5, std::log(150.0)};
  const auto weight = [&](double q_r, double v_r, double q_h, double v_h) {
    return formula::feasibility_weight(q_r, v_r, q_h, v_h, reward, cost);
  };
  CHECK(weight(9, 1, 0.5, 0.7) ==
        Approx(std::exp(5 * 0.2)).epsilon(1e-14));  // infeasible: by feasibility alone
  CHECK(weight(9, 1, -20, 0.7) == Approx(150).epsilon(1e-13));
  CHECK(weight(0.5, 0.7, 0, 0) == Approx(std::exp(-3 * 0.2)).epsilon(1e-14));
  CHECK(weight(9, 1, 0, -1) == Approx(100).epsilon(1e-13));
  CHECK(weight(9, 1, 0.1, -1) == 0);
}

TEST_CASE("fisor with equal weights is a diffusion of the data, and finds what can be avoided") {
  // Two actions in one state. Without costs and with a temperature of 0 every weight is 1, so that the
  // denoiser draws both alike.
  const Dataset dataset = one_step_data({{0, 0.5, 0, 0}, {0, -0.5, 0, 0}});
  Settings settings = small_settings("fisor");
  settings.actor_hidden = {32, 32};
  settings.batch = 128;
  settings.learning_rate = 3e-3;
  settings.advantage_temperature = 0;
  settings.steps = 2500;  // the followers, which act, are averages over some 500
  const TrainingData<double> data(dataset, settings, *on_cpu());
  Learner<double> learner(settings, data, on_cpu());
  while (!learner.finished()) learner.advance();
  CHECK(find(learner.report(), "v_c") == Approx(-1).margin(0.05));
  SamplerOptions options;
  options.num_candidates = 500;
  Sampler<double> sampler(learner.networks(), learner.method().acting, data.normalization(), options,
                          on_cpu());
  std::vector<double> state{0}, noise(sampler.noise_size()), chunk(1), candidates(500);
  CHECK(noise.size() == 5 * 500);
  sampler.draw_noise(3, 0, 0, noise);
  SampleOutputs<double> out;
  out.chunk = chunk, out.candidates = candidates;
  sampler.sample(state, noise, out);
  // The best denoiser knows the mean action behind x, m tanh(m sqrt(A) x / (1 - A)) for actions +-m, and so
  // the mean noise in it. What it makes of the same noise is what the learned one should make of it.
  constexpr double kAction = 0.5, kSteps = 5;
  double off = 0, spread = 0;
  int above = 0;
  for (std::size_t c = 0; c < 500; ++c) {
    double x = noise[c];
    for (int step = 4; step >= 0; --step) {
      const double t = step, signal = formula::signal(t, kSteps), root = std::sqrt(signal);
      const double mean = kAction * std::tanh(kAction * root * x / (1 - signal));
      const double added = step > 0 ? noise[(static_cast<std::size_t>(5 - step)) * 500 + c] : 0;
      x = formula::denoised(x, (x - root * mean) / std::sqrt(1 - signal), added, t, kSteps);
    }
    off += std::abs(candidates[c] - x) / 500;
    spread += std::abs(x) / 500;
    above += candidates[c] > 0;
  }
  // Dropped features and averages over the last steps leave some 0.13; a wrong schedule or noise leaves 1.
  CHECK(off < 0.2 * spread);
  CHECK(std::abs(above - 250) < 5 * std::sqrt(500) / 2);
}

TEST_CASE("the feasibility of one-step episodes is that of their own step, and infeasible states stay so") {
  // Without a step after, Q_h is 25 of the action that costs and -1 of the other one: V_h, a lower
  // expectile, is near the latter. Where both cost it is 25.
  const Dataset dataset = one_step_data({{-1, 0.5, 1, 1}, {-1, -0.5, 0, 0}, {1, 0.5, 0, 1}, {1, -0.5, 0, 1}});
  Settings settings = small_settings("fisor");
  settings.actor_hidden = {8};
  settings.batch = 64;
  settings.polyak = 1;
  settings.learning_rate = 1e-2;
  settings.steps = 3000;
  const TrainingData<double> data(dataset, settings, *on_cpu());
  Learner<double> learner(settings, data, on_cpu());
  while (!learner.finished()) learner.advance();
  SamplerOptions options;
  Sampler<double> sampler(learner.networks(), learner.method().acting, data.normalization(), options,
                          on_cpu());
  const std::vector<double> states{-1, -1, 1}, actions{0.5, -0.5, 0.5};
  std::vector<double> q_reward(3), q_cost(3), v_reward(3), v_cost(3);
  sampler.score(states, actions, q_reward, q_cost, v_reward, v_cost);
  CHECK(q_cost[0] == Approx(25).margin(1));
  CHECK(q_cost[1] == Approx(-1).margin(1));
  // The 0.1-expectile of {-1, 25}: 0.1 (25 - v) = 0.9 (v + 1).
  CHECK(v_cost[0] == Approx(1.6).margin(1));
  CHECK(v_cost[2] == Approx(25).margin(1));
  CHECK(q_reward[0] > q_reward[1]);
}

TEST_CASE("fisor refuses a batch of which no row is left for a pass of its actor") {
  const Dataset dataset = one_step_data({{0, 0.5f, 1, 1}, {0, -0.5f, 0, 0}});
  Settings settings = small_settings("fisor");
  settings.actor_hidden = {8};
  for (const int batch : {1, 2}) {
    settings.batch = batch;
    const TrainingData<double> data(dataset, settings, *on_cpu());
    const auto learn = [&] { Learner<double>(settings, data, on_cpu()).advance(); };
    if (batch == 1)
      CHECK_THROWS_WITH(learn(), Catch::Contains("each pass of the actor"));
    else
      CHECK_NOTHROW(learn());
  }
}

TEST_CASE("presets have sizes for the published methods, and name those that they are for") {
  SettingsRequest request;
  request.flags = {{"method", "cpq"}};
  CHECK(resolve_settings(request).values.steps == 100000);
  request.preset = "osrl";
  const Settings osrl = resolve_settings(request).values;
  CHECK(osrl.hidden == std::vector<int>{256, 256});
  CHECK(osrl.batch == 512);
  CHECK(osrl.learning_rate == 1e-3);
  request.preset = "mini";
  const ResolvedSettings mini = resolve_settings(request);
  CHECK(mini.values.steps == 12000);
  CHECK(mini.origin.at("steps") == "preset mini");
  CHECK(mini.origin.at("activation") == "method=cpq");
  request.flags = {{"method", "caps"}};
  request.preset = "osrl";
  const Settings caps = resolve_settings(request).values;
  CHECK(caps.hidden == std::vector<int>{512, 512});
  CHECK(caps.learning_rate == 3e-4);
  CHECK(caps.expectile == 0.7);
  CHECK(caps.threshold == Threshold::limit);
  request.flags = {{"method", "bcrl"}};
  const Settings bcrl = resolve_settings(request).values;
  CHECK(bcrl.hidden == std::vector<int>{512, 512});
  CHECK(bcrl.initializer == Initializer::orthogonal);
  CHECK(bcrl.timeouts == Timeouts::bootstrap);
  CHECK(bcrl.reward_scale == 1);
  for (const auto& [task, expectile, cost_expectile] :
       {std::tuple{"BallRun", 0.5, 0.8}, {"CarCircle", 0.5, 0.7}, {"CarGoal1", 0.6, 0.7}}) {
    INFO(task);
    SettingsRequest of_task = request;
    of_task.flags.emplace_back("task", task);
    const Settings published = resolve_settings(of_task).values;
    CHECK(published.expectile == expectile);
    CHECK(published.cost_expectile == cost_expectile);
  }
  request.flags = {{"method", "fisor"}};
  CHECK(resolve_settings(request).values.reward_scale == 1);
  request.flags.emplace_back("task", "BallRun");
  const ResolvedSettings fisor = resolve_settings(request);
  CHECK(fisor.values.actor_hidden == std::vector<int>{256, 256, 256});
  CHECK(fisor.values.batch == 2048);
  CHECK(fisor.values.initializer == Initializer::xavier);
  const Task& ball = find_task("BallRun");
  CHECK(fisor.values.reward_scale ==
        Approx(ball.episode_steps / (ball.max_return - ball.min_return)).epsilon(1e-12));
  CHECK(fisor.origin.at("reward_scale") == "method=fisor");
  for (const char* preset : {"quick", "tiny", "mini"})
    for (const MethodInfo& method : method_list()) {
      request.flags = {{"method", std::string(method.name)}};
      request.preset = preset;
      const Settings settings = resolve_settings(request).values;
      CHECK(settings.steps < 100000);
      if (method.name == "cpq") CHECK(settings.schedule == Schedule::joint);  // whatever the preset says
    }
  request.flags = {{"method", "r2pac"}};
  request.preset = "osrl";
  CHECK_THROWS_WITH(resolve_settings(request), Catch::Contains("osrl") && Catch::Contains("r2pac"));
  request = {};
  request.flags = {{"method", "bc"}};
  request.overrides = {"chunk_length=2"};
  CHECK_THROWS_WITH(resolve_settings(request), Catch::Contains("chunk_length"));
}
