// What `report` reads: scores, run folders and their curves. All of it is untrusted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "settings/settings.h"
#include "training/evaluation.h"
#include "training/run_effort.h"

namespace r2pac {

/// The alias of a task's name; any other name as it is.
std::string task_alias(const std::string& name);

struct ScoredEpisode {
  std::int64_t episode = 0;
  std::uint64_t seed = 0;
  double episode_return = 0, episode_cost = 0;  ///< undiscounted sums
  std::int64_t length = 0;
  bool terminated = false;
};

/// What a policy came to, and how it acted: an eval.json, or the last score that a run made while it trained.
struct ScoredPolicy {
  std::string file;  ///< the eval.json, as given
  std::string policy, checkpoint, task, env, data_fingerprint;
  std::string policy_checksum;  ///< of the policy that was scored; "" in files of early versions
  bool stale = false;           ///< the policy in the file's folder is another one by now
  std::uint64_t step = 0, train_seed = 0, seed = 0;
  double cost_limit = 0;  ///< kappa of this scoring
  /// What ran the policy, if not this program; then `method` is its word, and nothing is known of how it acts
  /// or of its settings but task, training seed and cost limit.
  std::string program, method;
  std::string selection, label;
  std::string act_with;  ///< "flow" where the flow acted by choice, else ""
  std::int64_t candidates = 0, flow_steps = 0;
  double guidance = 0;
  std::string threshold;  ///< of region: "" as trained, "l" that alone, else a number
  double return_mean = 0, cost_mean = 0, normalized_cost = 0;
  std::optional<double> normalized_return;   ///< none where no task tells the bounds
  Settings settings;                         ///< of the training
  std::vector<ScoredEpisode> episodes;       ///< at least one, but for a score of while it trained
  std::optional<Evaluation> while_training;  ///< that score; of its episodes it has the means alone

  /// What the scores belong to: the policy's task, else the environment; a known task by its alias.
  std::string place() const { return task_alias(task.empty() ? env : task); }
  std::size_t episode_count() const;
};

/// Step to value.
using Curve = std::map<std::uint64_t, double>;

/// A data file that a run was trained on.
struct DataSource {
  std::string path, fingerprint;
};

/// What the manifest of a run says; empty where there is none, or where it does not say.
struct RunFacts {
  std::string status;   ///< of the last start: running, stopped or finished
  std::string program;  ///< its version and commit
  std::string machine;  ///< processor and device
  std::vector<std::string> command;
  DataSource data;
  std::optional<RunEffort> effort;  ///< early versions did not count
};

/// A run folder without its scores.
struct TrainingRun {
  std::string folder;
  Settings settings;
  RunFacts facts;
  /// By name: numbers of metrics.jsonl, and of evaluations.jsonl with "eval_" before them.
  std::map<std::string, Curve> curves;
  bool scored = false;  ///< has an eval.json
  /// The last line of evaluations.jsonl, if it is a whole score of at least one episode.
  std::optional<Evaluation> last_evaluation;
};

struct ReportInput {
  std::vector<ScoredPolicy> scores;
  std::vector<TrainingRun> runs;
  std::vector<DataSource> data;  ///< as the manifests say; the files may be gone
};

/// Reads run folders and eval.json files; the same one twice counts once. Of an eval.json in a run folder the
/// folder's manifest is read, too. A last line that is still being written is left out.
/// Throws Error: usage for a path that is neither, checkpoint for a file with a fault, naming file and key.
ReportInput read_report_input(const std::vector<std::string>& paths);

/// The last score that a run made while it trained, which acted by the run's settings.
/// Throws InvalidArgument for a run without one.
ScoredPolicy score_while_training(const TrainingRun& run);

/// What the manifest of a run folder says; nothing where there is none. Throws as read_report_input().
RunFacts read_facts(const std::filesystem::path& manifest);

/// One run folder. Throws as read_report_input().
TrainingRun read_training_run(const std::string& folder);

/// One eval.json from text; `file` names it in errors. Throws Error(checkpoint) naming file and key.
ScoredPolicy parse_scores(std::string_view text, const std::string& file);

}  // namespace r2pac
