// The built-in task: a point robot with inertia reaches a goal and avoids two round hazards.
//
// The hazards overlap a little, so that the straight way to the goal leads through a narrow neck between
// them, a short cut that no driver can take for less than kShortCutCost steps of cost; below, the large
// hazard reaches the edge of the arena. The safe way leads over the top of the small hazard. The robot
// needs about eight steps to stop, so a decision at the mouth of the neck comes too late.
//
// All lengths are in arena units (the arena is [-1, 1] x [-1, 1]); velocities are lengths per step.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "envs/environment.h"

namespace r2pac {

/// A point or a vector of the plane.
struct Vec2 {
  float x = 0, y = 0;
};

struct Disc {
  Vec2 center;
  float radius = 0;
};

/// An axis-aligned rectangle.
struct Box {
  Vec2 low, high;
};

namespace reach_avoid {

inline constexpr std::array<Disc, 2> kHazards{{{{0.0f, 0.33f}, 0.33f}, {{0.0f, -0.50f}, 0.56f}}};
inline constexpr Disc kGoal{{0.80f, 0.0f}, 0.20f};
inline constexpr Box kStartRegion{{-0.95f, -0.40f}, {-0.75f, 0.40f}};

inline constexpr float kDrag = 0.92f;           ///< share of the velocity kept from one step to the next
inline constexpr float kAcceleration = 0.004f;  ///< velocity gained per step at an action of 1
inline constexpr float kTopSpeed = kAcceleration / (1.0f - kDrag);  ///< per axis
inline constexpr float kProgressReward = 2.0f;  ///< per unit of length gained towards the goal
inline constexpr float kGoalReward = 0.1f;      ///< per step that ends in the goal
inline constexpr int kEpisodeSteps = 100;
inline constexpr int kObservationDim = 7;
inline constexpr int kActionDim = 2;
/// Fewest steps of cost on a passage between the hazards: the neck is 0.31 long and the robot moves at
/// most kTopSpeed = 0.05 along it.
inline constexpr int kShortCutCost = 6;

struct State {
  Vec2 position, velocity;
};

/// Distance between two points.
float distance(Vec2 a, Vec2 b);

/// Distance from a point to the edge of a disc; negative inside.
float clearance(Vec2 point, const Disc& disc);

/// Distance from a point to the nearest hazard; negative inside one.
float hazard_clearance(Vec2 point);

/// True in the goal disc, its edge included.
bool at_goal(Vec2 point);

/// One step of the dynamics:  v' = kDrag v + kAcceleration a,  p' = p + v', with a clipped to [-1, 1] per
/// axis. At an edge of the arena p' is moved onto the edge and that component of v' becomes 0.
State advance(const State& state, Vec2 action);

/// kProgressReward (|p - goal| - |p' - goal|), plus kGoalReward if p' is in the goal. Arrival does not end
/// the episode: the robot has to stay, so that values near the goal are smooth and need no terminal.
float reward(const State& before, const State& after);

/// 1 if the state lies inside a hazard, else 0.
float cost(const State& after);

/// What a policy sees, each about within [-1, 1]: position (2), velocity over kTopSpeed (2), half the
/// distance to the goal's centre, and for each hazard its clearance over 0.5, clipped to [-1, 1].
std::array<float, kObservationDim> observation(const State& state);

/// Start of an episode: at rest, uniform in kStartRegion; a function of (seed, episode) alone.
State start(std::uint64_t seed, int episode);

}  // namespace reach_avoid

/// What a training run has to know about the task.
struct ReachAvoidTask {
  static constexpr std::string_view name = "reach-avoid";
  static constexpr int observation_dim = reach_avoid::kObservationDim;
  static constexpr int action_dim = reach_avoid::kActionDim;
  static constexpr int episode_steps = reach_avoid::kEpisodeSteps;
  static constexpr float cost_limit = 5.0f;  ///< cost per episode; below kShortCutCost
  /// Least and greatest return, to 0.01, of the scripted drivers (envs/drivers.h) in episodes 0 .. 19999 of
  /// seed 0, whatever their cost. A normalised return is (return - min) / (max - min).
  static constexpr float min_return = 0.46f;
  static constexpr float max_return = 9.46f;
};

/// Copies of the reach-avoid robot in lock-step.
class ReachAvoid final : public VectorEnvironment {
 public:
  /// count  number of copies, at least 1, else InvalidArgument. Copies start as episodes 0 .. of seed 0.
  explicit ReachAvoid(int count);

  int count() const override { return static_cast<int>(states_.size()); }
  int observation_dim() const override { return reach_avoid::kObservationDim; }
  int action_dim() const override { return reach_avoid::kActionDim; }
  int episode_steps() const override { return reach_avoid::kEpisodeSteps; }

  void reset(std::uint64_t seed, int first_episode) override;
  void step(std::span<const float> actions) override;

  std::span<const float> observations() const override { return observations_; }
  std::span<const double> rewards() const override { return rewards_; }
  std::span<const double> costs() const override { return costs_; }
  std::span<const std::uint8_t> terminals() const override { return terminals_; }
  std::span<const std::uint8_t> timeouts() const override { return timeouts_; }

 private:
  void write_observation(std::size_t copy);

  std::vector<reach_avoid::State> states_;
  std::vector<float> observations_;
  std::vector<double> rewards_, costs_;
  std::vector<std::uint8_t> terminals_, timeouts_;  // terminals stay 0: nothing ends this task but its length
  int steps_taken_ = 0;                             // the same for every copy
};

}  // namespace r2pac
