// An experiment: tasks, methods with their variants, and training seeds, as a file of experiments/ states
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace r2pac {

/// A row of the table.
struct ExperimentTask {
  std::string name;  ///< for people
  std::string task;  ///< alias of a task; "" where `data` is of none
  std::string data;  ///< file in the data folder; "": the one whose name tells the task
  std::string env;   ///< where it is scored, as `eval --env`; "": the task
};

/// A column of the table: a method with some settings.
struct ExperimentColumn {
  std::string name;  ///< for people
  std::string method;
  std::vector<std::pair<std::string, std::string>> settings;  ///< key and text, as `--set`
  std::string where;                                          ///< "file:line:column", for errors
};

/// How finished policies are scored.
struct ExperimentScoring {
  int episodes = 20;
  std::int64_t seed = 0;
  std::optional<double> cost_limit;  ///< none: the task's
};

/// Scores on the way, for curves.
struct ExperimentCurve {
  int points = 10;    ///< over the steps of the last stage
  int episodes = 20;  ///< of each
};

struct Experiment {
  std::string name;   ///< the file's, without folder and extension
  std::string title;  ///< for people
  std::vector<ExperimentTask> tasks;
  std::vector<ExperimentColumn> columns;
  std::vector<std::int64_t> seeds;
  std::string size = "published";  ///< of kSizes
  ExperimentScoring scoring;
  std::optional<ExperimentCurve> curve;
  std::string report = "main-table";  ///< of kReports
};

/// Sizes: seconds, minutes, and what was published. Each method has its own (`--preset`).
inline constexpr const char* kSizes[] = {"tiny", "mini", "published"};

/// What the report of an experiment shows beside the table.
inline constexpr const char* kReports[] = {"main-table", "ablation-table", "sweep", "curves",
                                           "q-curves",   "composition",    "umap",  "timing"};

/// Reads an experiment's file. size  one of kSizes in place of the file's, or "". `tiny` keeps the first
/// seed, 4 episodes of scores and 2 of each of 2 points of a curve; `mini` 5 points of 8 episodes. Throws
/// Error: settings for a fault of the file, with its line, what is wrong and what is allowed; usage for an
/// unknown size.
Experiment read_experiment(const std::string& path, const std::string& size = "");

/// The same from text; `where` names it in errors.
Experiment parse_experiment(const std::string& text, const std::string& where, const std::string& size = "");

/// Keeps what fits all of `only`, each `task=A`, `method=A`, `variant=A` (a column's name) or `seed=N`; of
/// several of one key any. One text may have several, separated by commas.
/// Throws Error(usage) where a text is of another form or nothing is left.
void keep_only(Experiment& experiment, const std::vector<std::string>& only);

}  // namespace r2pac
