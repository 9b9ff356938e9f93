// `r2pac data make`: data sets of the built-in robot in the published layout.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "data/dsrl.h"

namespace r2pac {

/// Episodes 0 .. episodes - 1 of the scripted drivers, one after another. Calls `before` (may be empty) each.
/// Throws Error(ExitCode::usage) unless 1 <= episodes <= 100000.
DsrlColumns reach_avoid_columns(int episodes, std::uint64_t seed,
                                const std::function<void(int episode)>& before = {});

/// Writes reach_avoid_columns to `out` and prints three lines: what was written, quartiles of return and
/// cost per episode, and the share of episodes within the cost limit. Returns 0.
/// Throws Error(ExitCode::usage) as above and Error(ExitCode::disk) when `out` cannot be written.
int run_data_make_reach_avoid(const std::string& out, int episodes, std::uint64_t seed);

}  // namespace r2pac
