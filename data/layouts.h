// Data sets of other layouts, read as the seven arrays of a DSRL file. docs/interop.md describes them.
#pragma once

#include <string>
#include <vector>

#include "data/dsrl.h"

namespace r2pac {

enum class Layout {
  automatic,  ///< told from the file
  dsrl,       ///< FORMAT.md
  d4rl,       ///< HDF5, one array for each field, some of them missing or otherwise named
  minari,     ///< HDF5, a group for each episode
  npz         ///< NumPy archive, one array for each field
};

/// "auto", "dsrl", "d4rl", "minari", "npz"
const char* layout_name(Layout layout);

struct LayoutOptions {
  Layout layout = Layout::automatic;
  std::string cost_key;   ///< array of costs, in groups as "infos/cost"; "" tries the usual names
  bool no_costs = false;  ///< zeros instead of costs
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
