// The built-in robot: physics, its drivers' data, and evaluation that no neighbour disturbs.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/philox.h"
#include "envs/drivers.h"
#include "envs/evaluate.h"

using namespace r2pac;
using namespace r2pac::reach_avoid;

namespace {

float sum(const std::vector<float>& values) { return std::accumulate(values.begin(), values.end(), 0.0f); }

float noise(std::uint64_t episode, int step, std::uint32_t lane) {
  return 2 * random_uniform(9, Purpose::test, episode, static_cast<std::uint32_t>(step), lane) - 1;
}

// Acts on its own row, episode and step alone, as a batched policy should.
void wobbly_policy(std::span<const float> observations, std::span<const std::int64_t> episode,
                   std::span<const int> step, std::span<const double>, std::span<float> actions) {
  for (std::size_t i = 0; i < episode.size(); ++i)
    for (std::uint32_t axis = 0; axis < 2; ++axis)
      actions[2 * i + axis] = 0.5f - 0.3f * observations[7 * i + axis] +
                              0.8f * noise(static_cast<std::uint64_t>(episode[i]), step[i], axis);
}

bool same(const EpisodeResult& a, const EpisodeResult& b) {
  return a.episode == b.episode && a.episode_return == b.episode_return && a.episode_cost == b.episode_cost &&
         a.length == b.length && a.terminated == b.terminated && a.observations == b.observations;
}

// Copy i ends with a terminal after 2 + i % 3 of 4 steps, or is cut at 4; the reward is the action.
class Countdown final : public VectorEnvironment {
 public:
  int count() const override { return 3; }
  int observation_dim() const override { return 1; }
  int action_dim() const override { return 1; }
  int episode_steps() const override { return 4; }
  void reset(std::uint64_t, int first_episode) override {
    for (std::size_t i = 0; i < 3; ++i) {
      left_[i] = 2 + (first_episode + static_cast<int>(i)) % 3;
      observations_[i] = static_cast<float>(left_[i]);
      terminals_[i] = timeouts_[i] = 0;
    }
  }
  std::span<const float> observations() const override { return observations_; }
  void step(std::span<const float> actions) override {
    for (std::size_t i = 0; i < 3; ++i) {
      const bool live = left_[i] > 0;
      rewards_[i] = live ? static_cast<double>(actions[i]) : 0.0;
      costs_[i] = live ? 1.0 : 0.0;
      if (live) observations_[i] = static_cast<float>(--left_[i]);
      if (live && left_[i] == 0) (initial(i) == 4 ? timeouts_ : terminals_)[i] = 1;
    }
  }
  std::span<const double> rewards() const override { return rewards_; }
  std::span<const double> costs() const override { return costs_; }
  std::span<const std::uint8_t> terminals() const override { return terminals_; }
  std::span<const std::uint8_t> timeouts() const override { return timeouts_; }

 private:
  int initial(std::size_t i) const { return 2 + static_cast<int>(i) % 3; }
  int left_[3]{};
  float observations_[3]{};
  double rewards_[3]{}, costs_[3]{};
  std::uint8_t terminals_[3]{}, timeouts_[3]{};
};

}  // namespace

TEST_CASE("the robot keeps its momentum, respects its top speed and stops at the edges") {
  State state{.position = {0.1f, 0.9f}, .velocity = {0.02f, 0.0f}};
  const State coasting = advance(state, {0, 0});
  // One rounding more or less of numbers near 0.1, where a compiler fuses multiplication and addition.
  CHECK(std::abs(coasting.velocity.x - kDrag * 0.02f) < 1e-8f);
  CHECK(std::abs(coasting.position.x - (0.1f + kDrag * 0.02f)) < 2e-8f);
  CHECK(advance(state, {7, -9}).velocity.x == advance(state, {1, -1}).velocity.x);
  CHECK(advance(state, {7, -9}).velocity.y == advance(state, {1, -1}).velocity.y);
  state = {.position = {-1.0f, 0.0f}, .velocity = {}};
  float fastest = 0;
  for (int i = 0; i < 200; ++i) {
    state = advance(state, {1, 1});
    fastest = std::max(fastest, state.velocity.x);
    CHECK(std::abs(state.position.x) <= 1.0f);
    CHECK(std::abs(state.position.y) <= 1.0f);
  }
  // The bound is approached geometrically; 1e-6 is rounding of some tens of float operations at 0.05.
  CHECK(fastest <= kTopSpeed + 1e-6f);
  CHECK(state.position.x == 1.0f);
  CHECK(state.velocity.x == 0.0f);
}

