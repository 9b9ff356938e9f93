// What is wrong with a data set, and what is in it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/dsrl.h"

namespace r2pac {

struct Fault {
  enum class Severity {
    error,   ///< training would refuse the file or learn something false
    warning  ///< odd, but usable as described
  } severity;
  std::string array;  ///< empty when the fault concerns them all
  std::int64_t row;   ///< the first one concerned, from 0; -1: none in particular
  std::string what, todo;
  bool refused = false;  ///< training, and whatever reads data as training does, refuses the file
};

/// "`actions`: outside [-1, 1] in 3 rows (first: 17); scale them": a fault in one line.
std::string sentence(const Fault& fault);

/// Every fault of the contents: sizes that do not fit, NaN and infinity, rows in no order, next observations
/// that do not match or that follow an end wrongly, padding, ends that are missing, actions outside [-1, 1]
/// or of few values, costs that are negative or look summed, columns that are constant or were rounded away,
/// both flags at once, no window of `chunk_length` rows. Errors first.
std::vector<Fault> check_columns(const DsrlColumns& columns, int chunk_length = 5);

/// Smallest, quartiles (linear interpolation) and largest of one figure over the episodes.
struct Quartiles {
  double min = 0, lower = 0, median = 0, upper = 0, max = 0, mean = 0;
};

/// Over the finite numbers of an array; NaN when there are none.
struct ArrayRange {
  std::string name;
  std::int64_t columns = 0, not_finite = 0;
  double min = 0, max = 0, mean = 0;
};

struct DataSummary {
  std::int64_t rows = 0, episodes = 0, windows = 0;
  int observation_dim = 0, action_dim = 0, chunk_length = 0;
  std::int64_t terminal_episodes = 0, timeout_episodes = 0;  ///< ended genuinely, cut by a timeout
  bool unfinished = false;                                   ///< the last episode is in neither
  std::array<ArrayRange, 5> ranges;                          ///< of the arrays of numbers
  Quartiles length, episode_return, episode_cost;            ///< undiscounted sums
  double cost_limit = 0;
  double share_within_limit = 0;  ///< of episodes whose cost is at most the limit
  std::string fingerprint;        ///< as in Dataset
};

/// cost_limit  per episode, in units of summed cost. Works on faulty contents, too; sums over NaN are NaN.
DataSummary summarize(const DsrlColumns& columns, double cost_limit, int chunk_length = 5);

}  // namespace r2pac
