// All files of an experiment's report.
#pragma once

#include <string>
#include <vector>

#include "experiment/plan.h"

namespace r2pac {

struct ExperimentTables {
  std::string markdown;            ///< for a terminal
  std::vector<std::string> files;  ///< names of what was written
};

/// Writes the tables of what there is by now into the experiment's folder, which must exist: that of methods
/// (table.*), and where the plan's `report` is timing that of times (timing.*).
/// Throws Error: checkpoint for a run or scores with a fault; disk.
ExperimentTables write_experiment_tables(const Plan& plan, const std::string& folder);

/// Draws the picture that the plan's `report` asks for into the folder, .png and .pdf. Returns the names of
/// the files. Throws Error: checkpoint for a run or scores with a fault; as draw_with_gnuplot().
std::vector<std::string> draw_experiment(const Plan& plan, const std::string& folder);

/// Writes report.html into the folder: the tables, the pictures (also as .svg), what was run on which data,
/// and all commands of the plan with what became of them. Throws as the two above.
void write_experiment_page(const Plan& plan, const std::string& folder, bool pictures);

}  // namespace r2pac
