// `r2pac data info` and `r2pac data check`.
#pragma once

#include <string>

namespace r2pac {

/// Prints what is in a DSRL file, as text or as one JSON object. Returns the exit status, 0.
/// cost_limit    per episode; for the share of episodes within it
/// chunk_length  rows of a window; for the number of windows
/// Throws Error(ExitCode::data) when the file cannot be read.
int run_data_info(const std::string& file, bool json, double cost_limit, int chunk_length);

/// Prints every fault of a DSRL file, or "no faults found". Returns the exit status: 3 when training
/// should not use the file (unreadable files included), 0 otherwise.
int run_data_check(const std::string& file, bool json, int chunk_length);

}  // namespace r2pac