TEST_CASE("cost is 1 exactly inside a hazard, and reward is progress plus the goal's") {
  const State inside{.position = kHazards[1].center, .velocity = {}};
  const State outside{.position = {-0.9f, 0.0f}, .velocity = {}};
  CHECK(cost(inside) == 1.0f);
  CHECK(cost(outside) == 0.0f);
  for (const Disc& hazard : kHazards) {
    const float height = hazard.center.y + 0.99f * hazard.radius;
    CHECK(cost({.position = {hazard.center.x, height}, .velocity = {}}) == 1.0f);
    CHECK(clearance({hazard.center.x - 1.01f * hazard.radius, hazard.center.y}, hazard) > 0.0f);
  }
  CHECK(cost({.position = {0.0f, 0.67f}, .velocity = {}}) == 0.0f);  // just above the small hazard
  const State goal{.position = kGoal.center, .velocity = {}};
  CHECK(cost(goal) == 0.0f);
  CHECK(reward(goal, goal) == kGoalReward);
  CHECK(reward(outside, outside) == 0.0f);
  // Distance 1.7 to the centre of the goal; a few roundings of numbers near 3.
  CHECK(std::abs(reward(outside, goal) - (1.7f * kProgressReward + kGoalReward)) < 1e-6f);
}

TEST_CASE("starts are inside their region, free of hazards, at rest and spread out") {
  double mean_y = 0;
  constexpr int kStarts = 4000;
  for (int e = 0; e < kStarts; ++e) {
    const State s = start(5, e);
    REQUIRE(s.position.x >= kStartRegion.low.x);
    REQUIRE(s.position.x <= kStartRegion.high.x);
    REQUIRE(s.position.y >= kStartRegion.low.y);
    REQUIRE(s.position.y <= kStartRegion.high.y);
    REQUIRE(hazard_clearance(s.position) > 0.1f);
    REQUIRE(s.velocity.x == 0.0f);
    mean_y += static_cast<double>(s.position.y) / kStarts;
  }
  // Uniform on 0.8: standard deviation of the mean 0.8 / sqrt(12 * 4000) = 0.0037; six of them.
  CHECK(std::abs(mean_y) < 0.022);
  CHECK(start(5, 1).position.x == start(5, 1).position.x);
  CHECK(start(5, 1).position.x != start(5, 2).position.x);
  CHECK(start(5, 1).position.x != start(6, 1).position.x);
}

TEST_CASE("every crossing between the hazards costs more than the limit") {
  CHECK(static_cast<float>(kShortCutCost) > ReachAvoidTask::cost_limit);
  // At full speed along every height of the neck, from every phase of the step.
  float least = 1000;
  for (int height = 0; height <= 40; ++height)
    for (int phase = 0; phase < 25; ++phase) {
      const float x = -0.5f + 0.002f * static_cast<float>(phase);
      const float y = -0.07f + 0.005f * static_cast<float>(height);
      State s{.position = {x, y}, .velocity = {kTopSpeed, 0.0f}};
      float paid = 0;
      while (s.position.x < 0.5f) {
        s = advance(s, {1, 0});
        paid += cost(s);
      }
      least = std::min(least, paid);
    }
  CHECK(least == static_cast<float>(kShortCutCost));
}

TEST_CASE("observations are scaled to about one") {
  for (int e = 0; e < 50; ++e) {
    const EpisodeRecord record = drive_episode(1, e);
    // The goal's distance is at most 1.03 (from a corner); everything else is within 1 by construction,
    // velocity up to rounding.
    for (const float value : record.observations) REQUIRE(std::abs(value) <= 1.04f);
  }
}

