// What a training took: time, arithmetic and memory, over all of its starts. What a kill undid after the last
// checkpoint is not in it; what is done again from an earlier checkpoint counts again.
#pragma once

#include <cstdint>
#include <optional>

namespace r2pac {

struct RunEffort {
  std::uint64_t steps = 0;     ///< gradient steps taken, up to the last checkpoint
  double seconds = 0;          ///< wall time of these, with reading of data and writing of files
  double scoring_seconds = 0;  ///< wall time of scores on the way, beside that
  double gflop_per_step = 0;  ///< mean over the run's steps, a multiply-add as two, counted from the networks
  std::uint64_t host_bytes = 0;  ///< the most memory of the process; that of simulators is not in it
  std::optional<std::uint64_t> device_bytes = {};  ///< the most that was allocated on a GPU; none on a CPU
};

}  // namespace r2pac
