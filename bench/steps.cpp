#include <algorithm>

#include "base/philox.h"
#include "bench/suites.h"
#include "model/arithmetic.h"
#include "training/learner.h"

namespace r2pac {
namespace {

/// Episodes of random numbers: the arithmetic does not depend on what they mean.
Dataset random_dataset(Dimensions dimensions) {
  DsrlColumns columns;
  columns.rows = 20000;
  columns.observation_dim = dimensions.observation;
  columns.action_dim = dimensions.action;
  const auto n = static_cast<std::size_t>(columns.rows);
  std::uint32_t row = 0;
  const auto fill = [&](std::vector<float>& values, std::size_t size) {
    values.resize(size);
    for (std::uint32_t i = 0; i < size; ++i) values[i] = 2 * random_uniform(1, Purpose::test, 0, row, i) - 1;
    ++row;
  };
  const auto s = static_cast<std::size_t>(dimensions.observation);
  fill(columns.observations, n * s);
  columns.next_observations.assign(columns.observations.begin() + static_cast<std::ptrdiff_t>(s),
                                   columns.observations.end());
  columns.next_observations.resize(n * s);
  fill(columns.actions, n * static_cast<std::size_t>(dimensions.action));
  fill(columns.rewards, n);
  columns.costs.assign(n, 0.0f);
  columns.terminals.assign(n, 0);
  columns.timeouts.assign(n, 0);
  for (std::size_t i = 999; i < n; i += 1000) columns.timeouts[i] = 1;
  return make_dataset(columns, "random");
}

constexpr Dimensions kFull{72, 2, 5};

std::string shape_of(const Settings& settings, Dimensions dimensions) {
  return "obs " + std::to_string(dimensions.observation) + ", act " + std::to_string(dimensions.action) +
         ", h " + std::to_string(dimensions.chunk_length) + ", batch " + std::to_string(settings.batch) +
         ", " + std::to_string(settings.hidden.size()) + " x " + std::to_string(settings.hidden.front());
}

/// stage: a stage's name, or "joint".
BenchRow step_row(const std::string& name, const Settings& settings, const std::string& stage,
                  const BenchTarget& target, int runs = 1) {
  const std::shared_ptr<Device>& device = target.device;
  BenchRow row;
  row.name = name;
  row.shape = shape_of(settings, kFull);
  if (!target.wants(row)) return row;
  const Dataset dataset = random_dataset(kFull);
  const TrainingData<float> data(dataset, settings, *device);
  const Method<float> method = make_method<float>(settings, data.dimensions());
  Networks<float> nets(method.networks, settings.initializer, 0, *device);
  Memory& memory = device->memory();
  Buffer<StepState> state(1, memory);
  Buffer<float> threshold(1, memory), column(data.windows(), memory);
  RecorderInputs<float> inputs;
  inputs.settings = &settings;
  inputs.networks = &nets;
  inputs.source = data.source();
  inputs.state = state.data();
  inputs.scalars = {{"threshold", threshold.data()}};
  inputs.column = [&](const std::string&, const RecordColumn<float>&) { return column.data(); };
  std::vector<Stage<float>> stages;
  for (const Stage<float>& one : method.stages)
    if (stage == "joint" || one.name == stage) stages.push_back(one);
  inputs.with_earlier_stages = stage != "actor";
  Step<float> step(stages, inputs, device);
  row.launches = step.statistics().launches;
  row.critical_path = step.statistics().critical_path;
  row.gflop = step_gflop(settings, method, stages);
  const auto work = [&] {
    step.run(runs);
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
  sink(step_row("joint step", full, "joint", target));
  if (target.on_cuda())
    sink(step_row("joint step, pipelined", full, "joint", target, target.timed() ? 20 : 2));
  sink(step_row("critics step", full, "critics", target));
  sink(step_row("actor step", full, "actor", target));
  sink(step_row("joint step, small", small, "joint", target));
}

void bench_step_of(const Settings& asked, Dimensions dimensions, const BenchTarget& target,
                   const RowSink& sink) {
  Settings settings = asked;
  settings.schedule = Schedule::joint;
  BenchRow row;
  row.name = settings.method + ", one step of all its parts";
  row.shape = shape_of(settings, dimensions);
  if (!target.wants(row)) return sink(row);
  const Dataset dataset = random_dataset(dimensions);
  const TrainingData<float> data(dataset, settings, *target.device);
  Learner<float> learner(settings, data, target.device);
  learner.advance();  // records the step
  row.gflop = step_gflop(settings, learner.method(), learner.method().stages);
  row.launches = learner.current_step()->statistics().launches;
  row.critical_path = learner.current_step()->statistics().critical_path;
  sink(measure(row, target, [&] {
    learner.advance();
    target.device->synchronize();
  }));
}

}  // namespace r2pac
