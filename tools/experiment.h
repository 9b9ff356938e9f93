// What the verbs of `r2pac experiment` and `r2pac sweep` share.
#pragma once

#include <string>
#include <vector>

#include "experiment/plan.h"

namespace CLI {
class App;
}

namespace r2pac {

/// Name of a plan's file in the folder of its experiment.
inline constexpr const char* kPlanFile = "plan.jsonl";

struct ExperimentOptions {
  std::string file, data, out = "out", size, device = "cpu";
  std::vector<std::string> only;
  double peak_gflops = 0;  ///< 0: measured
  std::string executor = "local";
  int jobs = 0;  ///< 0: by the executor
  bool dry_run = false, retry_failed = false;
};

/// The flags of a plan, and those of a run with them; the file, --data and --only are the verb's.
void add_plan_flags(CLI::App& verb, ExperimentOptions& options);
void add_run_flags(CLI::App& verb, ExperimentOptions& options);

/// The plan that the options ask for. Throws Error as read_experiment(), keep_only() and make_plan() do.
Plan plan_of(const ExperimentOptions& options);

/// The experiments in a folder: it itself, and those right below it, sorted. A folder that cannot be read has
/// none.
std::vector<std::string> experiments_in(const std::string& folder);

struct ExperimentReportOptions {
  std::string folder;
  bool no_pictures = false, html = false;
};

/// Draws the pictures of an experiment, says what is missing, and returns the names of the files.
/// Throws as draw_experiment().
std::vector<std::string> draw_pictures(const Plan& plan, const std::string& folder);

/// Writes and prints the tables of one experiment, draws its pictures, and writes the page if asked for.
/// Throws as read_plan_file(), write_experiment_tables() and draw_experiment().
void report_experiment(const ExperimentReportOptions& options);

/// Throws Error: usage where there is no such file, settings where it is no plan.
Plan read_plan_file(const std::string& path);

/// A few lines: how many jobs are done, what runs and how far, what failed and why.
std::string status_text(const Plan& plan);

/// The verb `experiment run`: makes the plan, has Snakemake do what is left, writes the tables. Returns 0,
/// the exit status of the first job that failed, or 75 where jobs are left that can go on. Throws Error:
/// settings where another program is at work in the folder; usage without Snakemake.
int run_experiment(const ExperimentOptions& options);

struct JobOptions {
  std::string id, plan;
};

/// The verb `experiment job`: does a job once. 0: it is done, or diverged, which is a result; 75: it was
/// stopped and goes on when called again; else it failed, and further calls fail at once.
int run_job(const JobOptions& options);

}  // namespace r2pac
