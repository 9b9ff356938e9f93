// Learning on problems whose answers are known: a grid world solved by dynamic programming, and the flow on
// data of known mean and spread.
#include <algorithm>
#include <catch2/catch.hpp>

#include "acting/policy_sampler.h"
#include "base/philox.h"
#include "data/dataset.h"
#include "near.h"
#include "small_method.h"
#include "training/step.h"
#include "training/training_data.h"
#include "training/window_values.h"

using namespace r2pac;

namespace {

// The grid, 5 x 5, seen as one-hot vectors, four moves:
//   column 4         the pit: no move leaves it; every step there costs 1 and earns 1
//   column 3, y < 2  the slope: every move ends in the pit
//   (0,0)(0,1)(1,0)  a swamp: landing there costs 0.5
//   (0,4)            the goal: landing there earns 8 and ends the episode
// Landing in column x earns x / 4 elsewhere. So greed leads into the pit, and the least cost of the pit and
// its slope is 1 / (1 - gamma) = 10.
constexpr int kSide = 5, kStates = kSide * kSide, kGoal = 4;
constexpr double kDiscount = 0.9, kPenalty = 1, kThreshold = 5;

struct Outcome {
  int next;
  double reward, cost;
  bool terminal;
};
Outcome move(int state, int action) {
  const int x = state / kSide, y = state % kSide;
  const int dx[] = {1, -1, 0, 0}, dy[] = {0, 0, 1, -1};
  int next_x = std::clamp(x + dx[action], 0, kSide - 1), next_y = std::clamp(y + dy[action], 0, kSide - 1);
  if (x == 4 || (x == 3 && y < 2)) {
    next_x = 4;
    next_y = y;
  }
  const int next = next_x * kSide + next_y;
  if (next == kGoal) return {next, 8, 0, true};
  const bool swamp = next_x + next_y <= 1;
  return {next, next_x / 4.0, next_x == 4 ? 1.0 : swamp ? 0.5 : 0.0, false};
}

/// The tau-expectile of four equally likely values: the root of sum weight(q - m) (q - m) = 0.
double expectile_of(const double (&q)[4], double tau) {
  double low = *std::min_element(q, q + 4), high = *std::max_element(q, q + 4);
  for (int i = 0; i < 200; ++i) {
    const double m = (low + high) / 2;
    double slope = 0;
    for (const double value : q) slope += (value > m ? tau : 1 - tau) * (value - m);
    (slope > 0 ? low : high) = m;
  }
  return low;
}

struct Values {
  std::vector<double> cost, reward;
};
/// Value iteration: the least cost, then the best reward where entering a state beyond the threshold is
/// worth -C / (1 - gamma); tau = 1 is the true optimum, below it the expectile over the four moves.
Values solve(double tau, bool penalised) {
  Values v{std::vector<double>(kStates), std::vector<double>(kStates)};
  for (int sweep = 0; sweep < 1000; ++sweep)
    for (int s = 0; s < kStates; ++s) {
      double q_cost[4], q_reward[4];
      for (int a = 0; a < 4; ++a) {
        const Outcome o = move(s, a);
        const auto next = static_cast<std::size_t>(o.next);
        q_cost[a] = o.cost + (o.terminal ? 0 : kDiscount * v.cost[next]);
        const bool unsafe = penalised && !o.terminal && v.cost[next] > kThreshold;
        q_reward[a] =
            unsafe ? -kPenalty / (1 - kDiscount) : o.reward + (o.terminal ? 0 : kDiscount * v.reward[next]);
      }
      v.cost[static_cast<std::size_t>(s)] = expectile_of(q_cost, 1 - tau);
      v.reward[static_cast<std::size_t>(s)] = expectile_of(q_reward, tau);
    }
  return v;
}

/// Every move from every state, each an episode of its own.
DsrlColumns all_moves() {
  DsrlColumns c;
  c.observation_dim = kStates;
  c.action_dim = 2;
  for (int s = 0; s < kStates; ++s)
    for (int a = 0; a < 4 && s != kGoal; ++a) {
      const Outcome o = move(s, a);
      for (int i = 0; i < kStates; ++i) {
        c.observations.push_back(i == s ? 1.0f : 0.0f);
        c.next_observations.push_back(i == o.next ? 1.0f : 0.0f);
      }
      const float x[] = {1, -1, 0, 0}, y[] = {0, 0, 1, -1};
      c.actions.insert(c.actions.end(), {x[a], y[a]});
      c.rewards.push_back(static_cast<float>(o.reward));
      c.costs.push_back(static_cast<float>(o.cost));
      c.terminals.push_back(o.terminal);
      c.timeouts.push_back(!o.terminal);
      ++c.rows;
    }
  return c;
}

}  // namespace

