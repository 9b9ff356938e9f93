// `r2pac data convert`: data sets of other layouts, or the safe episodes of one, as a DSRL file.
#pragma once

#include <optional>
#include <string>

#include "data/layouts.h"

namespace r2pac {

struct ConvertOptions {
  std::string in, out;
  LayoutOptions layout;
  std::optional<double> max_cost;  ///< keeps episodes whose summed cost is at most this
};

/// Writes the DSRL file and prints what was read, what was written, and warnings about it. Returns 0.
/// Throws Error(ExitCode::data) when the input cannot be used and Error(ExitCode::disk) when the output
/// cannot be written.
int run_data_convert(const ConvertOptions& options);

}  // namespace r2pac
