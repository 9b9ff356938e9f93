#include <algorithm>
#include <cmath>
#include <map>

#include "bench/cuda_measure.h"
#include "cuda/cuda.cuh"
#include "cuda/stopwatch.cuh"
#include "kernels/dense.cuh"
#include "kernels/random.cuh"
#ifndef R2PAC_CUDA_HOST
#include <nvtx3/nvToolsExt.h>
#endif

namespace r2pac::cuda {
namespace {

#ifdef R2PAC_CUDA_HOST
constexpr int kSquare = 48;
constexpr std::size_t kCopyBytes = std::size_t{64} << 10;
constexpr int kPeakTrials = 1;
#else
constexpr int kSquare = 4096;
constexpr std::size_t kCopyBytes = std::size_t{256} << 20;
constexpr int kPeakTrials = 10;
#endif

/// `amount` per second of one launch of `work`, the most of some trials.
double best_rate(Queue& queue, double amount, const std::function<void()>& work) {
  const Graph replay = queue.capture([&] {
    queue.begin_call(Work::after_everything("measured"));
    work();
  });
  replay.run();
  double best = 0;
  for (int trial = 0; trial < kPeakTrials; ++trial)
    best = std::max(best, amount / seconds_on(queue.stream(), [&] { replay.run(); }));
  return best;
}

double product_gflops(Queue& queue) {
  static std::map<Precision, double> most;
  constexpr std::size_t n = kSquare;
  const DeviceArray<float> a(n * n), c(n * n);
  // Equal numbers would take less power than a network's, and a higher clock.
  fill_uniform(1, Purpose::test, 0, kSquare, kSquare, a.data(), queue.stream());
  const Matrix square{a.data(), kSquare, 0};
  double& best = most[queue.precision()];
  return best = std::max(best, best_rate(queue, 2e-9 * n * n * n, [&] {
                           multiply(queue, square, square, kSquare, kSquare, kSquare, c.data(), 0, 1, false);
                         }));
}

double copy_bandwidth(Queue& queue) {
  static double best = 0;
  const DeviceArray<unsigned char> from(kCopyBytes), to(kCopyBytes);
  R2_CUDA(cudaMemsetAsync(from.data(), 1, kCopyBytes, queue.stream()));
  return best = std::max(best, best_rate(queue, 2e-9 * kCopyBytes, [&] {
                           queue.launch(1, [&](const Stream& stream) {
                             R2_CUDA(cudaMemcpyAsync(to.data(), from.data(), kCopyBytes,
                                                     cudaMemcpyDeviceToDevice, stream.get()));
                           });
                         }));
}

}  // namespace

void in_profiler_range([[maybe_unused]] const std::string& name, const std::function<void()>& work) {
#ifdef R2PAC_CUDA_HOST
  work();
#else
  struct Range {
    explicit Range(const char* text) { nvtxRangePushA(text); }
    ~Range() { nvtxRangePop(); }
  };
  const Range range(name.c_str());
  work();
#endif
}

double product_gflops(Precision precision) {
  Queue queue(precision);
  return product_gflops(queue);
}
double copy_bandwidth(Precision precision) {
  Queue queue(precision);
  return copy_bandwidth(queue);
}

KernelClock::KernelClock(Precision precision, bool timed) : queue_(precision), timed_(timed) {}

BenchRow KernelClock::measure(BenchRow row, const std::function<void()>& work) {
  const int graph_runs = timed_ ? 20 : 2, trials = timed_ ? 31 : 1;
  constexpr double kTrialSeconds = 5e-3;
  R2_CUDA(cudaDeviceSynchronize());  // operands may have come by other streams
  product_gflops(queue_);            // before and after: the most that was seen counts
  copy_bandwidth(queue_);
  const Graph replay = queue_.capture([&] {
    for (int run = 0; run < graph_runs; ++run) {
      queue_.begin_call(Work::after_everything(row.name));
      work();
    }
  });
  row.threads = 0;
  row.launches = replay.size().launches / graph_runs;

  // How many replays a trial takes is tried out, which warms up, too.
  int replays = 1;
  const auto trial = [&] {
    return seconds_on(queue_.stream(), [&] {
      for (int i = 0; i < replays; ++i) replay.run();
    });
  };
  double seconds = trial();
  while (timed_ && (seconds = trial()) < kTrialSeconds)
    replays = static_cast<int>(std::ceil(replays * std::clamp(1.2 * kTrialSeconds / seconds, 2.0, 10.0)));
  std::vector<double> times;
  in_profiler_range(row.name + ", " + row.shape, [&] {
    for (int i = 0; i < trials; ++i) times.push_back(trial() / replays / graph_runs);
  });

  row = with_times(row, times);
  row.bandwidth_fraction = row.gigabytes_per_second / copy_bandwidth(queue_);
  row.peak_fraction = row.gflop > 0 ? row.gflops / product_gflops(queue_) : row.bandwidth_fraction;
  row.bound = bound_of(row);
  return row;
}

}  // namespace r2pac::cuda
