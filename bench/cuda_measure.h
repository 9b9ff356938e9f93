// Measuring on a CUDA device: what it reaches, and kernels by its own clock.
#pragma once

#include <functional>

#include "bench/measure.h"
#include "kernels/queue.cuh"

namespace r2pac::cuda {

/// Of the current device, the most that was seen in this process: GFLOP/s of a square product of 4096, and
/// GB/s of a copy of 256 MiB inside its memory, reads and writes counted.
double product_gflops(Precision precision);
double copy_bandwidth(Precision precision);

/// Runs `work`, named in the picture of a profiler that is watching (NVTX).
void in_profiler_range(const std::string& name, const std::function<void()>& work);

/// Takes the times of kernels, from their first to their last on the device.
class KernelClock {
 public:
  /// timed: false for one short trial.
  explicit KernelClock(Precision precision, bool timed);

  Queue& queue() { return queue_; }

  /// `work` launches one run through the queue; row.launches is what it launches. Runs follow each other in a
  /// graph, as they do in a step, so that the processor's part in a launch is not timed. 31 trials, each at
  /// least 5 ms, in a named range.
  BenchRow measure(BenchRow row, const std::function<void()>& work);

 private:
  Queue queue_;
  bool timed_;
};

}  // namespace r2pac::cuda
