// `r2pac inspect FILE`: what a safetensors file holds.
#pragma once

#include <string>

namespace r2pac {

struct InspectOptions {
  std::string file;
  bool json = false;
};

/// Prints text entries and a table of tensors (name, type, shape, min, max, mean over the finite elements,
/// count of the others) of any safetensors file to standard output, as text or as one JSON object. A run
/// folder stands for its policy, or else for its newest whole checkpoint. Returns 0. Throws Error(checkpoint)
/// for a file that is not readable as safetensors; a data file is pointed to `r2pac data info`.
int run_inspect(const InspectOptions& options);

}  // namespace r2pac
