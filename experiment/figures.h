// The figures and tables of an experiment beside its table of methods, from the runs that there are by now.
#pragma once

#include <vector>

#include "experiment/plan.h"
#include "report/method_curves.h"
#include "report/pictures.h"
#include "report/timing.h"

namespace r2pac {

/// Curves and final scores of the plan's cells. A run that has not begun has none; a training of several
/// columns stands in each. Throws Error: checkpoint for a run or scores with a fault.
MethodCurves method_curves(const Plan& plan);

inline constexpr char kTimingReport[] = "timing";  ///< the `report` of which experiment_timing() is the table

/// Whether the plan's `report` is a picture of curves, for which runs are read.
bool draws_runs(const Plan& plan);

/// The picture of the plan's `report`, as far as there are runs:
///   sweep        curves and bars (sweep)
///   curves       a grid of training curves (curves)
///   q-curves     values of the critics (q-curves)
///   composition  the episodes of each task's data, which takes no run (composition)
///   others       none; those of umap are drawn by draw_value_maps()
std::vector<Picture> experiment_pictures(const Plan& plan, const MethodCurves& curves);

/// What the plan's trainings took; empty but where its `report` is timing.
std::vector<TimingRow> experiment_timing(const Plan& plan, const MethodCurves& curves);

}  // namespace r2pac
