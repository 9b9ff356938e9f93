#include "bench/measure.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "engine/executor.h"
#include "kernels/vector_kernels.h"

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

}  // namespace

void describe(BenchRow& row, Device& device, int launches) {
  row.threads = device.pool() != nullptr ? device.pool()->threads() : 0;
  row.launches = launches;
}

double measure_peak_gflops(int threads) {
  constexpr long kRounds = 2'000'000;
  const VectorKernels<float>& kernels = vector_kernels<float>();
  ThreadPool pool(threads);
  volatile float sink = 0;
  Phase phase;
  phase.tasks = threads;
  phase.run = [&](int, std::byte*) { sink = kernels.multiply_add(kRounds); };
  const std::vector<std::byte*> memory(static_cast<std::size_t>(threads), nullptr);
  static std::map<int, double> most;  // of the process: a disturbed probe must not make a row look good
  double& best = most[threads];
  for (int trial = 0; trial < 5; ++trial) {
    const double seconds = seconds_of([&] { pool.run(phase, memory); });
    best = std::max(best, 2.0 * kernels.lanes * kPeakChains * kRounds * threads / seconds / 1e9);
  }
  return best;
}

double measure_bandwidth() {
  const std::size_t n = std::size_t{1} << 25;
  std::vector<float> a(n, 1.0f), b(n, 2.0f);
  double best = 0;
  for (int trial = 0; trial < 5; ++trial) {
    const double seconds = seconds_of([&] {
      for (std::size_t i = 0; i < n; ++i) a[i] = a[i] * 0.5f + b[i];
    });
    best = std::max(best, 3.0 * sizeof(float) * static_cast<double>(n) / seconds / 1e9);
  }
  return best;
}

BenchRow measure(BenchRow row, const std::function<void()>& work) {
  constexpr std::size_t kTrials = 31;
  const bool arithmetic = row.gflop > 0;
  double peak = arithmetic ? measure_peak_gflops(row.threads) : measure_bandwidth();
  work();
  std::vector<double> clean, all;
  double spent = 0;
  while (all.size() < 4 * kTrials && (clean.size() < kTrials || spent < 0.5)) {
    const long before = preemptions();
    const double seconds = seconds_of(work);
    spent += seconds;
    all.push_back(seconds);
    if (preemptions() == before) clean.push_back(seconds);
    if (spent > 60) break;
  }
  std::vector<double>& times = clean.size() >= kTrials / 3 ? clean : all;
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
  };
  peak = std::max(peak, arithmetic ? measure_peak_gflops(row.threads) : measure_bandwidth());
  row.trials = static_cast<int>(times.size());
  row.median_ms = at(0.5) * 1e3;
  row.lower_ms = at(0.25) * 1e3;
  row.upper_ms = at(0.75) * 1e3;
  row.gflops = row.gflop / at(0.5);
  row.peak_fraction = (arithmetic ? row.gflops : row.gigabytes / at(0.5)) / peak;
  return row;
}

}  // namespace r2pac
