// The plan of an experiment: every job that has to be done, as a line of JSON each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiment/experiment.h"

namespace r2pac {

/// One command. A job is known by its id, which everything that its numbers depend on goes into, and nothing
/// else: the same run of another experiment has the same id, folder and files.
struct Job {
  std::string id;     ///< 12 hex digits
  std::string kind;   ///< train, score or report
  std::string label;  ///< for people: "BallRun, R2PAC, seed 0"
  std::vector<std::string> argv;
  std::vector<std::string> inputs;   ///< records of jobs that must be done before
  std::vector<std::string> outputs;  ///< policy.safetensors, or the file of scores
  std::string record;                ///< written when the job is done (record.h)
  int threads = 1;
  std::int64_t memory_mb = 0;  ///< estimated
  double minutes = 0;          ///< estimated
  int gpu = 0;                 ///< devices
};

/// The word of a job's command behind a flag, or "".
std::string word_after(const Job& job, const std::string& flag);

/// One policy of the table.
struct PlannedCell {
  std::string task, suite, column;
  std::int64_t seed = 0;
  std::string train, score;    ///< ids; "" where the task has no data
  bool not_installed = false;  ///< the method runs beside the program, and its code is not there
};

struct Plan {
  std::string experiment, title, size, report;
  std::vector<Job> jobs;  ///< each after those that it needs; the report is the last
  std::vector<PlannedCell> cells;
};

/// What plans depend on beside the experiment.
struct PlanOptions {
  std::string data;            ///< folder of data files
  std::string out = "out";     ///< folder of runs, scores and reports
  std::string device = "cpu";  ///< as --device of `train`
  double peak_gflops = 100;    ///< of one thread, for the minutes
  bool baselines = false;      ///< the code of methods beside the program is installed (beside.h)
};

/// Folder of an experiment's plan and report: OUT/NAME-SIZE.
std::string experiment_folder(const std::string& out, const std::string& name, const std::string& size);

/// The jobs of an experiment. Reads all data files of its tasks, but nothing else.
/// Throws Error: settings for a column that no method can have, with its line; usage where the data folder is
/// none, or has two files of one task; data for a file that cannot be used.
Plan make_plan(const Experiment& experiment, const PlanOptions& options);

/// One object a line: the jobs, of which the report has `experiment`, `title`, `size`, `report` and `cells`,
/// too. read_plan() gives the same plan back. Throws Error: usage for a path that is not UTF-8; settings for
/// a text that is no plan; `where` names it.
std::string plan_lines(const Plan& plan);
Plan read_plan(const std::string& text, const std::string& where);

}  // namespace r2pac
