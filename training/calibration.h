// Moving the bound of a choice by region so that what it calls safe was safe in episodes kept aside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "data/dataset.h"
#include "policy/policy.h"

namespace r2pac {

/// One random chunk of one episode.
struct CalibrationUnit {
  double q_cost;    ///< what the critics say that it and all that follows will cost
  double realized;  ///< what the recorded episode went on to cost, likewise discounted and scaled
};

/// The chunks with Q_c <= bound.
struct CalibratedBound {
  double bound = 0;
  std::size_t chunks = 0, covered = 0;  ///< covered: those of a realised cost within the limit
};

/// The fewest chunks that can show a miss rate: ceil(1 / miss_rate) - 1.
std::size_t chunks_needed(double miss_rate);

/// The greatest Q_c of a unit such that it and every lesser one with enough chunks below it pass: of the n
/// chunks at or below it at most (n + 1) miss_rate - 1 cost more than `limit`. If a further chunk were drawn
/// like these n, it would be one of n + 1 in random order, hence the 1. Nothing where too few chunks pass.
/// miss_rate in (0, 1).
std::optional<CalibratedBound> calibrated_bound(std::vector<CalibrationUnit> units, double limit,
                                                double miss_rate);

/// A random chunk of each episode that the policy's training kept aside, judged by its critics. Throws as
/// inspect_windows(), and Error(usage) where nothing was kept aside.
std::vector<CalibrationUnit> calibration_units(const Policy& policy, const Dataset& dataset,
                                               std::uint64_t seed);

}  // namespace r2pac