TEST_CASE("the critics of a grid world equal dynamic programming") {
  Settings settings;
  settings.chunk_length = 1;
  settings.discount = kDiscount;
  settings.penalty = kPenalty;
  settings.expectile = 0.99;
  settings.hidden = {64, 64};
  settings.batch = 96;
  settings.polyak = 0.05;
  const TrainingData<float> data(make_dataset(all_moves(), "grid"), settings, *on_cpu());
  REQUIRE(data.windows() == 4 * (kStates - 1));
  settings.threshold = Threshold::zero;  // given, since a quantile of so few states would lie on one of them
  const Method<float> method = make_method<float>(settings, data.dimensions());
  MethodNetworks<float> networks(settings, data.dimensions(), *on_cpu());
  const auto pool = on_cpu();
  StepState state;
  float threshold = kThreshold;
  RecorderInputs<float> inputs;
  inputs.settings = &settings;
  inputs.networks = &networks;
  inputs.source = data.source();
  inputs.state = &state;
  inputs.scalars = {{"threshold", &threshold}};
  for (const double rate : {2e-3, 1e-3, 2e-4}) {
    settings.learning_rate = rate;
    Step<float> step(stages_of(method, "critics"), inputs, pool);
    for (int i = 0; i < 2000; ++i) step.run();
  }
  const WindowColumns<float> learned = evaluate_windows(inputs, pool, method.inspect);
  const auto column = [&](const std::string& name) {
    for (const auto& [key, values] : learned)
      if (key == name) return values;
    FAIL("no " << name);
    return std::vector<float>();
  };
  const std::vector<float> v_cost = column("v_c"), v_reward = column("v_r");
  const Values expected = solve(settings.expectile, true), optimum = solve(1, true), greedy = solve(1, false);
  int doomed = 0, spared = 0;
  for (int s = 0, window = 0; s < kStates; ++s) {
    if (s == kGoal) continue;  // nothing starts there
    const auto i = static_cast<std::size_t>(s), w = static_cast<std::size_t>(window);
    const double cost = static_cast<double>(v_cost[w]), reward = static_cast<double>(v_reward[w]);
    window += 4;  // the four moves of a state share its values
    INFO("state (" << s / kSide << ", " << s % kSide << "): cost " << cost << " for " << expected.cost[i]
                   << " and " << optimum.cost[i] << ", reward " << reward << " for " << expected.reward[i]
                   << " and " << optimum.reward[i]);
    // The fixed point of the expectile over the four moves is what is learned; small nets that share weights,
    // and a minimum and maximum over twins, leave up to 0.15 of cost and 0.12 of reward over eight seeds.
    CHECK(near(cost, expected.cost[i], 0.25));
    CHECK(near(reward, expected.reward[i], 0.5));
    // The 0.99-expectile of four values is below the best by 1/99 of the others' distances, of which two are
    // 17 beside the slope; repetition raises that to 0.85 of reward and 0.15 of cost.
    CHECK(near(cost, optimum.cost[i], 0.25 + 0.15));
    CHECK(near(reward, optimum.reward[i], 0.5 + 0.85));
    CHECK(near(expected.cost[i], optimum.cost[i], 0.15));
    CHECK(near(expected.reward[i], optimum.reward[i], 0.85));
    // The region is exact: no state's least cost is within 4 of the threshold.
    REQUIRE(std::abs(optimum.cost[i] - kThreshold) > 4);
    CHECK((cost <= kThreshold) == (optimum.cost[i] <= kThreshold));
    doomed += cost > kThreshold;
    spared += greedy.reward[i] > optimum.reward[i] + 0.5 && cost <= kThreshold && reward > 0;
  }
  CHECK(doomed == 7);   // the pit and its slope
  CHECK(spared == 17);  // everywhere else greed promises more, by way of the pit
}

