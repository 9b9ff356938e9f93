// Return against cost: a table's rows among the episodes of the data.
#pragma once

#include <string>
#include <vector>

#include "report/table.h"

namespace r2pac {

/// The episodes of a data set.
struct DataCloud {
  std::vector<double> returns, costs;  ///< [episodes], undiscounted sums; empty: nothing is known of them
};

/// Draws rows of one task into files (.png, .pdf): the mean of each with its standard deviation over seeds
/// and the seeds themselves, the cost limit, and the data's episodes behind them. Throws as
/// draw_with_gnuplot().
void draw_scatter(const std::vector<std::string>& paths, const std::vector<const TableRow*>& rows,
                  const DataCloud& cloud);

}  // namespace r2pac
