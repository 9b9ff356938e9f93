// What data sets consist of: return against cost of their episodes, without any run.
#pragma once

#include <string>
#include <vector>

#include "report/scatter.h"

namespace r2pac {

/// The episodes of one data set.
struct DataPanel {
  std::string title;      ///< any text
  DataCloud cloud;        ///< at least one episode
  double cost_limit = 0;  ///< kappa, per episode
};

/// Draws a grid of panels into files (.png, .pdf, .svg), at most four in a row: a dot for each episode, and a
/// dashed line at the cost limit; above each which share of the episodes is within it. Throws InvalidArgument
/// without a panel or an episode, and as draw_with_gnuplot().
void draw_composition(const std::vector<std::string>& paths, const std::string& title,
                      const std::vector<DataPanel>& panels);

}  // namespace r2pac
