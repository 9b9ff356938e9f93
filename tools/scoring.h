// Scoring a policy in an environment: the numbers of `eval`, of `train --eval-env` and of the demo.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/statistics.h"
#include "envs/evaluate.h"
#include "policy/policy.h"
#include "settings/tasks.h"
#include "training/evaluation.h"

namespace r2pac {

/// Averages over the decisions of one scoring.
class SpreadMeter {
 public:
  /// candidates [n, C, hA] and their costs [n, C] of n decisions with A action components.
  void add(std::span<const float> candidates, std::span<const float> costs, std::size_t count,
           std::size_t chunk, std::size_t action);
  /// Nothing before the first decision among several candidates.
  std::optional<CandidateSpread> mean() const;

 private:
  CandidateSpread sum_;
  std::size_t decisions_ = 0;
};

/// The policy as evaluate() wants it: plans anew at every step and takes the chunk's first action. Noise is
/// a function of (seed, step, episode). The sampler and the meter (may be null) outlive the result.
BatchPolicy acting_policy(Sampler<float>& sampler, const Dimensions& dimensions, std::uint64_t seed,
                          SpreadMeter* spread = nullptr);

/// All results of some episodes.
struct Scores {
  Evaluation summary;
  EvaluationResult result;
  std::string sampler;                          ///< what computed the actions: Actor::description()
  double cost_limit = 0;                        ///< kappa, per episode
  std::optional<double> normalized_return_std;  ///< over episodes, as the next
  double normalized_cost_std = 0;
  ConfidenceInterval share_interval;  ///< 95 % for the probability that an episode costs at most kappa
};

/// The scores of episodes that a policy of `step` gradient steps has run from `seed` on. `task` tells the
/// bounds of the normalised return; null: none. Without any episode nothing but `result` is set.
Scores summarize(EvaluationResult result, const std::string& name, const Task* task, double cost_limit,
                 std::uint64_t seed, std::uint64_t step);

/// Runs `episodes` episodes from `seed` on. `task` tells the bounds of the normalised return; null: none.
/// Where `options.stop` ended it early, `result` has what had ended, and without any episode the rest is
/// empty. Throws Error: usage where widths do not fit, environment; InvalidArgument as evaluate().
Scores score_policy(const Policy& policy, const SamplerOptions& acting, VectorEnvironment& environment,
                    const std::string& name, const Task* task, double cost_limit, int episodes,
                    std::uint64_t seed, const EvaluationOptions& options = {});

/// One line for people: "BallRun  return 447.3 +- 3.1 (normalised 0.324 +- 0.002)  cost ...".
std::string scores_text(const Scores& scores);

/// Episodes of the built-in robot.
Scores score_reach_avoid(const Policy& policy, const SamplerOptions& options, int episodes,
                         std::uint64_t seed, bool record = false);

}  // namespace r2pac
