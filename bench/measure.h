// Measuring: the machine's peak and medians of repeated runs, in one process.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/device.h"

namespace r2pac {

/// One line of a benchmark's table.
struct BenchRow {
  std::string name, shape;
  int threads = 1;   ///< of the CPU; 0 on another device
  int launches = 0;  ///< kernels and matrix products of one run on a CUDA device
  double median_ms = 0, lower_ms = 0, upper_ms = 0;  ///< quartiles of the undisturbed trials
  int trials = 0;
  double gflop = 0;      ///< counted operations of one run, a multiply-add as two; 0 if memory is the limit
  double gflops = 0;     ///< gflop per second at the median
  double gigabytes = 0;  ///< bytes moved by one run, for rows that memory limits
  double peak_fraction =
      0;  ///< of the peak measured around this row: arithmetic, or bandwidth where gflop is 0
};

/// Notes in the row where it runs.
void describe(BenchRow& row, Device& device, int launches);

/// Most single-precision operations per second of `threads` threads of this process, in GFLOP/s: independent
/// multiply-adds on the registers of the instruction set in use. The most that was seen so far.
double measure_peak_gflops(int threads);

/// Bytes per second of a[i] = a[i] * s + b[i] over arrays that no cache holds, in GB/s, on one thread.
double measure_bandwidth();

/// Runs `work` once to warm up and then at least 31 times and half a second, and fills the row's times and
/// rates. Trials during which the system took the processor away are dropped while enough remain.
BenchRow measure(BenchRow row, const std::function<void()>& work);

}  // namespace r2pac
