#include "experiment/report.h"

#include <filesystem>

#include "experiment/figures.h"
#include "experiment/record.h"
#include "experiment/scoreboard.h"
#include "experiment/value_maps.h"
#include "report/grid_text.h"
#include "report/markup.h"
#include "report/page.h"
#include "storage/atomic_file.h"

namespace r2pac {

namespace fs = std::filesystem;

ExperimentTables write_experiment_tables(const Plan& plan, const std::string& folder) {
  ExperimentTables tables{write_scoreboard(plan, folder),
                          {"table.md", "table.tex", "table.html", "table.csv"}};
  if (plan.report != kTimingReport) return tables;
  const std::vector<TimingRow> timing = experiment_timing(plan, method_curves(plan));
  if (timing.empty()) return tables;
  const std::string markdown = markdown_of(timing_table(timing, kMarkdown));
  tables.markdown += "\n" + markdown;
  const auto write = [&](const char* name, const std::string& text) {
    write_file_atomically(fs::path(folder) / name, text);
    tables.files.emplace_back(name);
  };
  write("timing.md", markdown);
  write("timing.tex", latex_of(timing_table(timing, kLatex)));
  write("timing.csv", timing_csv(timing));
  return tables;
}

ExperimentPictures draw_experiment(const Plan& plan, const std::string& folder) {
  if (plan.report == kValueMapsReport) {
    ValueMaps maps = value_maps(plan);
    std::vector<std::string> files = draw_value_maps(maps, folder, umap_python());
    return {std::move(files), std::move(maps.missing)};
  }
  const std::vector<Picture> pictures =
      experiment_pictures(plan, draws_runs(plan) ? method_curves(plan) : MethodCurves());
  std::vector<std::string> files;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    std::vector<std::string> paths;
    for (const char* ending : {".png", ".pdf"}) {
      files.push_back(pictures[i].name + ending);
      paths.push_back((fs::path(folder) / files.back()).string());
    }
    pictures[i].draw(paths);
  }
  return {files, {}};
}

void write_experiment_page(const Plan& plan, const std::string& folder, bool pictures) {
  const MethodCurves curves = method_curves(plan);
  Page page(curves.title);
  MethodGrid grid = scoreboard(plan);
  grid.title = "Finished policies";  // the page has the experiment's
  page.markup(grid_html(grid));
  const std::vector<TimingRow> timing = experiment_timing(plan, curves);
  if (!timing.empty()) {
    page.heading("Time and memory");
    page.markup(html_of(timing_table(timing, kHtml)));
  }
  if (pictures && plan.report == kValueMapsReport)
    page.paragraph("The maps of values are files of their own beside this page: umap-TASK.png and .pdf.");
  if (pictures) add_pictures(page, experiment_pictures(plan, curves), folder);
  std::vector<NamedRun> runs;
  for (const TaskRuns& task : curves.tasks)
    for (std::size_t c = 0; c < curves.columns.size(); ++c)
      for (const TrainingRun& run : task.columns[c].runs)
        runs.push_back({task.task + ", " + curves.columns[c], &run});
  add_runs(page, runs);
  std::vector<std::pair<std::string, std::vector<std::string>>> commands;
  for (const Job& job : plan.jobs)
    if (job.kind != "report")
      commands.emplace_back(job.kind + ", " + job.label + ": " + state_name(state_of(job)), job.argv);
  page.heading("Plan");
  page.commands("All " + std::to_string(commands.size()) + " jobs, and what became of them", commands);
  write_file_atomically(fs::path(folder) / "report.html", page.text());
}

}  // namespace r2pac
