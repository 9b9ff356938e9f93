// Scores over training seeds, as a table: one row per task, variant and checkpoint.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/statistics.h"
#include "report/input.h"

namespace r2pac {

/// What tells variants apart, in a fixed order: name and value as text; "*" where the value makes no
/// difference.
using VariantKeys = std::vector<std::pair<std::string, std::string>>;

/// The settings that decide what is trained: all but seed, task and those of logging and checkpoints. The
/// value of a setting that the task's preset gives is "preset" where it is that.
VariantKeys training_keys(const Settings& settings);

/// The method that was trained; early versions spelled cloning as settings of `r2pac`.
std::string method_of_training(const Settings& settings);

/// The same with how the policy acted in place of the settings of acting, and what else tells scores apart.
VariantKeys scoring_keys(const ScoredPolicy& scores);

/// "last" for a finished run's policy, "safe-best", or "step N"; with "(stale)" where the policy is another
/// one by now, and "(while training)" for a score of a run that nobody scored afterwards.
std::string checkpoint_text(const ScoredPolicy& scores);

/// Per member of `keys` (all with the same names): "name=value, ..." of the names in which any two differ,
/// without those that are empty (as is usual) or make no difference.
std::vector<std::string> variant_texts(const std::vector<VariantKeys>& keys);

/// Mean over training seeds, and the sample standard deviation where there are two or more.
struct OverSeeds {
  double mean = 0;
  std::optional<double> deviation;
};
/// values  one for each seed, at least one
OverSeeds over_seeds(const std::vector<double>& values);

struct TableRow {
  std::string task, variant, checkpoint;
  Settings settings;      ///< of the training of one of its seeds
  double cost_limit = 0;  ///< kappa
  std::optional<OverSeeds> normalized_return;
  OverSeeds normalized_cost, episode_return, episode_cost;
  bool while_training = false;            ///< scored only so
  std::size_t seeds = 0, safe_seeds = 0;  ///< safe: its normalised cost is at most 1
  double share_within_limit = 0;          ///< of all episodes
  /// 95 % for P(cost <= kappa), by bootstrap_interval() over all episodes of all seeds as if independent.
  ConfidenceInterval share_interval;
  std::size_t episodes = 0;
  std::vector<std::pair<double, double>> seed_scores;  ///< mean cost and mean return of each seed
};

struct ReportTable {
  std::vector<TableRow> rows;       ///< by task in the benchmark's order, then as given
  std::vector<std::size_t> row_of;  ///< the row of each ScoredPolicy
};

/// Several scores of one training seed in a row, made from other episodes, count as one with all of them.
/// Throws Error(usage) where two are of the same episodes.
ReportTable make_table(const std::vector<ScoredPolicy>& scores);

}  // namespace r2pac