TEST_CASE("the flow learns Gaussians, and the label chooses among them") {
  // One action: 0.4 + 0.1 z where the label is good, -0.3 + 0.2 z where it is bad, as often as each other.
  constexpr std::uint32_t n = 20000;
  std::vector<float> observations(2 * n, 1.0f), actions(2 * n), zeros(2 * n), ones(2 * n, 1.0f);
  std::vector<std::uint32_t> starts(n);
  std::vector<float> labels(n);
  for (std::uint32_t i = 0; i < n; ++i) {
    const float z = random_normal(41, Purpose::test, 90, i, 0);
    labels[i] = i % 2 == 0 ? kLabelGood : kLabelBad;
    actions[2 * i] = i % 2 == 0 ? 0.4f + 0.1f * z : -0.3f + 0.2f * z;
    starts[i] = 2 * i;
  }
  Settings settings;
  settings.chunk_length = 1;
  settings.hidden = {64, 64};
  settings.batch = 256;
  settings.label_dim = 4;
  const Method<float> method = make_method<float>(settings, {1, 1, 1});
  MethodNetworks<float> networks(settings, {1, 1, 1}, *on_cpu());
  const auto pool = on_cpu();
  StepState state;
  RecorderInputs<float> inputs;
  inputs.settings = &settings;
  inputs.networks = &networks;
  inputs.source = {observations.data(),
                   actions.data(),
                   zeros.data(),
                   zeros.data(),
                   ones.data(),
                   starts.data(),
                   n,
                   1,
                   1,
                   1,
                   0.9f};
  inputs.state = &state;
  inputs.with_earlier_stages = false;
  inputs.column = [&](const std::string&, const RecordColumn<float>&) { return labels.data(); };
  for (const double rate : {3e-3, 3e-4}) {
    settings.learning_rate = rate;
    Step<float> step(stages_of(method, "actor"), inputs, pool);
    for (int i = 0; i < 1500; ++i) step.run();
  }
  constexpr std::size_t many = 4000;
  std::vector<float> observation(many, 1.0f), noise(many), action(many);
  const auto moments = [&](int label, double guidance) {
    Sampler<float> sampler = sampler_of(networks, {{32, guidance, label}, 1}, pool);
    sampler.draw_noise(1, 0, 0, noise);
    sampler.sample(observation, noise, {action, {}, {}, {}});
    double mean = 0, square = 0;
    for (const float a : action) {
      mean += static_cast<double>(a) / many;
      square += static_cast<double>(a) * static_cast<double>(a) / many;
    }
    return std::pair(mean, std::sqrt(square - mean * mean));
  };
  // Means of 4000 samples vary by 0.003; the field's own error dominates: a twentieth of the noise's
  // deviation.
  const auto good = moments(kLabelGood, 1), bad = moments(kLabelBad, 1), null = moments(kLabelNull, 2),
             pushed = moments(kLabelGood, 2);
  INFO(good.first << " " << good.second << ", " << bad.first << " " << bad.second << ", " << null.first << " "
                  << null.second << ", " << pushed.first << " " << pushed.second);
  CHECK(near(good.first, 0.4, 0.05));
  CHECK(near(good.second, 0.1, 0.05));
  CHECK(near(bad.first, -0.3, 0.05));
  CHECK(near(bad.second, 0.2, 0.05));
  // No label: the mixture, of mean 0.05 and deviation sqrt((0.01 + 0.04) / 2 + 0.35^2) = 0.384.
  CHECK(near(null.first, 0.05, 0.05));
  CHECK(near(null.second, 0.384, 0.05));
  CHECK(pushed.first > good.first);  // guidance beyond 1 moves further from the mixture
}
