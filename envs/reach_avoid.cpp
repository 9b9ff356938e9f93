#include "envs/reach_avoid.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.h"
#include "base/philox.h"

namespace r2pac {

namespace reach_avoid {

float distance(Vec2 a, Vec2 b) {
  const float dx = a.x - b.x, dy = a.y - b.y;
  return std::sqrt(dx * dx + dy * dy);
}

float clearance(Vec2 point, const Disc& disc) { return distance(point, disc.center) - disc.radius; }

float hazard_clearance(Vec2 point) {
  float nearest = clearance(point, kHazards.front());
  for (const Disc& hazard : kHazards) nearest = std::min(nearest, clearance(point, hazard));
  return nearest;
}

bool at_goal(Vec2 point) { return clearance(point, kGoal) <= 0.0f; }

namespace {

void advance_axis(float& position, float& velocity, float action) {
  velocity = kDrag * velocity + kAcceleration * std::clamp(action, -1.0f, 1.0f);
  position += velocity;
  if (std::abs(position) > 1.0f) {
    position = std::copysign(1.0f, position);
    velocity = 0.0f;
  }
}

}  // namespace

State advance(const State& state, Vec2 action) {
  State next = state;
  advance_axis(next.position.x, next.velocity.x, action.x);
  advance_axis(next.position.y, next.velocity.y, action.y);
  return next;
}

float reward(const State& before, const State& after) {
  const float progress = distance(before.position, kGoal.center) - distance(after.position, kGoal.center);
  return kProgressReward * progress + (at_goal(after.position) ? kGoalReward : 0.0f);
}

float cost(const State& after) { return hazard_clearance(after.position) < 0.0f ? 1.0f : 0.0f; }

std::array<float, kObservationDim> observation(const State& state) {
  const auto scaled = [&](const Disc& hazard) {
    return std::clamp(clearance(state.position, hazard) / 0.5f, -1.0f, 1.0f);
  };
  return {state.position.x,
          state.position.y,
          state.velocity.x / kTopSpeed,
          state.velocity.y / kTopSpeed,
          distance(state.position, kGoal.center) / 2.0f,
          scaled(kHazards[0]),
          scaled(kHazards[1])};
}

State start(std::uint64_t seed, int episode) {
  const auto uniform = [&](std::uint32_t lane, float low, float high) {
    return low + (high - low) * random_uniform(seed, Purpose::environment_start,
                                               static_cast<std::uint64_t>(episode), 0, lane);
  };
  const auto& [low, high] = kStartRegion;
  return {.position = {uniform(0, low.x, high.x), uniform(1, low.y, high.y)}, .velocity = {}};
}

}  // namespace reach_avoid

ReachAvoid::ReachAvoid(int count) {
  if (count < 1)
    throw InvalidArgument("ReachAvoid: count is " + std::to_string(count) + ", expected at least 1");
  const auto n = static_cast<std::size_t>(count);
  states_.resize(n);
  observations_.resize(n * reach_avoid::kObservationDim);
  rewards_.resize(n);
  costs_.resize(n);
  terminals_.resize(n);
  timeouts_.resize(n);
  reset(0, 0);
}

void ReachAvoid::reset(std::uint64_t seed, int first_episode) {
  if (first_episode < 0) throw InvalidArgument("ReachAvoid::reset: first_episode is negative");
  for (std::size_t i = 0; i < states_.size(); ++i) {
    states_[i] = reach_avoid::start(seed, first_episode + static_cast<int>(i));
    write_observation(i);
  }
  std::ranges::fill(rewards_, 0.0);
  std::ranges::fill(costs_, 0.0);
  std::ranges::fill(timeouts_, std::uint8_t{0});
  steps_taken_ = 0;
}

void ReachAvoid::step(std::span<const float> actions) {
  const std::size_t expected = states_.size() * reach_avoid::kActionDim;
  if (actions.size() != expected)
    throw InvalidArgument("ReachAvoid::step: actions has " + std::to_string(actions.size()) +
                          " values, expected " + std::to_string(expected));
  std::ranges::fill(rewards_, 0.0);
  std::ranges::fill(costs_, 0.0);
  if (steps_taken_ == reach_avoid::kEpisodeSteps) return;
  for (std::size_t i = 0; i < expected; ++i)
    if (!std::isfinite(actions[i]))
      throw InvalidArgument("ReachAvoid::step: action " + std::to_string(i % reach_avoid::kActionDim) +
                            " of copy " + std::to_string(i / reach_avoid::kActionDim) + " is not finite");
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const reach_avoid::State before = states_[i];
    states_[i] = reach_avoid::advance(before, {actions[2 * i], actions[2 * i + 1]});
    rewards_[i] = static_cast<double>(reach_avoid::reward(before, states_[i]));
    costs_[i] = static_cast<double>(reach_avoid::cost(states_[i]));
    write_observation(i);
  }
  if (++steps_taken_ == reach_avoid::kEpisodeSteps) std::ranges::fill(timeouts_, std::uint8_t{1});
}

void ReachAvoid::write_observation(std::size_t copy) {
  std::ranges::copy(reach_avoid::observation(states_[copy]),
                    observations_.begin() + static_cast<std::ptrdiff_t>(copy * reach_avoid::kObservationDim));
}

}  // namespace r2pac