TEST_CASE("copies are deterministic, end together by a timeout and then stay put") {
  ReachAvoid environment(3), again(2);
  environment.reset(11, 4);
  again.reset(11, 5);  // copy i here is copy i + 1 there
  std::vector<float> actions(6);
  for (int t = 0; t < kEpisodeSteps; ++t) {
    CHECK(environment.timeouts()[0] == 0);
    for (std::uint32_t i = 0; i < 6; ++i) actions[i] = 1.5f * noise(0, t, i);
    environment.step(actions);
    again.step(std::span(actions).subspan(2));
    REQUIRE(std::ranges::equal(environment.observations().subspan(7), again.observations()));
    REQUIRE(std::ranges::equal(environment.rewards().subspan(1), again.rewards()));
    REQUIRE(std::ranges::equal(environment.costs().subspan(1), again.costs()));
  }
  const std::vector<float> last(environment.observations().begin(), environment.observations().end());
  CHECK(std::ranges::count(environment.timeouts(), 1) == 3);
  CHECK(std::ranges::count(environment.terminals(), 0) == 3);
  environment.step(actions);
  CHECK(std::ranges::equal(environment.observations(), last));
  CHECK(std::ranges::count(environment.rewards(), 0.0) == 3);
}

TEST_CASE("wrong sizes and actions that are not finite are refused") {
  CHECK_THROWS_AS(ReachAvoid(0), InvalidArgument);
  ReachAvoid environment(2);
  CHECK_THROWS_AS(environment.step(std::vector<float>(3)), InvalidArgument);
  CHECK_THROWS_AS(environment.step(std::vector<float>{0, 0, 0, std::numeric_limits<float>::quiet_NaN()}),
                  InvalidArgument);
  CHECK_THROWS_AS(environment.reset(0, -1), InvalidArgument);
}

TEST_CASE("a driver's record replays in the environment bit by bit") {
  ReachAvoid environment(4);
  environment.reset(3, 20);
  std::vector<EpisodeRecord> records;
  for (int e = 20; e < 24; ++e) records.push_back(drive_episode(3, e));
  for (std::size_t t = 0; t <= static_cast<std::size_t>(kEpisodeSteps); ++t) {
    for (std::size_t i = 0; i < 4; ++i)
      REQUIRE(std::ranges::equal(environment.observations().subspan(7 * i, 7),
                                 std::span(records[i].observations).subspan(7 * t, 7)));
    if (t == static_cast<std::size_t>(kEpisodeSteps)) break;
    std::vector<float> actions;
    for (const auto& record : records)
      actions.insert(actions.end(), {record.actions[2 * t], record.actions[2 * t + 1]});
    environment.step(actions);
    for (std::size_t i = 0; i < 4; ++i) {
      REQUIRE(environment.rewards()[i] == static_cast<double>(records[i].rewards[t]));
      REQUIRE(environment.costs()[i] == static_cast<double>(records[i].costs[t]));
    }
  }
}

TEST_CASE("the drivers' data is mixed: unsafe on average, with good safe episodes in it") {
  // 4000 episodes. Six standard errors: share within the limit 0.045, mean cost 10.4 / sqrt(4000) * 6 = 1.0,
  // mean return 1.63 / sqrt(4000) * 6 = 0.16. The bands are wider than that around what 20000 episodes show.
  constexpr int kEpisodes = 4000;
  int within = 0, good_and_safe = 0, unsettled = 0;
  double cost_sum = 0, bold_return = 0, timid_return = 0;
  int bold = 0, timid = 0;
  float least = 1e9f, most = -1e9f, dearest = 0;
  for (int e = 0; e < kEpisodes; ++e) {
    const EpisodeRecord record = drive_episode(0, e);
    const float paid = sum(record.costs), earned = sum(record.rewards);
    REQUIRE(record.observations.size() == 101 * 7);
    REQUIRE(record.actions.size() == 200);
    REQUIRE(!record.terminal);
    for (const float a : record.actions) REQUIRE(std::abs(a) <= 1.0f);
    const bool safe = paid <= ReachAvoidTask::cost_limit;
    const Driver driver = draw_driver(0, e);
    if (driver.change_step < 0 && driver.wander_steps == 0) {
      (driver.route == Route::round ? timid_return : bold_return) += static_cast<double>(earned);
      ++(driver.route == Route::round ? timid : bold);
    } else {
      ++unsettled;
    }
    within += safe;
    good_and_safe += safe && earned >= 7.0f;
    cost_sum += static_cast<double>(paid);
    least = std::min(least, earned);
    most = std::max(most, earned);
    dearest = std::max(dearest, paid);
  }
  CHECK(within > 0.27 * kEpisodes);
  CHECK(within < 0.39 * kEpisodes);
  CHECK(good_and_safe > 0.12 * kEpisodes);
  CHECK(unsettled > 0.25 * kEpisodes);
  CHECK(cost_sum / kEpisodes > 1.7 * static_cast<double>(ReachAvoidTask::cost_limit));
  CHECK(cost_sum / kEpisodes < 12.0);
  CHECK(dearest >= 40.0f);
  CHECK(bold_return / bold > timid_return / timid + 1.0);
  // The published bounds hold for these first 4000 of the 20000 episodes, and the upper one is nearly met.
  CHECK(least >= ReachAvoidTask::min_return - 0.005f);
  CHECK(most <= ReachAvoidTask::max_return + 0.005f);
  CHECK(most > ReachAvoidTask::max_return - 0.1f);
}

