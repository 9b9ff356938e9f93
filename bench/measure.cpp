#include "bench/measure.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "engine/executor.h"
#include "kernels/bf16.h"
#include "kernels/vector_kernels.h"
#ifdef R2PAC_WITH_CUDA
#include "bench/cuda_measure.h"
#endif

namespace r2pac {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_of(const std::function<void()>& work) {
  const auto begin = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Times that any thread of this process was preempted so far.
long preemptions() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nivcsw;
}

double cpu_gflops(ThreadPool& pool, Precision precision) {
  // Of the process, since a disturbed probe must not make a row look good.
  static std::map<std::pair<int, bool>, double> most;
  double& best = most[{pool.threads(), precision == Precision::bf16}];
  for (int trial = 0; trial < 5; ++trial) {
    double gflop = 0;
    const double seconds = seconds_of([&] { gflop = multiply_add_registers(pool, precision); });
    best = std::max(best, gflop / seconds);
  }
  return best;
}

double cpu_bandwidth() {
  LargeArrays arrays;
  double best = 0;
  for (int trial = 0; trial < 5; ++trial)
    best = std::max(best, LargeArrays::kGigabytes / seconds_of([&] { arrays.scale_and_add(); }));
  return best;
}

}  // namespace

double multiply_add_registers(ThreadPool& pool, Precision precision) {
  constexpr long kRounds = 2'000'000;
  const VectorKernels<float>& kernels = vector_kernels<float>();
  const bool bf16 = precision == Precision::bf16;
  const int lanes = bf16 ? kBf16Lanes : kernels.lanes, threads = pool.threads();
  volatile float sink = 0;
  TaskGroup group;
  group.tasks = threads;
  group.run = [&](int, std::byte*) {
    sink = bf16 ? bf16_multiply_add(kRounds) : kernels.multiply_add(kRounds);
  };
  pool.run(group, std::vector<std::byte*>(static_cast<std::size_t>(threads), nullptr));
  return 2.0 * lanes * kPeakChains * kRounds * threads / 1e9;
}

void LargeArrays::scale_and_add() {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = a[i] * 0.5f + b[i];
}

bool BenchTarget::wants(const BenchRow& row) const {
  return (row.name + ": " + row.shape).find(filter) != std::string::npos;
}

const char* bound_of(const BenchRow& row) {
  constexpr double kIdle = 0.25;
  const double arithmetic = row.gflop > 0 ? row.peak_fraction : 0;
  if (std::max(arithmetic, row.bandwidth_fraction) <= kIdle) return "latency";
  return arithmetic >= row.bandwidth_fraction ? "arithmetic" : "memory";
}

double measure_peak_gflops(const BenchTarget& target) {
#ifdef R2PAC_WITH_CUDA
  if (target.on_cuda()) return cuda::product_gflops(target.precision);
#endif
  return cpu_gflops(*target.device->pool(), target.precision);
}

double measure_bandwidth([[maybe_unused]] const BenchTarget& target) {
#ifdef R2PAC_WITH_CUDA
  if (target.on_cuda()) return cuda::copy_bandwidth(target.precision);
#endif
  return cpu_bandwidth();
}

BenchRow with_times(BenchRow row, std::vector<double> times) {
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
  };
  row.trials = static_cast<int>(times.size());
  row.median_ms = at(0.5) * 1e3;
  row.lower_ms = at(0.25) * 1e3;
  row.upper_ms = at(0.75) * 1e3;
  row.gflops = row.gflop / at(0.5);
  row.gigabytes_per_second = row.gigabytes / at(0.5);
  row.noisy = at(0.75) - at(0.25) > 0.2 * at(0.5);
  return row;
}

BenchRow measure(BenchRow row, const BenchTarget& target, const std::function<void()>& work, int runs) {
  if (!target.wants(row)) return row;
  const std::size_t enough = target.timed() ? static_cast<std::size_t>(target.trials) : 1;
  const double least_seconds = target.timed() ? 0.5 : 0;
  row.threads = target.on_cuda() ? 0 : target.device->pool()->threads();
  const bool arithmetic = row.gflop > 0;
  const auto probe = [&] { return arithmetic ? measure_peak_gflops(target) : measure_bandwidth(target); };
  double peak = probe();
  work();
  std::vector<double> clean, all;
  const auto take_times = [&] {
    double spent = 0;
    while (all.size() < 4 * enough && (clean.size() < enough || spent < least_seconds)) {
      const long before = preemptions();
      const double seconds = seconds_of(work);
      spent += seconds;
      all.push_back(seconds / runs);
      if (preemptions() == before) clean.push_back(seconds / runs);
      if (spent > target.limit_seconds) break;
    }
  };
#ifdef R2PAC_WITH_CUDA
  cuda::in_profiler_range(row.name + ", " + row.shape, take_times);
#else
  take_times();
#endif
  peak = std::max(peak, probe());
  const bool undisturbed = 3 * clean.size() >= enough && !clean.empty();
  row = with_times(row, undisturbed ? clean : all);
  row.noisy = row.noisy || !undisturbed;
  row.peak = peak;
  row.peak_fraction = (arithmetic ? row.gflops : row.gigabytes_per_second) / peak;
  return row;
}

}  // namespace r2pac
