#include "report/report.h"

#include "tools/bar.h"
#include "tools/command_line.h"
#include "tools/device.h"
#include "tools/interruption.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

int run_report(const ReportOptions& options) {
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
  verb->add_option("runs", options->runs, "Run folders, and files of `eval -o`")->required();
  add_output(*verb, "-o,--out", options->out, "Folder to write into")->capture_default_str();
  verb->add_option("--data", options->data,
                   "DSRL file whose episodes are drawn (the one named in the run's manifest if not given)")
      ->take_all()
      ->expected(1);
  verb->add_flag("--no-pictures", options->no_pictures, "Only the tables");
}

}  // namespace r2pac
