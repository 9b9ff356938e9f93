// What trainings took: wall time, arithmetic and memory of methods, as the paper's Table 3.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "report/input.h"
#include "report/markup.h"

namespace r2pac {

/// A method or variant on one task and one machine: means over training seeds.
struct TimingRow {
  std::string task, name, machine;
  std::size_t seeds = 0;
  double steps = 0;            ///< gradient steps that were taken
  double seconds = 0;          ///< wall time of these over all starts, without scores on the way
  double scoring_seconds = 0;  ///< of those scores
  double gflop_per_step = 0;
  double host_bytes = 0;               ///< the greatest of the seeds
  std::optional<double> device_bytes;  ///< the same on a GPU
  double seconds_per_step() const { return steps > 0 ? seconds / steps : 0; }
};

/// A run with the names that a table gives it.
struct TimedRun {
  std::string task, name;
  const RunFacts* facts;
};

/// A row for each task, name and machine, in the order in which they come. Runs whose manifest does not count
/// what they took are left out.
std::vector<TimingRow> timing_rows(const std::vector<TimedRun>& runs);

/// The rows in a language of markup. The last column is what a million steps would take at the measured pace.
TextTable timing_table(const std::vector<TimingRow>& rows, const Markup& markup);

/// Numbers unrounded, one line a row.
std::string timing_csv(const std::vector<TimingRow>& rows);

}  // namespace r2pac
