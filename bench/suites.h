// What `r2pac bench` measures.
#pragma once

#include <vector>

#include "bench/measure.h"
#include "policy/policy.h"

namespace r2pac {

/// Called with each row as soon as it is measured, or found not to be wanted.
using RowSink = std::function<void(const BenchRow&)>;

/// Gradient steps: the full size (observation 72, action 2, chunk 5, batch 1024, 4 x 512), joint and each
/// stage of the sequential schedule, and a small joint step (batch 256, 4 x 256). On a CUDA device also many
/// joint steps that are waited for only once.
void bench_steps(const BenchTarget& target, const RowSink& sink);

/// A step of all stages together, of any method and settings, on random data of these dimensions.
void bench_step_of(const Settings& settings, Dimensions dimensions, const BenchTarget& target,
                   const RowSink& sink);

/// Decisions of the full size: 16 candidates, 32 flow steps, both guidance branches, scored; one and more
/// observations. Operations are counted with the constant parts of the first layer taken once.
void bench_actions(const BenchTarget& target, const RowSink& sink);

/// One decision of R2PAC's untrained networks of these settings and dimensions.
void bench_action_of(const Settings& settings, Dimensions dimensions, const BenchTarget& target,
                     const RowSink& sink);

/// Decisions of a policy, which lies on the target's device, for one observation, by settings that differ
/// from its own in acting alone.
void bench_policy(const Policy& policy, const Settings& settings, const BenchTarget& target,
                  const RowSink& sink);

/// What the other suites are shares of, on the CPU: multiply-adds on registers in single precision and, where
/// the processor has it, in bf16, on all threads of the device; and the memory's bandwidth on one thread.
void bench_peaks(const BenchTarget& target, const RowSink& sink);

/// On one thread of the CPU: matrix products of the full size by our kernels and by oneDNN, activations,
/// optimiser, quantile. On a CUDA device: its kernels and the library's products.
void bench_kernels(const BenchTarget& target, const RowSink& sink);
/// The latter.
void bench_cuda_kernels(const BenchTarget& target, const RowSink& sink);

}  // namespace r2pac
