#include "report/method_curves.h"

#include <algorithm>

#include "base/counted.h"
#include "report/curves.h"
#include "report/names.h"
#include "report/table.h"

namespace r2pac {
namespace {

constexpr std::size_t kMostColumns = 6;
constexpr PanelSize kSmallPanel = {.width = 250, .height = 170, .left = 104};
constexpr char kReturn[] = "normalised return", kCost[] = "cost / limit";

std::vector<Band> bands(const TaskRuns& task, const std::string& curve) {
  std::vector<Band> all;
  for (const MethodRuns& column : task.columns) {
    std::vector<const TrainingRun*> runs;
    for (const TrainingRun& run : column.runs) runs.push_back(&run);
    all.push_back(band_over(runs, curve, Spread::deviation));
  }
  return all;
}

Panel line_panel(const TaskRuns& task, const std::string& curve, const std::string& y_label) {
  Panel panel{.title = task.task, .y_label = y_label};
  panel.plain_title = true;
  panel.lines = bands(task, curve);
  return has_points(panel) ? panel : Panel();
}

/// Return over training: normalised, or as it is where no task tells the bounds.
Panel return_panel(const TaskRuns& task) {
  const Panel normalized = line_panel(task, "eval_normalized_return", kReturn);
  return has_points(normalized) ? normalized : line_panel(task, "eval_return_mean", "return of an episode");
}

Panel cost_panel(const TaskRuns& task) {
  Panel panel = line_panel(task, "eval_normalized_cost", kCost);
  panel.limit = panel.cost = has_points(panel);
  return panel;
}

/// Means of what finished policies came to. figure  returns or costs of a MethodRuns
Panel bar_panel(const TaskRuns& task, std::vector<double> MethodRuns::*figure, const std::string& y_label) {
  Panel panel{.title = task.task + ", finished", .y_label = y_label};
  panel.plain_title = true;
  for (const MethodRuns& column : task.columns) {
    panel.bars.emplace_back();
    if ((column.*figure).empty()) continue;
    const OverSeeds value = over_seeds(column.*figure);
    const double deviation = value.deviation.value_or(0);
    panel.bars.back() = MeanBar{value.mean, value.mean - deviation, value.mean + deviation};
  }
  return has_points(panel) ? panel : Panel();
}

/// How many training seeds the columns have, in words; what finished policies have counts, too.
std::string seeds_text(const MethodCurves& curves) {
  std::size_t least = SIZE_MAX, most = 0;
  for (const TaskRuns& task : curves.tasks)
    for (const MethodRuns& column : task.columns) {
      const std::size_t seeds = std::max(column.runs.size(), column.returns.size());
      if (seeds == 0) continue;
      least = std::min(least, seeds);
      most = std::max(most, seeds);
    }
  if (most <= 1) return "one training seed";
  return "mean ± standard deviation of " +
         (least == most ? counted(most, "training seed")
                        : std::to_string(least) + " to " + counted(most, "training seed"));
}

Chart chart_of(const MethodCurves& curves) {
  Chart chart;
  chart.title = curves.title + ": " + seeds_text(curves);
  chart.key = curves.columns;
  chart.looks = looks_of(curves.columns);
  chart.x_label = "gradient steps in thousands";
  chart.size = kSmallPanel;
  return chart;
}

std::optional<Chart> if_drawn(const Chart& chart) {
  return std::ranges::any_of(chart.panels, has_points) ? std::optional(chart) : std::nullopt;
}

}  // namespace

std::optional<Chart> curve_grid(const MethodCurves& curves) {
  Chart chart = chart_of(curves);
  chart.limit_text = "cost limit";
  std::vector<const TaskRuns*> shown;
  for (const TaskRuns& task : curves.tasks)
    if (has_points(return_panel(task)) || has_points(cost_panel(task))) shown.push_back(&task);
  chart.columns = std::min(std::max<std::size_t>(shown.size(), 1), kMostColumns);
  for (std::size_t begin = 0; begin < shown.size(); begin += chart.columns)
    for (const bool cost : {false, true})
      for (std::size_t i = begin; i < begin + chart.columns; ++i)
        chart.panels.push_back(i >= shown.size() ? Panel()
                               : cost            ? cost_panel(*shown[i])
                                                 : return_panel(*shown[i]));
  return if_drawn(chart);
}

std::optional<Chart> sweep_chart(const MethodCurves& curves) {
  Chart chart = chart_of(curves);
  chart.limit_text = "cost limit";
  chart.columns = 4;
  for (const TaskRuns& task : curves.tasks) {
    Panel costs = bar_panel(task, &MethodRuns::costs, kCost);
    costs.limit = costs.cost = has_points(costs);
    const std::vector<Panel> row = {return_panel(task), cost_panel(task),
                                    bar_panel(task, &MethodRuns::returns, kReturn), costs};
    if (std::ranges::any_of(row, has_points)) chart.panels.insert(chart.panels.end(), row.begin(), row.end());
  }
  return if_drawn(chart);
}

std::optional<Chart> critic_chart(const MethodCurves& curves) {
  Chart chart = chart_of(curves);
  chart.columns = 2;
  chart.size = PanelSize();
  for (const TaskRuns& task : curves.tasks) {
    const std::vector<Panel> row = {line_panel(task, "q_r", "Q_r, mean of the batch"),
                                    line_panel(task, "q_c", "Q_c, mean of the batch")};
    if (std::ranges::any_of(row, has_points)) chart.panels.insert(chart.panels.end(), row.begin(), row.end());
  }
  return if_drawn(chart);
}

}  // namespace r2pac
