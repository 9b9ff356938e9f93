#include "experiment/effort.h"

#include <algorithm>
#include <cmath>

#include "model/arithmetic.h"

namespace r2pac {
namespace {

/// Share of the measured peak that gradient steps reach on one thread: 0.6 to 0.85, by width
/// (docs/performance.md).
constexpr double kShareOfPeak = 0.7;
/// Of a GPU, which nobody has measured: GFLOP/s of tensor cores, and the seconds that launching a step takes.
constexpr double kGpuGflops = 150000, kGpuStepSeconds = 2e-4;
/// Seconds that a simulator takes for a step: 0.5 to 1.5 ms for those of Bullet.
constexpr double kSimulatorSeconds = 1e-3;

}  // namespace

double training_minutes(const Settings& settings, const Method<float>& method, const Machine& machine) {
  const double gflop = training_gflop(settings, method);
  if (!machine.gpu) return gflop / (kShareOfPeak * machine.peak_gflops) / 60;
  double steps = 0;
  for (const Stage<float>& stage : method.stages) {
    const auto n = static_cast<double>(stage.steps(settings));
    steps = settings.schedule == Schedule::joint ? std::max(steps, n) : steps + n;
  }
  return std::max(gflop / kGpuGflops, steps * kGpuStepSeconds) / 60;
}

double scoring_minutes(const Settings& acting, const Method<float>& method, const Machine& machine,
                       double steps) {
  const double gflops = machine.gpu ? kGpuGflops : kShareOfPeak * machine.peak_gflops;
  return steps * (kSimulatorSeconds + action_gflop(acting, method) / gflops) / 60;
}

std::int64_t training_memory_mb(const Settings& settings, const Method<float>& method, Dimensions dimensions,
                                std::int64_t rows) {
  constexpr double kProgram = 100e6;
  // While a file is read, its arrays (with next observations) lie beside those that training uses.
  const double row = 3.0 * dimensions.observation + 2.0 * dimensions.action + 6;
  // Weights, averages, two moments, gradients, and the copies that a checkpoint is written from.
  const double weights = 9 * trained_numbers(method);
  double widths = 0;
  for (const Network& network : method.networks.networks)
    for (const int width : network.hidden) widths += static_cast<double>(network.count) * width;
  const double activations = 4 * widths * settings.batch;
  return static_cast<std::int64_t>(
      std::ceil((kProgram + 4 * (static_cast<double>(rows) * row + weights + activations)) / 1e6));
}

}  // namespace r2pac
