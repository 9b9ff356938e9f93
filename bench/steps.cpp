#include "base/philox.h"
#include "bench/suites.h"
#include "model/learner.h"

namespace r2pac {
namespace {

/// Episodes of random numbers: the arithmetic does not depend on what they mean.
Dataset random_dataset(int observation_dim, int action_dim) {
  DsrlColumns columns;
  columns.rows = 20000;
  columns.observation_dim = observation_dim;
  columns.action_dim = action_dim;
  const auto n = static_cast<std::size_t>(columns.rows);
  std::uint32_t row = 0;
  const auto fill = [&](std::vector<float>& values, std::size_t size) {
    values.resize(size);
    for (std::uint32_t i = 0; i < size; ++i) values[i] = 2 * random_uniform(1, Purpose::test, 0, row, i) - 1;
    ++row;
  };
  const auto s = static_cast<std::size_t>(observation_dim);
  fill(columns.observations, n * s);
  columns.next_observations.assign(columns.observations.begin() + static_cast<std::ptrdiff_t>(s),
                                   columns.observations.end());
  columns.next_observations.resize(n * s);
  fill(columns.actions, n * static_cast<std::size_t>(action_dim));
  fill(columns.rewards, n);
  columns.costs.assign(n, 0.0f);
  columns.terminals.assign(n, 0);
  columns.timeouts.assign(n, 0);
  for (std::size_t i = 999; i < n; i += 1000) columns.timeouts[i] = 1;
  return make_dataset(columns, "random");
}

/// Multiply-adds of one row through a net, and through its first layer.
struct NetCount {
  double forward = 0, first = 0;
};
NetCount count(const Mlp& mlp) {
  NetCount c;
  for (const DenseLayer& layer : mlp.layers) c.forward += static_cast<double>(layer.in) * layer.out;
  const DenseLayer& first = mlp.layers.front();
  c.first = static_cast<double>(first.in) * first.out;
  return c;
}

/// Operations of one step in GFLOP: forward passes, weight gradients, and input gradients of all but the
/// first layer (of the label's columns there).
double gflop(const Settings& settings, const Networks<float>& nets, StepKind kind) {
  const NetCount q = count(nets.critic), v = count(nets.value), f = count(nets.velocity);
  const int critics = 2 * nets.critics_per_side();
  const auto trained = [](const NetCount& net) { return 3 * net.forward - net.first; };
  double per_row = 0;
  if (kind != StepKind::flow) per_row += critics * (trained(q) + q.forward) + 2 * (trained(v) + v.forward);
  if (kind != StepKind::critics)
    per_row += trained(f) + static_cast<double>(settings.label_dim) * nets.velocity.layers.front().out;
  return 2 * per_row * settings.batch / 1e9;
}

BenchRow step_row(const std::string& name, const Settings& settings, StepKind kind, const BenchTarget& target,
                  int runs = 1) {
  const std::shared_ptr<Device>& device = target.device;
  const Dataset dataset = random_dataset(72, 2);
  const TrainingData<float> data(dataset, settings, *device);
  Networks<float> nets(settings, data.dimensions(), *device);
  Memory& memory = device->memory();
  Buffer<StepState> state(1, memory);
  Buffer<float> threshold(1, memory);
  Buffer<std::uint8_t> labels(data.windows(), memory);
  StepInputs<float> inputs;
  inputs.networks = &nets;
  inputs.source = data.source();
  inputs.state = state.data();
  inputs.threshold = threshold.data();
  inputs.labels = labels.data();
  Step<float> step(settings, kind, inputs, device);
  BenchRow row;
  row.name = name;
  row.shape = "obs 72, act 2, h 5, batch " + std::to_string(settings.batch) + ", " +
              std::to_string(settings.hidden.size()) + " x " + std::to_string(settings.hidden.front());
  row.launches = step.statistics().launches;
  row.critical_path = step.statistics().critical_path;
  row.gflop = gflop(settings, nets, kind);
  const auto work = [&] {
    for (int run = 0; run < runs; ++run) step.run();
    device->synchronize();
  };
  return measure(row, target, work, runs);
}

}  // namespace

void bench_steps(const BenchTarget& target, const RowSink& sink) {
  Settings full;
  Settings small;
  small.hidden = {256, 256, 256, 256};
  small.batch = 256;
  if (!target.timed()) {
    full.hidden = small.hidden = {16, 16, 16, 16};
    full.batch = small.batch = 32;
  }
  sink(step_row("joint step", full, StepKind::joint, target));
  if (target.on_cuda())
    sink(step_row("joint step, pipelined", full, StepKind::joint, target, target.timed() ? 20 : 2));
  sink(step_row("critics step", full, StepKind::critics, target));
  sink(step_row("flow step", full, StepKind::flow, target));
  sink(step_row("joint step, small", small, StepKind::joint, target));
}

}  // namespace r2pac
