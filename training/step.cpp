#include "training/step.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "base/error.h"
#include "engine/optimizer.h"

namespace r2pac {

template <class T>
Step<T>::Step(const std::vector<Stage<T>>& stages, const RecorderInputs<T>& inputs,
              std::shared_ptr<Device> device, const StepOptions& options)
    : device_(std::move(device)) {
  device_->require_training();
  Tape<T> tape(device_);
  Recorder<T> recorder(tape, inputs);
  for (const Stage<T>& stage : stages) stage.record(recorder);
  for (const auto& [name, value] : recorder.losses()) losses_.push_back({name, value, 0});
  means_ = recorder.means();
  traced_ = recorder.traced();
  if (options.trace)
    for (const auto& [name, tensor] : traced_) tape.keep(tensor);
  tape.backward();
  if (options.update) record_update(tape, stages, inputs);
  program_ = tape.finish();
}

/// One optimiser for all networks that the stages train; those of one rate are a group.
template <class T>
void Step<T>::record_update(Tape<T>& tape, const std::vector<Stage<T>>& stages,
                            const RecorderInputs<T>& inputs) {
  Networks<T>& networks = *inputs.networks;
  const Settings& settings = *inputs.settings;
  std::map<double, OptimizerGroup<T>, std::greater<>> groups;  // by rate
  std::map<double, std::vector<std::string>, std::greater<>> owners;
  for (const NamedTensor& tensor : networks.tensors()) {
    const bool trains = std::ranges::any_of(stages, [&](const Stage<T>& stage) {
      return std::ranges::find(stage.trains, tensor.owner) != stage.trains.end();
    });
    if (!trains) continue;
    const double rate = networks.declared(tensor.owner).rate;
    OptimizerGroup<T>& group = groups[rate];
    if (group.entries.empty() || group.entries.back() != tensor.entry) group.entries.push_back(tensor.entry);
    owners[rate].insert(owners[rate].end(), static_cast<std::size_t>(tensor.count), tensor.owner);
  }
  std::vector<OptimizerGroup<T>> list;
  for (auto& [rate, group] : groups) {
    group.adam = {settings.learning_rate * rate, settings.adam_beta1, settings.adam_beta2,
                  settings.adam_epsilon, settings.polyak};
    if (settings.rate_decay == RateDecay::cosine)
      group.adam.schedule.cosine_steps = static_cast<double>(inputs.steps);
    group.follower = &networks.follower;
    list.push_back(group);
    owners_.insert(owners_.end(), owners[rate].begin(), owners[rate].end());
  }
  squares_ = tape.kept("squared gradients", {1, static_cast<int>(owners_.size()), 1});
  std::vector<Tensor<T>> losses;
  for (const auto& loss : losses_) losses.push_back(loss.value);
  optimizer_step<T>(tape, networks.online, list, inputs.state, inputs.first_step, losses, squares_);
}

/// The values of kept tensors, one after the other, each tensor's all. Kept tensors lie close together, so
/// one copy of the memory that they span is quicker than many small ones.
template <class T>
std::vector<double> Step<T>::read(const std::vector<Tensor<T>>& tensors) const {
  std::vector<double> values;
  if (tensors.empty()) return values;
  const auto first = [](Tensor<T> x) { return static_cast<const T*>(x->whole().data); };
  const T *begin = first(tensors.front()), *end = begin;
  for (const Tensor<T> x : tensors) {
    begin = std::min(begin, first(x));
    end = std::max(end, first(x) + x->shape.size());
  }
  std::vector<T> span(static_cast<std::size_t>(end - begin));
  device_->memory().copy_out(span.data(), begin, span.size() * sizeof(T));
  for (const Tensor<T> x : tensors)
    for (std::size_t i = 0; i < x->shape.size(); ++i)
      values.push_back(static_cast<double>(span[static_cast<std::size_t>(first(x) - begin) + i]));
  return values;
}

template <class T>
auto Step<T>::read(const std::vector<typename Recorder<T>::Mean>& scalars) const -> Numbers {
  std::vector<Tensor<T>> tensors;
  for (const auto& scalar : scalars) tensors.push_back(scalar.value);
  const std::vector<double> values = read(tensors);
  Numbers numbers;
  for (std::size_t i = 0; i < values.size(); ++i)
    numbers.emplace_back(scalars[i].name, values[i] - scalars[i].minus);
  return numbers;
}

template <class T>
auto Step<T>::gradient_norms() const -> Numbers {
  Numbers norms;
  if (squares_ == nullptr) return norms;
  const std::vector<double> squares = read(std::vector<Tensor<T>>{squares_});
  for (std::size_t piece = 0; piece < squares.size(); ++piece) {
    auto found = std::ranges::find(norms, owners_[piece], [](const auto& norm) { return norm.first; });
    if (found == norms.end()) found = norms.insert(norms.end(), {owners_[piece], 0.0});
    found->second += squares[piece];
  }
  for (auto& [name, sum] : norms) sum = std::sqrt(sum);
  return norms;
}

template class Step<float>;
template class Step<double>;

}  // namespace r2pac
