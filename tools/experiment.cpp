#include "tools/experiment.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "base/printable.h"
#include "experiment/report.h"
#include "tools/command_line.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;

struct FolderOptions {
  std::string folder;
};

int run_plan(const ExperimentOptions& options) {
  std::fputs(plan_lines(plan_of(options)).c_str(), stdout);
  return 0;
}

int run_status(const FolderOptions& options) {
  const std::vector<std::string> folders = experiments_in(options.folder);
  for (const std::string& folder : folders)
    std::printf("%s\n", status_text(read_plan_file((fs::path(folder) / kPlanFile).string())).c_str());
  if (folders.empty())
    throw Error(ExitCode::usage, "the folder holds no experiment", options.folder,
                "give the folder that `r2pac experiment run` wrote into (-o)");
  return 0;
}

int run_report(const ExperimentReportOptions& options) {
  report_experiment(options);
  return 0;
}

void add_experiment_flags(CLI::App& verb, ExperimentOptions& options) {
  verb.add_option("file", options.file, "Experiment (TOML), as those of experiments/")->required();
  add_plan_flags(verb, options);
}

}  // namespace

std::vector<std::string> experiments_in(const std::string& folder) {
  std::error_code fault;
  std::vector<std::string> found;
  const auto add = [&](const fs::path& place) {
    if (fs::exists(place / kPlanFile, fault)) found.push_back(place.string());
  };
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, fault)) add(entry.path());
  add(folder);
  std::ranges::sort(found);
  return found;
}

std::vector<std::string> draw_pictures(const Plan& plan, const std::string& folder) {
  const ExperimentPictures pictures = draw_experiment(plan, folder);
  for (const std::string& sentence : pictures.missing)
    std::fprintf(stderr, "note: %s\n", printable(sentence).c_str());
  return pictures.files;
}

void report_experiment(const ExperimentReportOptions& options) {
  const Plan plan = read_plan_file((fs::path(options.folder) / kPlanFile).string());
  const ExperimentTables tables = write_experiment_tables(plan, options.folder);
  std::fputs(tables.markdown.c_str(), stdout);
  std::fflush(stdout);
  std::vector<std::string> files = tables.files;
  if (!options.no_pictures)
    for (const std::string& file : draw_pictures(plan, options.folder)) files.push_back(file);
  if (options.html) {
    write_experiment_page(plan, options.folder, !options.no_pictures);
    files.emplace_back("report.html");
  }
  std::string names;
  for (const std::string& file : files) names += (names.empty() ? "" : ", ") + file;
  std::fprintf(stderr, "written to %s: %s\n", printable(options.folder).c_str(), names.c_str());
}

void add_plan_flags(CLI::App& verb, ExperimentOptions& options) {
  add_output(verb, "-o,--out", options.out, "Folder of runs, scores and tables")->capture_default_str();
  verb.add_option("--size", options.size, "tiny, mini or published, in place of the file's");
  verb.add_option("--device", options.device, "Where each job runs: cpu or cuda")
      ->capture_default_str()
      ->check(CLI::IsMember({"cpu", "cuda"}));
  verb.add_option("--peak", options.peak_gflops,
                  "GFLOP/s of one thread, for the minutes (measured if not given)")
      ->check(number_in(1e-3, 1e9));
}

void add_run_flags(CLI::App& verb, ExperimentOptions& options) {
  add_plan_flags(verb, options);
  verb.add_option("--executor", options.executor, "local or slurm")
      ->capture_default_str()
      ->check(CLI::IsMember({"local", "slurm"}));
  verb.add_option("--jobs", options.jobs,
                  "Jobs at a time, each on one thread (local: as many as there are processors; slurm: 100)")
      ->check(CLI::Range(1, 100000));
  verb.add_flag("--dry-run", options.dry_run, "Show what would be done, and how long it takes");
  verb.add_flag("--retry-failed", options.retry_failed, "Try failed jobs again");
}

void add_experiment(CLI::App& app, Action& action) {
  CLI::App* group =
      add_verb_group(app, "experiment", "Tables of methods over tasks and seeds, from one file",
                     "r2pac experiment run experiments/table1.toml --data DATA_FOLDER --size mini");
  const auto only = [](CLI::App& verb, ExperimentOptions& options) {
    verb.add_option("--data", options.data, "Folder of DSRL files (HDF5)")->required();
    verb.add_option("--only", options.only, "A part: task=BallRun,seed=0; also method= and variant=")
        ->take_all()
        ->expected(1);
  };
  {
    const auto [verb, options] =
        add_verb(*group, action, run_plan, "plan", "Print every job as a line of JSON",
                 "r2pac experiment plan experiments/table1.toml --data DATA_FOLDER");
    add_experiment_flags(*verb, *options);
    only(*verb, *options);
  }
  {
    const auto [verb, options] =
        add_verb(*group, action, run_experiment, "run", "Do what is left to do, and write the tables",
                 "r2pac experiment run experiments/table1.toml --data DATA_FOLDER --size mini -o out");
    verb->add_option("file", options->file, "Experiment (TOML), as those of experiments/")->required();
    add_run_flags(*verb, *options);
    only(*verb, *options);
  }
  {
    const auto [verb, options] =
        add_verb(*group, action, run_status, "status", "How far experiments are, from their files",
                 "r2pac experiment status out");
    verb->add_option("folder", options->folder, "Folder of `experiment run -o`")->required();
  }
  {
    const auto [verb, options] =
        add_verb(*group, action, run_report, "report", "Write tables and pictures of what is there by now",
                 "r2pac experiment report out/table1-mini");
    verb->add_option("folder", options->folder, "Folder of one experiment")->required();
    verb->add_flag("--no-pictures", options->no_pictures, "Only the tables");
    verb->add_flag("--html", options->html, "Also report.html, one page with all of it");
  }
  {
    const auto [verb, options] =
        add_verb(*group, action, run_job, "job", "Do one job of a plan: what the executor calls",
                 "r2pac experiment job 0123456789ab --plan out/table1-mini/plan.jsonl");
    verb->add_option("id", options->id, "Id of the job")->required();
    verb->add_option("--plan", options->plan, "Plan that has it")->required();
  }
}

}  // namespace r2pac
