#include "report/report.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>

#include "base/counted.h"
#include "base/error.h"
#include "base/printable.h"
#include "data/dataset.h"
#include "envs/reach_avoid.h"
#include "report/cost_map.h"
#include "report/input.h"
#include "report/names.h"
#include "report/page.h"
#include "report/pictures.h"
#include "report/text.h"
#include "storage/atomic_file.h"
#include "storage/folder.h"

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

/// The episodes of a file, whose oddities are said.
Dataset load_noting(const std::string& path) {
  Dataset dataset = load_dataset(path);
  for (const std::string& warning : dataset.warnings) note("the data " + path + ": " + warning);
  return dataset;
}

/// The data set of a file that a manifest names; nothing, and a note, where it cannot be read.
std::optional<Dataset> load_or_note(const std::string& path) try {
  return load_noting(path);
} catch (const Error& error) {
  note("the data " + path + " cannot be read (" + error.what() +
       "), so their episodes are not drawn; name them with --data");
  return std::nullopt;
}

/// The tasks of the table that were trained on the data of a fingerprint.
std::vector<std::string> tasks_of(const std::vector<ScoredPolicy>& scores, const std::string& fingerprint) {
  std::vector<std::string> tasks;
  for (const ScoredPolicy& s : scores)
    if (s.data_fingerprint == fingerprint) tasks.push_back(s.place());
  return tasks;
}

TaskData task_data(const Dataset& dataset, const std::string& task) {
  TaskData data{data_cloud(dataset)};
  if (task == task_alias(std::string(ReachAvoidTask::name)) &&
      dataset.observation_dim == reach_avoid::kObservationDim)
    data.coverage = arena_coverage(dataset);
  return data;
}

/// The data of each task: the files given, then those that the manifests name, as far as they are there.
std::map<std::string, TaskData> load_data(const ReportOptions& options, const ReportInput& input) {
  std::map<std::string, TaskData> data;
  for (const std::string& path : options.data) {
    const Dataset dataset = load_noting(path);
    const std::vector<std::string> tasks = tasks_of(input.scores, dataset.fingerprint);
    if (tasks.empty())
      throw Error(ExitCode::usage, "none of the scored policies was trained on these data", path,
                  "give the file that they were trained on, or leave out --data");
    for (const std::string& task : tasks) data.insert({task, task_data(dataset, task)});
  }
  for (const DataSource& source : input.data) {
    const std::vector<std::string> tasks = tasks_of(input.scores, source.fingerprint);
    if (std::ranges::all_of(tasks, [&](const std::string& task) { return data.contains(task); })) continue;
    std::error_code fault;
    if (!fs::exists(source.path, fault)) {
      note("the data " + source.path +
           " are not there, so their episodes are not drawn; name them with --data");
      continue;
    }
    const std::optional<Dataset> dataset = load_or_note(source.path);
    if (!dataset) continue;
    if (dataset->fingerprint != source.fingerprint) {
      note("the data " + source.path + " have changed since the training, so their episodes are not drawn");
      continue;
    }
    for (const std::string& task : tasks) data.insert({task, task_data(*dataset, task)});
  }
  return data;
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
              printable(folder.string()).c_str());
}

/// Draws the pictures into files, and adds them to a page if there is one.
void draw_pictures(const ReportOptions& options, const ReportInput& input, const ReportTable& table,
                   const VariantLooks& looks, const std::shared_ptr<Device>& device, Page* page) {
  const std::map<std::string, TaskData> data = load_data(options, input);
  std::vector<Picture> pictures = curve_pictures(input.runs, looks);
  for (const auto& more : {score_pictures(table, data, looks), map_pictures(input.runs, data, device)})
    pictures.insert(pictures.end(), more.begin(), more.end());
  std::string names;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    if (options.progress) options.progress(i, pictures.size());
    const std::string stem = (fs::path(options.out) / pictures[i].name).string();
    pictures[i].draw({stem + ".png", stem + ".pdf"});
    names += (names.empty() ? "" : ", ") + pictures[i].name;
    if (page != nullptr) add_pictures(*page, {pictures[i]}, options.out);
  }
  if (options.progress) options.progress(pictures.size(), pictures.size());
  if (!names.empty())
    std::printf("pictures, each .png%s and .pdf: %s\n", page != nullptr ? ", .svg" : "", names.c_str());
}

VariantLooks looks_of_all(const ReportInput& input) {
  std::vector<const Settings*> trainings;
  for (const TrainingRun& run : input.runs) trainings.push_back(&run.settings);
  for (const ScoredPolicy& s : input.scores) trainings.push_back(&s.settings);
  return VariantLooks(trainings);
}

void write_page(const ReportOptions& options, Page& page, const ReportInput& input,
                const VariantLooks& looks) {
  std::vector<NamedRun> runs;
  for (const TrainingRun& run : input.runs)
    runs.push_back({task_alias(run.settings.task) + ", " + looks.of(run.settings).name, &run});
  add_runs(page, runs);
  std::vector<std::string> files;
  for (const ScoredPolicy& s : input.scores) files.push_back(s.file);
  if (!files.empty()) {
    page.heading("Scores");
    for (const std::string& file : files) page.paragraph(file);
  }
  write_file_atomically(fs::path(options.out) / "report.html", page.text());
  std::printf("page: %s\n", printable((fs::path(options.out) / "report.html").string()).c_str());
}

}  // namespace

void write_report(const ReportOptions& options, const std::shared_ptr<Device>& device) {
  ReportInput input = read_report_input(options.runs);
  std::vector<ScoredPolicy> on_the_way;
  for (const TrainingRun& run : input.runs) {
    if (!run.last_evaluation || has_scores(run, input.scores)) continue;
    on_the_way.push_back(score_while_training(run));
    note(run.folder + " was scored only while it trained; its row is of " +
         counted(on_the_way.back().episode_count(), "episode") + "; more: r2pac eval " + run.folder);
  }
  input.scores.insert(input.scores.end(), on_the_way.begin(), on_the_way.end());
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
  Page page("Report");
  if (!table.rows.empty()) page.markup(table_html(table));
  const VariantLooks looks = looks_of_all(input);
  if (!options.no_pictures)
    draw_pictures(options, input, table, looks, device, options.html ? &page : nullptr);
  if (options.html) write_page(options, page, input, looks);
  if (table.rows.empty())
    throw Error(ExitCode::usage, "no run has been scored, so there is no table", unscored,
                "make its eval.json with `r2pac eval " + unscored + "`");
}

}  // namespace r2pac
