// What methods and variants come to over training, as figures of papers show it: grids of training curves,
// sweeps of a setting, and values of critics.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "report/chart.h"
#include "report/input.h"

namespace r2pac {

/// One method or variant on one task.
struct MethodRuns {
  std::vector<TrainingRun> runs;       ///< one for each training seed that has begun
  std::vector<double> returns, costs;  ///< of finished policies, normalised; one for each scored seed
};

struct TaskRuns {
  std::string task;
  std::vector<MethodRuns> columns;  ///< as MethodCurves::columns
};

struct MethodCurves {
  std::string title;
  std::vector<std::string> columns;  ///< names of methods or variants, which tell their looks
  std::vector<TaskRuns> tasks;
};

/// Tasks side by side, at most six in a row: above the return, below it the cost, over the steps of the
/// training, each with a line at the cost limit. Lines are means over training seeds, bands their standard
/// deviation. Tasks without a curve are left out; nothing where none has one.
std::optional<Chart> curve_grid(const MethodCurves& curves);

/// A row for each task: return and cost over the steps, as in the grid, then both of the finished policies
/// as bars with the standard deviation over seeds. Nothing where there is neither.
std::optional<Chart> sweep_chart(const MethodCurves& curves);

/// A row for each task: batch means of Q_r and Q_c, the least and greatest of the averaged twins, over the
/// steps of the critics. Nothing where no run has them.
std::optional<Chart> critic_chart(const MethodCurves& curves);

}  // namespace r2pac
