// Data sets of other layouts, read as the seven arrays of a DSRL file. docs/interop.md describes them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "data/dsrl.h"

namespace r2pac {

enum class Layout {
  automatic,  ///< told from the file
  dsrl,       ///< FORMAT.md
  d4rl,       ///< HDF5, one array for each field, some of them missing or otherwise named
  minari,     ///< HDF5, a group for each episode
  npz,        ///< NumPy archive, one array for each field
  robomimic,  ///< HDF5, a group for each episode in the group `data`
  d3rlpy,     ///< HDF5, arrays numbered by episodes, as d3rlpy 2 writes; d3rlpy 1 is d4rl
  csv         ///< text table, a column for each number
};

/// "auto", "dsrl", "d4rl", "minari", "npz", "robomimic", "d3rlpy", "csv"
const char* layout_name(Layout layout);
/// "a Minari file"
const char* layout_title(Layout layout);

/// "observations", "next_observations", ...: the fields that LayoutOptions::names may name.
const std::vector<std::string>& field_names();

struct LayoutOptions {
  Layout layout = Layout::automatic;
  std::string cost_key;   ///< array of costs, in groups as "infos/cost"; "" tries the usual names
  bool no_costs = false;  ///< zeros instead of costs
  std::map<std::string, std::string> names = {};  ///< field to array or arrays, as in AssembleOptions
  std::int64_t episode_steps = 0;  ///< cuts episodes after so many steps; 0: where they are flagged
};

struct OtherData {
  Layout layout;  ///< that was read
  DsrlColumns columns;
  std::vector<std::string> notes;  ///< what was concluded or left out, a sentence each
};

/// Reads a data set of any layout; the decoding runs in child processes, as read_dsrl does.
/// Throws Error(ExitCode::data) when the file cannot be read, holds no costs, or NaN or infinity.
OtherData read_layout(const std::string& path, const LayoutOptions& options, const ReadLimits& limits = {});

/// The episodes whose summed cost is at most max_cost, in their order.
/// Throws Error(ExitCode::data) when there is none.
DsrlColumns episodes_within(const DsrlColumns& columns, double max_cost);

}  // namespace r2pac
