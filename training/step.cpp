#include "training/step.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "engine/optimizer.h"

namespace r2pac {

template <class T>
Step<T>::Step(const std::vector<Stage<T>>& stages, const RecorderInputs<T>& inputs,
              std::shared_ptr<Device> device, const StepOptions& options)
    : device_(std::move(device)) {
  Tape<T> tape(device_);
  Recorder<T> recorder(tape, inputs);
  std::optional<Optimizer<T>> optimizer;
  std::vector<std::vector<int>> turns;  // of the optimiser's groups: after which of the turns each moves
  if (options.update) {
    const std::vector<OptimizerGroup<T>> groups = optimizer_groups(stages, inputs, turns);
    squares_ = tape.kept("squared gradients", {1, static_cast<int>(owners_.size()), 1});
    optimizer.emplace(tape, inputs.networks->online, groups, inputs.state, inputs.first_step, squares_);
  }
  int turn = 0;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    stages[i].record(recorder);
    if (!stages[i].moves_first && i + 1 < stages.size()) continue;
    tape.backward();
    for (std::size_t group = 0; group < turns.size(); ++group)
      if (std::ranges::find(turns[group], turn) != turns[group].end()) optimizer->update(group);
    ++turn;
  }
  for (const auto& [name, value] : recorder.losses()) losses_.push_back({name, value, 0});
  means_ = recorder.means();
  traced_ = recorder.traced();
  if (options.trace)
    for (const auto& [name, tensor] : traced_) tape.keep(tensor);
  if (optimizer) {
    std::vector<Tensor<T>> losses;
    for (const auto& loss : losses_) losses.push_back(loss.value);
    optimizer->finish(losses);
  }
  constexpr bool kManyTimes = true;
  program_ = tape.finish(kManyTimes);
}

/// The networks that the stages train, those of the same turns, rate, follower and
/// clipping as a group. Stages that move first end a turn.
template <class T>
std::vector<OptimizerGroup<T>> Step<T>::optimizer_groups(const std::vector<Stage<T>>& stages,
                                                         const RecorderInputs<T>& inputs,
                                                         std::vector<std::vector<int>>& turns) {
  struct Key {
    std::vector<int> turns;
    // Apart where a step may begin before all stages of another have ended.
    std::set<std::size_t> stages;
    double slowness;  // so that the greatest rate comes first
    bool rate_stays;
    double cosine_steps, polyak, clip_norm;
    auto operator<=>(const Key&) const = default;
  };
  Networks<T>& networks = *inputs.networks;
  const Settings& settings = *inputs.settings;
  std::map<Key, OptimizerGroup<T>> groups;
  std::map<Key, std::vector<std::string>> owners;
  std::map<int, std::vector<int>> turns_of_entry;
  std::map<int, std::set<std::size_t>> stages_of_entry;
  if (device_->whole_batches())
    for (const NamedTensor& tensor : networks.tensors())
      for (std::size_t i = 0; i < stages.size(); ++i)
        if (std::ranges::find(stages[i].trains, tensor.owner) != stages[i].trains.end())
          stages_of_entry[tensor.entry].insert(i);
  for (const NamedTensor& tensor : networks.tensors()) {
    int turn = 0;
    std::vector<int> own;
    for (const Stage<T>& stage : stages) {
      const bool trains = std::ranges::find(stage.trains, tensor.owner) != stage.trains.end();
      if (trains && (own.empty() || own.back() != turn)) own.push_back(turn);
      turn += stage.moves_first;
    }
    if (own.empty()) continue;
    if (turns_of_entry.emplace(tensor.entry, own).first->second != own)
      throw InvalidArgument("Step: `" + tensor.name + "` moves at another time than what lies beside it");
    const Network& owner = networks.declared(tensor.owner);
    const Key key{own,
                  stages_of_entry[tensor.entry],
                  -owner.rate,
                  owner.rate_stays,
                  owner.cosine_steps,
                  owner.polyak > 0 ? owner.polyak : settings.polyak,
                  owner.clip_norm};
    OptimizerGroup<T>& group = groups[key];
    if (group.entries.empty() || group.entries.back() != tensor.entry) group.entries.push_back(tensor.entry);
    owners[key].insert(owners[key].end(), static_cast<std::size_t>(tensor.count), tensor.owner);
  }
  std::vector<OptimizerGroup<T>> list;
  for (auto& [key, group] : groups) {
    group.adam = {settings.learning_rate * -key.slowness, settings.adam_beta1, settings.adam_beta2,
                  settings.adam_epsilon, key.polyak};
    group.times = static_cast<int>(key.turns.size());
    group.adam.schedule.cosine_steps = key.cosine_steps;
    group.clip_norm = key.clip_norm;
    if (settings.rate_decay == RateDecay::cosine && !key.rate_stays)
      group.adam.schedule.cosine_steps = static_cast<double>(inputs.steps);
    group.follower = &networks.follower;
    list.push_back(group);
    turns.push_back(key.turns);
    owners_.insert(owners_.end(), owners[key].begin(), owners[key].end());
  }
  return list;
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
