// R2PAC's networks by themselves, and one step of some stage of it over random windows.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "acting/policy_sampler.h"
#include "model/method.h"
#include "on_cpu.h"
#include "random_windows.h"
#include "training/step.h"

namespace r2pac {

/// The networks of the settings' method, and what a sampler needs beside them.
template <class T>
struct MethodNetworks : Networks<T> {
  MethodNetworks(const Settings& settings, Dimensions dimensions, Device& device)
      : Networks<T>(make_method<T>(settings, dimensions).networks, settings.initializer,
                    static_cast<std::uint64_t>(settings.seed), device),
        acting(make_method<T>(settings, dimensions).acting),
        normalization{std::vector<T>(static_cast<std::size_t>(dimensions.observation), T(0)),
                      std::vector<T>(static_cast<std::size_t>(dimensions.observation), T(1))} {}
  ActingNetworks acting;
  Normalization<T> normalization;
};

template <class T>
Sampler<T> sampler_of(MethodNetworks<T>& networks, const SamplerOptions& options,
                      std::shared_ptr<Device> device) {
  return {networks, networks.acting, networks.normalization, options, std::move(device)};
}

/// The stages that a name means: "critics", "actor", or both as "joint".
template <class T>
std::vector<Stage<T>> stages_of(const Method<T>& method, const std::string& name) {
  std::vector<Stage<T>> stages;
  for (const Stage<T>& stage : method.stages)
    if (name == "joint" || name == stage.name) stages.push_back(stage);
  return stages;
}
inline const char* const kStages[] = {"joint", "critics", "actor"};

/// Networks, random windows and labels on a device; `step` is one of a stage.
template <class T>
struct MethodStep {
  MethodStep(const Settings& given, const std::string& stage, std::shared_ptr<Device> on,
             const StepOptions& options = {}, Networks<T>* reference = nullptr)
      : settings(given),
        device(std::move(on)),
        data(device->memory()),
        method(make_method<T>(settings, kDimensions)),
        nets(method.networks, settings.initializer, static_cast<std::uint64_t>(settings.seed), *device),
        state(1, device->memory()),
        threshold(1, device->memory()),
        greatest_budget(1, device->memory()) {
    const T most = 4;  // above what the random windows cost
    greatest_budget.copy_in(&most, 1);
    inputs.settings = &settings;
    inputs.networks = &nets;
    inputs.reference = reference;
    inputs.source = data.source;
    inputs.state = state.data();
    inputs.scalars = {{"threshold", threshold.data()}, {"greatest_budget", greatest_budget.data()}};
    inputs.column = [this](const std::string&, const RecordColumn<T>&) { return data.labels.data(); };
    make(stage, options);
  }
  MethodStep(const MethodStep&) = delete;

  /// Records another step over the same networks.
  void make(const std::string& stage, const StepOptions& options = {}) {
    inputs.with_earlier_stages = stage != "actor";
    step = std::make_unique<Step<T>>(stages_of(method, stage), inputs, device, options);
  }
  StepState progress() const {
    StepState now;
    state.copy_out(&now, 1);
    return now;
  }

  static constexpr Dimensions kDimensions{RandomWindows<T>::s, RandomWindows<T>::a, RandomWindows<T>::h};
  Settings settings;
  std::shared_ptr<Device> device;
  RandomWindows<T> data;
  Method<T> method;
  Networks<T> nets;
  Buffer<StepState> state;
  Buffer<T> threshold, greatest_budget;
  RecorderInputs<T> inputs;
  std::unique_ptr<Step<T>> step;
};

/// The entries of the networks that a stage trains: [first, last).
template <class T>
std::pair<int, int> trained_entries(const Networks<T>& networks, const std::vector<Stage<T>>& stages) {
  int first = static_cast<int>(networks.online.entries().size()), last = 0;
  for (const NamedTensor& tensor : networks.tensors())
    for (const Stage<T>& stage : stages)
      for (const std::string& network : stage.trains)
        if (network == tensor.owner) {
          first = std::min(first, tensor.entry);
          last = std::max(last, tensor.entry + 1);
        }
  return {first, last};
}

}  // namespace r2pac
