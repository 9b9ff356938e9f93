#include "training/window_values.h"

#include <algorithm>

#include "training/training_data.h"

namespace r2pac {

template <class T>
WindowColumns<T> evaluate_windows(RecorderInputs<T> inputs, std::shared_ptr<Device> device,
                                  const RecordColumns<T>& record, const BetweenBatches& stop) {
  Memory& memory = device->memory();
  Buffer<std::uint32_t> first_window(1, memory);
  inputs.first_window = first_window.data();
  Tape<T> tape(std::move(device));
  const typename Tape<T>::NoGradient constant(tape);
  Recorder<T> recorder(tape, inputs);
  const auto wanted = record(recorder);
  for (const auto& [name, tensor] : wanted) tape.keep(tensor);
  Program program = tape.finish();

  WindowColumns<T> columns;
  for (const auto& [name, tensor] : wanted) columns.emplace_back(name, std::vector<T>());
  const std::size_t windows = inputs.source.windows, rows = static_cast<std::size_t>(inputs.settings->batch);
  for (auto& column : columns) column.second.resize(windows);
  for (std::size_t first = 0; first < windows; first += rows) {
    if (stop && stop(first, windows)) return {};
    const auto start = static_cast<std::uint32_t>(first);
    first_window.copy_in(&start, 1);
    program.run();
    const std::size_t count = std::min(rows, windows - first);
    for (std::size_t i = 0; i < wanted.size(); ++i)
      memory.copy_out(columns[i].second.data() + first, wanted[i].second->whole().data, count * sizeof(T));
  }
  return columns;
}

void require_widths(const Policy& policy, const Dataset& dataset) {
  const Dimensions& dim = policy.dimensions();
  if (dataset.observation_dim != dim.observation || dataset.action_dim != dim.action)
    throw Error(ExitCode::data,
                "the data have observations of " + std::to_string(dataset.observation_dim) +
                    " and actions of " + std::to_string(dataset.action_dim) + " numbers, the policy " +
                    std::to_string(dim.observation) + " and " + std::to_string(dim.action),
                dataset.path, "give data of the policy's task");
}

WindowColumns<float> inspect_windows(const Policy& policy, const Dataset& dataset,
                                     const BetweenBatches& stop) {
  if (!policy.method().inspect)
    throw Error(ExitCode::usage,
                "method `" + policy.settings().method + "` has no values of states and chunks",
                policy.path().string(), "give a policy whose method has critics");
  require_widths(policy, dataset);
  Settings settings = policy.settings();
  settings.hold_out = 0;
  settings.episodes = Episodes::all;
  const TrainingData<float> data(dataset, settings, *policy.device(), &policy.normalization());
  RecorderInputs<float> inputs;
  inputs.settings = &policy.settings();
  inputs.networks = &policy.networks();
  inputs.source = data.source();
  inputs.facts = data.facts();
  std::vector<Buffer<float>> scalars;
  for (const auto& [name, value] : policy.scalars()) {
    const auto single = static_cast<float>(value);
    scalars.emplace_back(1, policy.device()->memory()).copy_in(&single, 1);
    inputs.scalars[name] = scalars.back().data();
  }
  return evaluate_windows(inputs, policy.device(), policy.method().inspect, stop);
}

template WindowColumns<float> evaluate_windows(RecorderInputs<float>, std::shared_ptr<Device>,
                                               const RecordColumns<float>&, const BetweenBatches&);
template WindowColumns<double> evaluate_windows(RecorderInputs<double>, std::shared_ptr<Device>,
                                                const RecordColumns<double>&, const BetweenBatches&);

}  // namespace r2pac
