#include "report/report.h"

#include "tools/command_line.h"
#include "tools/device.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

int run_report(const ReportOptions& options) {
  write_report(options, open_device({}));
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
