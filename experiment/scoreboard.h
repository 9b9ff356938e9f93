// The scores of a plan's policies as a grid, and its files.
#pragma once

#include "experiment/plan.h"
#include "report/input.h"
#include "report/method_grid.h"

namespace r2pac {

/// A file of scores. Throws Error(checkpoint).
ScoredPolicy read_scores(const std::string& file);

/// The scores that there are by now, and what became of the others. Throws Error(checkpoint) for a file of
/// scores with a fault.
MethodGrid scoreboard(const Plan& plan);

/// Writes table.md, table.tex, table.html and table.csv into the folder, which must exist. Returns the
/// Markdown.
std::string write_scoreboard(const Plan& plan, const std::string& folder);

}  // namespace r2pac
