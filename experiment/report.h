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

struct ExperimentPictures {
  std::vector<std::string> files;    ///< names of what was drawn
  std::vector<std::string> missing;  ///< why a picture is not drawn, one sentence each
};

/// Draws the pictures that the plan's `report` asks for into the folder, .png and .pdf.
/// Throws Error: checkpoint for a run or scores with a fault; as draw_with_gnuplot() and draw_value_maps().
ExperimentPictures draw_experiment(const Plan& plan, const std::string& folder);

/// Writes report.html into the folder: the tables, the pictures (also as .svg) but for maps of values, what
/// was run on which data, and all commands of the plan with what became of them. Throws as the two above.
void write_experiment_page(const Plan& plan, const std::string& folder, bool pictures);

}  // namespace r2pac
