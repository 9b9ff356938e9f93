#include "experiment/scoreboard.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "experiment/record.h"
#include "report/grid_text.h"
#include "report/input.h"
#include "report/text.h"
#include "storage/atomic_file.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;

/// The numbers of one cell while its seeds are gathered.
struct Gathered {
  GridCell cell;
  std::vector<double> rewards, costs;
};

void add_seed(Gathered& gathered, const PlannedCell& planned, const std::map<std::string, const Job*>& jobs) {
  GridCell& cell = gathered.cell;
  ++cell.wanted;
  if (planned.not_installed) {
    cell.not_installed = true;
    return;
  }
  if (planned.score.empty()) {
    cell.no_data = true;
    return;
  }
  const Job& train = *jobs.at(planned.train);
  const Job& score = *jobs.at(planned.score);
  const JobState trained = state_of(train), scored = state_of(score);
  if (trained == JobState::diverged || scored == JobState::diverged) {
    ++cell.diverged;
  } else if (scored == JobState::done) {
    const ScoredPolicy s = read_scores(score.outputs.at(0));
    gathered.rewards.push_back(s.normalized_return.value_or(s.return_mean));
    gathered.costs.push_back(s.normalized_cost);
    cell.safe_seeds += s.normalized_cost < 1 ? 1 : 0;
  } else if (trained == JobState::failed || scored == JobState::failed) {
    ++cell.failed;
  } else {
    for (const std::string& record : train.inputs)  // critics that failed
      if (read_record(failure_path(record))) {
        ++cell.failed;
        break;
      }
  }
}

}  // namespace

ScoredPolicy read_scores(const std::string& file) {
  const auto bytes = read_file(file, std::size_t{1} << 28, ExitCode::checkpoint);
  return parse_scores({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file);
}

MethodGrid scoreboard(const Plan& plan) {
  std::map<std::string, const Job*> jobs;
  for (const Job& job : plan.jobs) jobs[job.id] = &job;
  std::vector<std::string> columns, tasks;
  std::map<std::string, std::string> suites;
  std::map<std::pair<std::string, std::string>, Gathered> cells;
  for (const PlannedCell& cell : plan.cells) {
    if (std::ranges::find(columns, cell.column) == columns.end()) columns.push_back(cell.column);
    if (suites.emplace(cell.task, cell.suite).second) tasks.push_back(cell.task);
    add_seed(cells[{cell.task, cell.column}], cell, jobs);
  }
  std::vector<GridRow> rows;
  for (const std::string& task : tasks) {
    GridRow row{task, suites[task], false, {}, {}};
    for (const std::string& column : columns) {
      Gathered& g = cells[{task, column}];
      g.cell.scored = g.rewards.size();
      if (!g.rewards.empty()) {
        g.cell.reward = over_seeds(g.rewards);
        g.cell.cost = over_seeds(g.costs);
      }
      row.cells.push_back(g.cell);
    }
    rows.push_back(row);
  }
  return make_grid(plan.title, columns, rows);
}

std::string write_scoreboard(const Plan& plan, const std::string& folder) {
  const MethodGrid grid = scoreboard(plan);
  const std::string markdown =
      "# " + markdown_text(plan.title) + " (size " + plan.size + ")\n\n" + grid_markdown(grid);
  const fs::path out(folder);
  write_file_atomically(out / "table.md", markdown);
  write_file_atomically(out / "table.tex", grid_latex(grid));
  write_file_atomically(out / "table.html",
                        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>" +
                            html_text(plan.title) + "</title>\n<style>\n" + grid_style() +
                            "</style>\n</head>\n<body>\n" + grid_html(grid) + "</body>\n</html>\n");
  write_file_atomically(out / "table.csv", grid_csv(grid));
  return markdown;
}

}  // namespace r2pac
