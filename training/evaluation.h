// The score of a policy during training, and which of two policies is the better one to keep.
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

/// Whether `a` is the better policy to keep. One within the cost limit (normalised cost at most 1) is better
/// than one beyond it. Of two within it, the higher return is better; of two beyond it, the lower cost.
bool safer_and_better(const Evaluation& a, const Evaluation& b);

/// One JSON object in one line. safe_best: whether the policy became the best so far.
std::string evaluation_line(const Evaluation& evaluation, bool safe_best);

/// The evaluation of such a line, without `safe_best`. Nothing if the line is no evaluation.
std::optional<Evaluation> parse_evaluation_line(std::string_view line);

}  // namespace r2pac