TEST_CASE("an episode's result does not depend on the episodes beside it") {
  ReachAvoid one(1), five(5), many(64);
  const EvaluationResult alone = evaluate(one, 12, 2, wobbly_policy, {.record = true});
  const EvaluationResult waves = evaluate(five, 12, 2, wobbly_policy, {.record = true});
  const EvaluationResult beside = evaluate(many, 40, 2, wobbly_policy, {.record = true});
  REQUIRE(alone.episodes.size() == 12);
  for (std::size_t e = 0; e < 12; ++e) {
    CHECK(alone.episodes[e].observations.size() == 101 * 7);
    CHECK(same(alone.episodes[e], waves.episodes[e]));
    CHECK(same(alone.episodes[e], beside.episodes[e]));
  }
  CHECK(alone.return_mean == waves.return_mean);
  CHECK(alone.episodes[0].episode_return != alone.episodes[1].episode_return);
  CHECK(evaluate(one, 1, 2, wobbly_policy).episodes[0].observations.empty());
}

TEST_CASE("evaluation passes on only unfinished episodes and counts each to its own end") {
  Countdown environment;
  std::vector<std::size_t> sizes;
  const BatchPolicy policy = [&](auto, auto episode, auto step, auto spent, std::span<float> actions) {
    sizes.push_back(episode.size());
    for (std::size_t i = 0; i < spent.size(); ++i) CHECK(spent[i] == step[i]);  // each step costs 1
    for (std::size_t i = 0; i < actions.size(); ++i) actions[i] = static_cast<float>(episode[i] + 1);
  };
  const EvaluationResult result = evaluate(environment, 3, 0, policy);
  CHECK(sizes == std::vector<std::size_t>{3, 3, 2, 1});
  CHECK(result.episodes[0].length == 2);
  CHECK(result.episodes[1].length == 3);
  CHECK(result.episodes[2].length == 4);
  CHECK(result.episodes[0].terminated);
  CHECK(!result.episodes[2].terminated);
  // Returns 2, 6, 12 and costs 2, 3, 4: means 20/3 and 3, sample variances 76/3 and 1; a few roundings.
  CHECK(std::abs(result.return_mean - 20.0 / 3) < 1e-14);
  CHECK(std::abs(result.return_std - std::sqrt(76.0 / 3)) < 1e-14);
  CHECK(result.cost_mean == 3.0);
  CHECK(result.cost_std == 1.0);
  CHECK(result.length_mean == Approx(3.0));
}

TEST_CASE("evaluation refuses no episodes and a policy that leaves a row out") {
  ReachAvoid environment(2);
  CHECK_THROWS_AS(evaluate(environment, 0, 0, wobbly_policy), InvalidArgument);
  const BatchPolicy forgetful = [](auto, auto, auto, auto, std::span<float> a) { a[0] = a[1] = 0; };
  CHECK_THROWS_WITH(evaluate(environment, 2, 0, forgetful), Catch::Contains("episode 1 at step 0"));
}
