// Fitted Q evaluation against values that are known: chains in closed form, how often intervals hold the
// value, bits, and how far actions lie from the data.
#include <catch2/catch.hpp>
#include <cmath>

#include "data_support.h"
#include "on_cpu.h"
#include "training/action_support.h"
#include "training/fitted_q.h"

namespace r2pac {
namespace {

/// Uniform in [-1, 1], of a number that names it.
float uniform(std::uint64_t set, std::uint32_t row, std::uint32_t lane = 0) {
  return 2 * random_uniform(21, Purpose::test, set, row, lane) - 1;
}

/// Episodes of two steps from 0, with random actions a and b. The second state is a. The first step earns
/// 1 - a / 2 and costs a^2, the second earns a + b and costs 1 where `second_costs`; then all ends.
Dataset two_steps(int episodes, bool second_costs) {
  DsrlColumns c;
  c.observation_dim = c.action_dim = 1;
  for (std::uint32_t e = 0; e < static_cast<std::uint32_t>(episodes); ++e) {
    const float a = uniform(0, e, 0), b = uniform(0, e, 1);
    c.observations.insert(c.observations.end(), {0, a});
    c.next_observations.insert(c.next_observations.end(), {a, 0});
    c.actions.insert(c.actions.end(), {a, b});
    c.rewards.insert(c.rewards.end(), {1 - a / 2, a + b});
    c.costs.insert(c.costs.end(), {a * a, second_costs ? 1.0f : 0.0f});
    c.terminals.insert(c.terminals.end(), {0, 1});
    c.timeouts.insert(c.timeouts.end(), {0, 0});
    c.rows += 2;
  }
  return make_dataset(c, "two steps");
}

FittedQOptions small_fit() {
  FittedQOptions fit;
  fit.hidden = {32, 32};
  fit.members = 4;
  fit.steps = 1200;
  fit.discount = 0.8;
  return fit;
}

SignalEstimates fitted(const Dataset& data, std::int64_t horizon, const FittedQOptions& fit, float action,
                       int threads = 1) {
  const std::vector<float> actions(data.actions.size(), action);
  const auto found = fitted_q(with_horizon(data, horizon), horizon, actions, {}, fit,
                              threads == 1 ? on_cpu() : cpu_device(threads));
  REQUIRE(found.has_value());
  return *found;
}

}  // namespace

TEST_CASE("the values of a chain of two steps are those in closed form") {
  const FittedQOptions fit = small_fit();
  // The networks come within some hundredths of the sums, which are of order one, in so few steps.
  constexpr double kFit = 0.06;
  for (const float action : {0.5f, -0.5f}) {
    const SignalEstimates found = fitted(two_steps(400, true), 2, fit, action);
    CHECK(found.reward.mean == Approx(1 - action / 2 + 0.8 * (2 * action)).margin(kFit));
    CHECK(found.cost.mean == Approx(0.25 + 0.8).margin(kFit));
    for (const ValueEstimate& e : {found.reward, found.cost}) {
      CHECK(e.interval.low < e.mean);
      CHECK(e.mean < e.interval.high);
    }
  }
  // What is beyond the horizon does not count.
  const SignalEstimates first = fitted(two_steps(400, true), 1, fit, 0.5f);
  CHECK(first.reward.mean == Approx(0.75).margin(kFit));
  CHECK(first.cost.mean == Approx(0.25).margin(kFit));
  // The policy's second action is asked in the state that its first one leads to: unlike the data, where cost
  // and state go together.
  const SignalEstimates free = fitted(two_steps(400, false), 2, fit, 0.0f);
  CHECK(free.cost.mean == Approx(0).margin(kFit));
  CHECK(free.cost.interval.low >= 0);  // no cost is negative
}

TEST_CASE("the cost so far is a part of the state where it is given") {
  // One state, two steps. The first step costs 1 or nothing by chance, whatever is done; the second earns
  // what the first cost. Only who sees the cost so far can tell.
  DsrlColumns c;
  c.observation_dim = c.action_dim = 1;
  for (std::uint32_t e = 0; e < 300; ++e) {
    const float cost = uniform(3, e) > 0 ? 1.0f : 0.0f;
    c.observations.insert(c.observations.end(), {0, 0});
    c.next_observations.insert(c.next_observations.end(), {0, 0});
    c.actions.insert(c.actions.end(), {uniform(3, e, 1), uniform(3, e, 2)});
    c.rewards.insert(c.rewards.end(), {0, cost});
    c.costs.insert(c.costs.end(), {cost, 0});
    c.terminals.insert(c.terminals.end(), {0, 1});
    c.timeouts.insert(c.timeouts.end(), {0, 0});
    c.rows += 2;
  }
  const Dataset data = with_horizon(make_dataset(c, "chance"), 2);
  const std::vector<float> actions(data.actions.size(), 0.0f);
  std::vector<double> spent(data.costs.size(), 0.0);
  for (const Episode& episode : data.episodes)
    for (int t = 1; t <= 2; ++t)
      spent[static_cast<std::size_t>(episode.first + t)] =
          data.costs[static_cast<std::size_t>(episode.first)];
  const auto found = fitted_q(data, 2, actions, spent, small_fit(), on_cpu());
  REQUIRE(found.has_value());
  const double share = recorded_estimates(data, small_fit()).cost.mean;
  // The mean is that of the data either way; four members that each believe another resample of 300 coins
  // differ by 0.03, and the fit by as much.
  CHECK(found->reward.mean == Approx(0.8 * share).margin(0.06));
}

TEST_CASE("recorded episodes have their own discounted sums") {
  FittedQOptions fit = small_fit();
  const Dataset data = with_horizon(two_steps(50, true), 2);
  double sum = 0;
  for (const Episode& episode : data.episodes) {
    const auto i = static_cast<std::size_t>(episode.first);
    sum += (double{data.rewards[i]} + 0.8 * double{data.rewards[i + 1]}) / 50;
  }
  const SignalEstimates own = recorded_estimates(data, fit);
  CHECK(own.reward.mean == Approx(sum));
  CHECK(own.reward.interval.low < sum);
  CHECK(own.reward.interval.high > sum);
}

TEST_CASE("the interval holds the value about as often as it says") {
  // One step that earns its action, with noise as great as the actions' spread. The data act at random, the
  // policy says 0.5, so that its true value is 0.5. With 30 of 40 intervals or fewer the promise of 95 %
  // would be broken: an honest one holds at least 34 with a probability of 99.7 % (binomial). Fitting gives
  // away some of that, for the shape of the networks is shared.
  FittedQOptions fit;
  fit.hidden = {16};
  fit.members = 8;
  fit.steps = 150;
  fit.batch = 64;
  int held = 0;
  double width = 0;
  constexpr int kSets = 40, kEpisodes = 60;
  for (std::uint64_t set = 0; set < kSets; ++set) {
    DsrlColumns c;
    c.observation_dim = c.action_dim = 1;
    c.rows = kEpisodes;
    for (std::uint32_t e = 0; e < kEpisodes; ++e) {
      const float action = uniform(100 + set, e, 0);
      c.observations.push_back(uniform(100 + set, e, 1));
      c.next_observations.push_back(0);
      c.actions.push_back(action);
      c.rewards.push_back(action + 0.5f * random_normal(21, Purpose::test, 100 + set, e, 2));
      c.costs.push_back(0);
      c.terminals.push_back(1);
      c.timeouts.push_back(0);
    }
    fit.seed = set;
    const ValueEstimate found = fitted(make_dataset(c, "noise"), 1, fit, 0.5f).reward;
    held += found.interval.low <= 0.5 && 0.5 <= found.interval.high;
    width += (found.interval.high - found.interval.low) / kSets;
  }
  CAPTURE(width);
  CHECK(held >= 34);
  // A line through all points, the best that one can do, has an interval of 2 * 2 * 0.5 sqrt((1 + 0.75) / 60)
  // = 0.34.
  CHECK(width < 3 * 0.34);
}

TEST_CASE("an estimate has the same bits for any number of threads, and others for another seed") {
  FittedQOptions fit = small_fit();
  fit.steps = 100;
  const Dataset data = two_steps(60, true);
  const SignalEstimates one = fitted(data, 2, fit, 0.5f), three = fitted(data, 2, fit, 0.5f, 3);
  CHECK(one.reward.mean == three.reward.mean);
  CHECK(one.cost.interval.low == three.cost.interval.low);
  CHECK(one.cost.interval.high == three.cost.interval.high);
  fit.seed = 1;
  CHECK(fitted(data, 2, fit, 0.5f).reward.mean != one.reward.mean);
}

TEST_CASE("one episode is refused, and so is what does not fit") {
  CHECK_THROWS_AS(with_horizon(two_steps(1, true), 2), Error);
  const Dataset data = with_horizon(two_steps(4, true), 2);
  const std::vector<float> short_of_actions(data.actions.size() - 1);
  CHECK_THROWS_AS(fitted_q(data, 2, short_of_actions, {}, small_fit(), on_cpu()), InvalidArgument);
  int asked = 0;
  CHECK_FALSE(fitted_q(data, 2, data.actions, {}, small_fit(), on_cpu(), [&](std::int64_t) {
                return ++asked > 3;
              }).has_value());
}

TEST_CASE("actions are far where the data have none like them") {
  // The recorded action is the state, with noise of 0.1.
  DsrlColumns c;
  c.observation_dim = c.action_dim = 1;
  for (std::uint32_t e = 0; e < 40; ++e)
    for (std::uint32_t t = 0; t < 25; ++t) {
      const float state = uniform(5, e * 25 + t, 0);
      c.observations.push_back(state);
      c.next_observations.push_back(uniform(5, e * 25 + t + 1, 0));
      c.actions.push_back(0.8f * state + 0.1f * uniform(5, e * 25 + t, 1));
      c.rewards.push_back(0);
      c.costs.push_back(0);
      c.terminals.push_back(0);
      c.timeouts.push_back(t == 24);
      ++c.rows;
    }
  const Dataset data = make_dataset(c, "line");
  const auto share = [&](float slope) {
    std::vector<float> actions;
    for (const float state : data.observations) actions.push_back(slope * state);
    return far_action_share(data, actions, 0);
  };
  CHECK(far_action_share(data, data.actions, 0) ==
        Approx(0.05).margin(0.02));  // by definition, of 500 states
  CHECK(share(0.8f) < 0.05);
  CHECK(share(-0.8f) > 0.5);  // all but the states near zero
}

}  // namespace r2pac
