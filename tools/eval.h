// A trained policy in the built-in environment.
#pragma once

#include <cstdint>

#include "envs/evaluate.h"
#include "model/policy.h"

namespace r2pac {

/// The policy as evaluate() wants it: plans anew at every step and takes the chunk's first action. Noise is
/// a function of (seed, step, episode). The sampler outlives the result.
BatchPolicy acting_policy(Sampler<float>& sampler, const Dimensions& dimensions, std::uint64_t seed);

/// Episodes 0 .. episodes - 1 of the reach-avoid robot under `seed`.
EvaluationResult evaluate_reach_avoid(Sampler<float>& sampler, const Dimensions& dimensions, int episodes,
                                      std::uint64_t seed, bool record = false);

/// Share of episodes whose cost is at most the limit.
double share_within(const EvaluationResult& result, double cost_limit);

}  // namespace r2pac
