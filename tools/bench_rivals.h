// `r2pac bench rivals`: the same work by this program, PyTorch and JAX.
#pragma once

#include <string>

namespace r2pac {

struct RivalsOptions {
  int threads;
  int trials;      ///< undisturbed ones that a row should have
  double seconds;  ///< after which a row takes no further trial
  std::string filter, out;
  bool json;
};

/// Becomes bench/rivals.py of the repository that this program belongs to, run by the Python of .rivals/.
/// Throws Error(usage) where one of the two is missing or cannot be started.
[[noreturn]] void run_rivals(const RivalsOptions& options);

}  // namespace r2pac
