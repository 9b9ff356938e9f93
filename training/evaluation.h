// What scoring a policy during training says, and which of several policies a safe user would keep.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace r2pac {

/// How different the candidate chunks of one decision are, averaged over decisions.
struct CandidateSpread {
  double action = 0;  ///< standard deviation of the first action, root mean square over its components
  double q_cost = 0;  ///< standard deviation of the greatest target Q_c
  bool operator==(const CandidateSpread&) const = default;
};

/// The scores of some episodes; a line of evaluations.jsonl.
struct Evaluation {
  std::uint64_t step = 0;  ///< gradient steps before it
  std::string env;
  int episodes = 0;
  std::uint64_t seed = 0;
  double return_mean = 0, return_std = 0;  ///< undiscounted, over episodes
  double cost_mean = 0, cost_std = 0;
  std::optional<double> normalized_return;  ///< only where a task tells the bounds
  double normalized_cost = 0;               ///< at most 1: within the limit
  double share_within_limit = 0;            ///< of episodes
  std::optional<CandidateSpread> spread;    ///< only with several candidates
  bool operator==(const Evaluation&) const = default;
};

/// Whether `a` is the better policy to keep: within the cost limit (normalised cost at most 1) before
/// beyond it; within, the higher return; beyond, the lower cost. Equal ones are not better.
bool safer_and_better(const Evaluation& a, const Evaluation& b);

/// One JSON object in one line. safe_best  whether it became the best so far
std::string evaluation_line(const Evaluation& evaluation, bool safe_best);

/// The reverse, without `safe_best`; nothing for a line that is no evaluation.
std::optional<Evaluation> parse_evaluation_line(std::string_view line);

}  // namespace r2pac
