#include "report/report.h"

#include "base/error.h"
#include "tools/bar.h"
#include "tools/command_line.h"
#include "tools/device.h"
#include "tools/experiment.h"
#include "tools/interruption.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

/// The experiments among what was given to report; none where all are runs and scores.
std::vector<std::string> experiments_of(const ReportOptions& options) {
  std::vector<std::string> experiments;
  std::size_t of = 0;
  for (const std::string& path : options.runs) {
    const std::vector<std::string> found = experiments_in(path);
    experiments.insert(experiments.end(), found.begin(), found.end());
    of += found.empty() ? 0 : 1;
  }
  if (of > 0 && of < options.runs.size())
    throw Error(ExitCode::usage, "some are folders of experiments and some are not", options.runs.front(),
                "report experiments and single runs by two commands");
  if (of > 0 && !options.data.empty())
    throw Error(ExitCode::usage, "an experiment knows its data", "--data", "leave out --data");
  return experiments;
}

int run_report(const ReportOptions& options) {
  const std::vector<std::string> experiments = experiments_of(options);
  for (const std::string& folder : experiments)
    report_experiment({folder, options.no_pictures, options.html});
  if (!experiments.empty()) return 0;
  const Interruption interruption;
  Progress progress("pictures");
  ReportOptions watched = options;
  watched.progress = [&](std::size_t done, std::size_t total) {
    progress.update(done, total);
    if (done == total || interruption.requested()) progress.clear();
    if (interruption.requested())
      interruption.end("stopped after " + progress.text() + "; what was written before is in " + options.out);
  };
  write_report(watched, open_device({}));
  return 0;
}

}  // namespace

void add_report(CLI::App& app, Action& action) {
  const auto [verb, options] = add_verb(app, action, run_report, "report",
                                        "Tables and pictures of scores and curves, over seeds and tasks",
                                        "r2pac report runs/ball-seed* -o report");
  verb->add_option(
          "runs", options->runs,
          "Run folders, and files of `eval -o`; or folders of `experiment run -o`, or of experiments in them")
      ->required();
  add_output(*verb, "-o,--out", options->out, "Folder to write into; an experiment writes into its own")
      ->capture_default_str();
  verb->add_option("--data", options->data,
                   "DSRL file whose episodes are drawn (the one named in the run's manifest if not given)")
      ->take_all()
      ->expected(1);
  verb->add_flag("--no-pictures", options->no_pictures, "Only the tables");
  verb->add_flag("--html", options->html, "Also report.html, one page with tables, pictures, runs and data");
}

}  // namespace r2pac
