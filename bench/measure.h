// Measuring: the machine's peak and medians of repeated runs, in one process.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/device.h"

namespace r2pac {

struct BenchRow;
class ThreadPool;

/// Where a suite runs, which of its rows, and for how long.
struct BenchTarget {
  std::shared_ptr<Device> device;
  Precision precision = Precision::fp32;  ///< of the device's products
  std::string filter = {};                ///< part of "NAME: SHAPE" of the rows that are wanted; "": all
  int trials = 31;                        ///< undisturbed ones that a row should have
  double limit_seconds = 60;              ///< after which a row takes no further trial

  bool wants(const BenchRow& row) const;

  bool on_cuda() const { return device->whole_batches(); }
  /// Whether times mean something: not where CUDA sources run on the CPU. There the suites take small shapes
  /// and one trial of everything; the depth of networks stays, and with it the number of launches.
  bool timed() const { return device->name() != "cuda-host"; }
};

/// One line of a benchmark's table.
struct BenchRow {
  std::string name, shape;
  std::string method;        ///< how the device does it, where it has a choice
  int threads = 1;           ///< of the CPU; 0 on another device
  int launches = 0;          ///< kernels and matrix products of one run on a CUDA device
  double critical_path = 0;  ///< those of a gradient step that must follow each other where steps overlap
  double median_ms = 0, lower_ms = 0, upper_ms = 0;  ///< quartiles of the undisturbed trials
  int trials = 0;                                    ///< 0 of a row that was not wanted
  bool noisy = false;    ///< too few trials were undisturbed, or their quartiles lie 20 % of the median apart
  double gflop = 0;      ///< counted operations of one run, a multiply-add as two; 0 if memory is the limit
  double gflops = 0;     ///< gflop per second at the median
  double gigabytes = 0;  ///< bytes that one run must move; 0 where they are not counted
  double gigabytes_per_second = 0;  ///< at the median
  double peak = 0;                  ///< measured around this row: GFLOP/s, or GB/s where gflop is 0
  double peak_fraction = 0;         ///< of that peak
  double bandwidth_fraction = 0;    ///< of a large copy on a CUDA device
  std::string bound;                ///< of a CUDA kernel: bound_of
};

/// "arithmetic" or "memory", whichever share of its peak is greater; "latency" if neither is above a quarter.
const char* bound_of(const BenchRow& row);

/// Independent multiply-adds on the CPU's registers of the instruction set in use, of single precision or,
/// with bf16, of pairs of bf16, on all threads of the pool. Returns how many GFLOP they are.
double multiply_add_registers(ThreadPool& pool, Precision precision);

/// Arrays of 128 MiB, which no cache holds.
struct LargeArrays {
  static constexpr std::size_t kSize = std::size_t{1} << 25;
  static constexpr double kGigabytes = 3.0 * sizeof(float) * kSize / 1e9;  ///< moved by scale_and_add()
  std::vector<float> a = std::vector<float>(kSize, 1.0f), b = std::vector<float>(kSize, 2.0f);
  void scale_and_add();  ///< a[i] = a[i] * s + b[i], on one thread
};

/// GFLOP/s, the most that was seen in this process. On the CPU multiply_add_registers on all threads of the
/// device; on a CUDA device a square product of 4096 in the precision in use.
double measure_peak_gflops(const BenchTarget& target);

/// GB/s. On the CPU LargeArrays::scale_and_add; on a CUDA device a copy of 256 MiB inside its memory, reads
/// and writes counted, the most that was seen in this process.
double measure_bandwidth(const BenchTarget& target);

/// The row with quartiles of `times` (seconds of one run, in any order, not empty) and its rates.
BenchRow with_times(BenchRow row, std::vector<double> times);

/// Runs `work` once to warm up and then until the target's trials and half a second have passed, and fills
/// the row's times and rates. `work` does `runs` runs and waits for their end; the times are those of one
/// run. Trials during which the system took the processor away are dropped while enough remain. row.launches
/// is not touched. Returns a row that the target does not want as it is.
BenchRow measure(BenchRow row, const BenchTarget& target, const std::function<void()>& work, int runs = 1);

}  // namespace r2pac
