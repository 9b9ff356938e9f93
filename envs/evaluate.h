// Scoring a policy: many episodes in lock-step, one row per episode.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "envs/environment.h"

namespace r2pac {

/// Chooses actions for n unfinished episodes at once.
/// observations [n, S], episode [n] (ascending) and step [n] (from 0) tell which decision each row is, spent
/// [n] what the episode has cost so far; the policy writes every value of actions [n, A]. For an episode's
/// result not to depend on its neighbours, a policy must treat rows alone and take its random numbers from
/// (episode, step).
using BatchPolicy =
    std::function<void(std::span<const float> observations, std::span<const std::int64_t> episode,
                       std::span<const int> step, std::span<const double> spent, std::span<float> actions)>;

struct EpisodeResult {
  std::int64_t episode = 0;
  double episode_return = 0;        ///< undiscounted sum of rewards
  double episode_cost = 0;          ///< undiscounted sum of costs
  int length = 0;                   ///< steps taken
  bool ended = false;               ///< false only while it runs or waits
  bool terminated = false;          ///< truly ended; false: cut by a timeout
  std::vector<float> observations;  ///< [length + 1, S] if asked for, else empty
};

struct EvaluationOptions {
  bool record = false;           ///< keep every episode's observations, for drawing
  std::function<bool()> stop{};  ///< asked before every decision; true ends the evaluation early
  /// Called after every step with all episodes, those that run or wait included.
  std::function<void(std::span<const EpisodeResult>)> watch{};
};

/// Means, and sample standard deviations (divisor n - 1; 0 for one episode).
struct EvaluationResult {
  std::vector<EpisodeResult> episodes;  ///< those that have ended, in order of `episode`, from 0
  bool complete = true;  ///< false: stopped early; then there may be no episode, and means are 0
  double return_mean = 0, return_std = 0;
  double cost_mean = 0, cost_std = 0;
  double length_mean = 0;
};

/// Runs episodes 0 .. episodes - 1 of `seed`, as many at once as the environment has copies. It is also
/// stopped where the environment throws Interrupted. Throws InvalidArgument when episodes < 1, or when the
/// policy writes an action that is not finite.
EvaluationResult evaluate(VectorEnvironment& environment, int episodes, std::uint64_t seed,
                          const BatchPolicy& policy, const EvaluationOptions& options = {});

}  // namespace r2pac
