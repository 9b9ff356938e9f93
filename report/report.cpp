#include "report/report.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "data/dataset.h"
#include "report/input.h"
#include "report/pictures.h"
#include "report/text.h"
#include "storage/atomic_file.h"
#include "storage/folder.h"
#include "storage/safetensors_header.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;

void note(const std::string& sentence) { std::fprintf(stderr, "note: %s\n", printable(sentence).c_str()); }

/// Whether any of the scores is of a policy in the run's folder.
bool has_scores(const TrainingRun& run, const std::vector<ScoredPolicy>& scores) {
  return run.scored || std::ranges::any_of(scores, [&](const ScoredPolicy& s) {
           std::error_code not_there;
           return fs::equivalent(fs::path(s.policy).parent_path(), run.folder, not_there);
         });
}

/// The tasks of the table that were trained on the data of a fingerprint.
std::vector<std::string> tasks_of(const std::vector<ScoredPolicy>& scores, const std::string& fingerprint) {
  std::vector<std::string> tasks;
  for (const ScoredPolicy& s : scores)
    if (s.data_fingerprint == fingerprint) tasks.push_back(s.place());
  return tasks;
}

/// The data of each task: the files given, then those that the manifests name, as far as they are there.
std::map<std::string, DataCloud> load_clouds(const ReportOptions& options, const ReportInput& input) {
  std::map<std::string, DataCloud> clouds;
  for (const std::string& path : options.data) {
    const Dataset dataset = load_dataset(path);
    const std::vector<std::string> tasks = tasks_of(input.scores, dataset.fingerprint);
    if (tasks.empty())
      throw Error(ExitCode::usage, "none of the scored policies was trained on these data", path,
                  "give the file that they were trained on, or leave out --data");
    for (const std::string& task : tasks) clouds.insert({task, data_cloud(dataset)});
  }
  for (const DataSource& source : input.data) {
    const std::vector<std::string> tasks = tasks_of(input.scores, source.fingerprint);
    if (std::ranges::all_of(tasks, [&](const std::string& task) { return clouds.contains(task); })) continue;
    if (!fs::exists(source.path)) {
      note("the data " + source.path +
           " are not there, so their episodes are not drawn; name them with --data");
      continue;
    }
    const Dataset dataset = load_dataset(source.path);
    if (dataset.fingerprint != source.fingerprint) {
      note("the data " + source.path + " have changed since the training, so their episodes are not drawn");
      continue;
    }
    for (const std::string& task : tasks) clouds.insert({task, data_cloud(dataset)});
  }
  return clouds;
}

void write_tables(const fs::path& folder, const ReportTable& table, const std::vector<ScoredPolicy>& scores) {
  const std::string markdown = table_markdown(table);
  std::printf("%s\n", markdown.c_str());
  std::fflush(stdout);  // the table stays on the terminal, whatever becomes of files and pictures
  write_file_atomically(folder / "table.md", markdown);
  write_file_atomically(folder / "table.tex", table_latex(table));
  write_file_atomically(folder / "table.csv", table_csv(table));
  write_file_atomically(folder / "evaluations.csv", evaluations_csv(table, scores));
  write_file_atomically(folder / "episodes.csv", episodes_csv(table, scores));
  std::printf("written to %s: table.md, table.tex, table.csv, evaluations.csv, episodes.csv\n",
              folder.c_str());
}

void draw_pictures(const ReportOptions& options, const ReportInput& input, const ReportTable& table,
                   const std::shared_ptr<Device>& device) {
  std::vector<std::string> names;
  const auto add = [&](const std::vector<std::string>& more) {
    names.insert(names.end(), more.begin(), more.end());
  };
  add(draw_curves(options.out, input.runs));
  add(draw_scores(options.out, table, load_clouds(options, input)));
  add(draw_maps(options.out, input.runs, device));
  for (const std::string& name : names)
    std::printf("%s%s", &name == names.data() ? "pictures, each .png and .pdf: " : ", ", name.c_str());
  if (!names.empty()) std::printf("\n");
}

}  // namespace

void write_report(const ReportOptions& options, const std::shared_ptr<Device>& device) {
  const ReportInput input = read_report_input(options.runs);
  const ReportTable table = make_table(input.scores);
  make_folder(options.out);
  require_output(fs::path(options.out) / "table.md");
  std::string unscored;
  for (const TrainingRun& run : input.runs) {
    if (has_scores(run, input.scores)) continue;
    if (unscored.empty()) unscored = run.folder;
    note(run.folder + " has no eval.json and is not in the table; make it with: r2pac eval " + run.folder);
  }
  for (const ScoredPolicy& s : input.scores)
    if (s.stale)
      note(s.file + " is stale: " + s.policy + " is another policy by now; score it with `r2pac eval`");
  if (!table.rows.empty()) write_tables(options.out, table, input.scores);
  if (!options.no_pictures) draw_pictures(options, input, table, device);
  if (table.rows.empty())
    throw Error(ExitCode::usage, "no run has been scored, so there is no table", unscored,
                "make its eval.json with `r2pac eval " + unscored + "`");
}

}  // namespace r2pac
