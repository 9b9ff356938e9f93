#include "experiment/figures.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "experiment/record.h"
#include "experiment/scoreboard.h"
#include "report/composition.h"

namespace r2pac {
namespace {

/// What is drawn of the runs.
struct Figure {
  const char *report, *caption;
  std::optional<Chart> (*chart)(const MethodCurves&);
};
constexpr Figure kFigures[] = {
    {"sweep", "Return and cost over training, and of finished policies as bars.", sweep_chart},
    {"curves", "Return and cost over training.", curve_grid},
    {"q-curves", "Least Q_r and greatest Q_c of the averaged twins, over the steps of the critics.",
     critic_chart}};

namespace fs = std::filesystem;

std::string title_of(const Plan& plan) {
  return plan.title + (plan.size == "published" ? "" : " (size " + plan.size + ")");
}

/// The run of a training, once it has begun.
bool has_begun(const fs::path& folder) {
  std::error_code fault;
  return fs::exists(folder / "config.toml", fault);
}

/// The data of the plan's tasks, as far as the files are there.
std::vector<DataPanel> data_panels(const Plan& plan) {
  std::vector<DataPanel> panels;
  std::set<std::string> seen;
  for (const PlannedCell& cell : plan.cells) {
    if (cell.train.empty() || !seen.insert(cell.task).second) continue;
    const auto job = std::ranges::find(plan.jobs, cell.train, &Job::id);
    const std::string file = word_after(*job, "--data");
    std::error_code fault;
    if (!fs::exists(file, fault)) continue;
    const std::optional<Task> task = task_from_file_name(word_after(*job, "--task"));
    panels.push_back(
        {cell.task, data_cloud(load_dataset(file)), task ? task->cost_limit : Settings().cost_limit});
  }
  return panels;
}

}  // namespace

MethodCurves method_curves(const Plan& plan) {
  std::map<std::string, const Job*> jobs;
  for (const Job& job : plan.jobs) jobs[job.id] = &job;
  MethodCurves curves;
  curves.title = title_of(plan);
  for (const PlannedCell& cell : plan.cells)
    if (std::ranges::find(curves.columns, cell.column) == curves.columns.end())
      curves.columns.push_back(cell.column);
  for (const PlannedCell& cell : plan.cells) {
    auto task = std::ranges::find(curves.tasks, cell.task, &TaskRuns::task);
    if (task == curves.tasks.end()) {
      curves.tasks.push_back({cell.task, std::vector<MethodRuns>(curves.columns.size())});
      task = curves.tasks.end() - 1;
    }
    if (cell.train.empty()) continue;
    const auto column = std::ranges::find(curves.columns, cell.column) - curves.columns.begin();
    MethodRuns& runs = task->columns[static_cast<std::size_t>(column)];
    const fs::path folder = fs::path(jobs.at(cell.train)->outputs.at(0)).parent_path();
    if (has_begun(folder)) runs.runs.push_back(read_training_run(folder.string()));
    const Job& score = *jobs.at(cell.score);
    if (state_of(score) != JobState::done || score.outputs.empty()) continue;
    const ScoredPolicy scores = read_scores(score.outputs[0]);
    runs.returns.push_back(scores.normalized_return.value_or(scores.return_mean));
    runs.costs.push_back(scores.normalized_cost);
  }
  return curves;
}

bool draws_runs(const Plan& plan) {
  return std::ranges::any_of(kFigures, [&](const Figure& figure) { return plan.report == figure.report; });
}

std::vector<Picture> experiment_pictures(const Plan& plan, const MethodCurves& curves) {
  if (plan.report == "composition") {
    const std::vector<DataPanel> panels = data_panels(plan);
    if (panels.empty()) return {};
    return {{plan.report,
             [panels, title = title_of(plan)](const auto& files) { draw_composition(files, title, panels); },
             "Return against cost of the episodes of the data."}};
  }
  for (const Figure& figure : kFigures) {
    if (plan.report != figure.report) continue;
    const std::optional<Chart> chart = figure.chart(curves);
    if (!chart) return {};
    return {{figure.report, [chart](const auto& files) { draw_chart(files, *chart); }, figure.caption}};
  }
  return {};
}

std::vector<TimingRow> experiment_timing(const Plan& plan, const MethodCurves& curves) {
  if (plan.report != kTimingReport) return {};
  std::vector<TimedRun> runs;
  for (const TaskRuns& task : curves.tasks)
    for (std::size_t c = 0; c < curves.columns.size(); ++c)
      for (const TrainingRun& run : task.columns[c].runs)
        runs.push_back({task.task, curves.columns[c], &run.facts});
  return timing_rows(runs);
}

}  // namespace r2pac
