// Return against cost: policies among the episodes of their data.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.h"
#include "report/table.h"

namespace r2pac {

/// The episodes of a data set.
struct DataCloud {
  std::vector<double> returns, costs;  ///< [episodes], undiscounted sums; empty: nothing is known of them
};
DataCloud data_cloud(const Dataset& dataset);

/// One policy, or one method over seeds.
struct ScatterMark {
  std::string name;       ///< in the key, any text
  std::size_t look = 0;   ///< number of its line_color()
  std::size_t shape = 0;  ///< tells it from others of that colour
  OverSeeds episode_cost, episode_return;
  std::vector<std::pair<double, double>> seeds = {};  ///< mean cost and mean return of each, drawn if several
};

struct Scatter {
  DataCloud cloud;
  std::vector<ScatterMark> marks;
  std::set<double> limits;  ///< costs at which a line stands
  std::string prefix = {};  ///< of its files, where a picture has several panels
  std::size_t key_entries() const { return marks.size() + (cloud.costs.empty() ? 1 : 2); }
};

/// The commands of a panel, from its axes on; its place, title and key are the caller's. Adds the files that
/// they name to `files`.
std::string scatter_panel(const Scatter& scatter, std::map<std::string, std::string>& files);

/// Draws rows of one task into files (.png, .pdf): the mean of each with its standard deviation over seeds
/// and the seeds themselves, the cost limit, and the data's episodes behind them. Throws as
/// draw_with_gnuplot(). looks  number of each row's line_color()
void draw_scatter(const std::vector<std::string>& paths, const std::vector<const TableRow*>& rows,
                  const std::vector<std::size_t>& looks, const DataCloud& cloud);

}  // namespace r2pac
