#include "model/learner.h"

#include <cmath>

#include "base/error.h"
#include "kernels/reduce.h"

namespace r2pac {

double limit_as_value(const Settings& settings, std::int64_t steps) {
  const auto t = static_cast<double>(steps);
  return settings.cost_limit * settings.cost_scale * (1 - std::pow(settings.discount, t)) /
         ((1 - settings.discount) * t);
}

template <class T>
void save_networks(const Networks<T>& networks, const Parameters<T>& parameters, const Buffer<T>& arena,
                   const std::string& prefix, Snapshot<T>& snapshot) {
  for (const NamedTensor& tensor : named_tensors(networks)) {
    if (tensor.entry >= static_cast<int>(parameters.entries().size())) continue;
    const auto& entry = parameters.entry(tensor.entry);
    std::vector<T>& values =
        snapshot.arrays.emplace_back(entry.net_size() * static_cast<std::size_t>(tensor.nets));
    arena.copy_out(
        values.data(), values.size(),
        parameters.offset(arena, entry) + entry.net_size() * static_cast<std::size_t>(tensor.first_net));
    snapshot.writer.template add<T>(prefix + tensor.name, tensor_shape(networks, tensor), values);
  }
}

template <class T>
void load_networks(const Networks<T>& networks, const Parameters<T>& parameters, Buffer<T>& arena,
                   const std::string& prefix, const SafetensorsFile& file) {
  for (const NamedTensor& tensor : named_tensors(networks)) {
    if (tensor.entry >= static_cast<int>(parameters.entries().size())) continue;
    const auto& entry = parameters.entry(tensor.entry);
    const std::span<const T> values = file.get<T>(prefix + tensor.name, tensor_shape(networks, tensor));
    arena.copy_in(
        values.data(), values.size(),
        parameters.offset(arena, entry) + entry.net_size() * static_cast<std::size_t>(tensor.first_net));
  }
}

template <class T>
Learner<T>::Learner(const Settings& settings, const TrainingData<T>& data, std::shared_ptr<Device> device)
    : settings_(settings),
      data_(data),
      device_(std::move(device)),
      networks_(settings, data.dimensions(), *device_),
      state_(1, device_->memory()),
      threshold_(1, device_->memory()) {
  networks_.observation_mean = data.observation_mean();
  networks_.observation_scale = data.observation_scale();
  flow_steps_ = static_cast<std::uint64_t>(settings.steps);
  if (settings.schedule == Schedule::sequential)
    critic_steps_ = static_cast<std::uint64_t>(settings.resolved_critic_steps());
  if (settings.timeouts_are_terminal) {
    const T limit = static_cast<T>(limit_as_value(settings, data.longest_episode()));
    threshold_.copy_in(&limit, 1);
  }
}

template <class T>
const char* Learner<T>::phase() const {
  if (settings_.schedule == Schedule::joint) return "joint";
  return step() <= critic_steps_ && critic_steps_ > 0 ? "critics" : "flow";
}

template <class T>
bool Learner<T>::trains_flow() const {
  return settings_.schedule == Schedule::joint || step() > critic_steps_;
}

template <class T>
void Learner<T>::take_critics(const Networks<T>& from) {
  if (from.dimensions() != networks_.dimensions() || from.values_end() != networks_.values_end())
    throw InvalidArgument("Learner::take_critics: the networks have other shapes");
  for (int i = 0; i < networks_.values_end(); ++i) {
    const bool critic = i < static_cast<int>(networks_.target.entries().size());
    const Parameters<T>& source = critic ? from.target : from.online;
    const auto& entry = source.entry(i);
    std::vector<T> values(entry.shape.size());
    source.values().copy_out(values.data(), values.size(), entry.offset);
    const auto copy_to = [&](Parameters<T>& parameters) {
      const auto& mine = parameters.entry(i);
      if (mine.shape.size() != values.size())
        throw InvalidArgument("Learner::take_critics: the networks have other shapes");
      parameters.values().copy_in(values.data(), values.size(), mine.offset);
    };
    copy_to(networks_.online);
    if (critic) copy_to(networks_.target);
  }
  networks_.online.repack();
  networks_.target.repack();
}

template <class T>
double Learner<T>::threshold() const {
  T value;
  threshold_.copy_out(&value, 1);
  return static_cast<double>(value);
}

template <class T>
bool Learner<T>::labels_next() const {
  return settings_.schedule == Schedule::sequential && step() >= critic_steps_ && kind_ != StepKind::flow &&
         settings_.label_dropout < 1 && !finished();
}

/// Records the step of the current phase if the last one was of another.
template <class T>
bool Learner<T>::prepare(const std::function<bool()>& stop) {
  const bool flow = settings_.schedule == Schedule::sequential && step() >= critic_steps_;
  const StepKind kind = settings_.schedule == Schedule::joint ? StepKind::joint
                        : flow                                ? StepKind::flow
                                                              : StepKind::critics;
  if (kind_ == kind) return true;
  if (kind == StepKind::flow && !compute_labels(stop)) return false;
  StepInputs<T> inputs;
  inputs.networks = &networks_;
  inputs.source = data_.source();
  inputs.state = state_.data();
  inputs.threshold = threshold_.data();
  inputs.fixed_threshold = settings_.timeouts_are_terminal;
  inputs.rewards = data_.rewards();
  inputs.costs = data_.costs();
  inputs.labels = labels_.data();
  inputs.first_step = flow ? critic_steps_ : 0;
  inputs.trace = trace_;
  step_ = std::make_unique<Step<T>>(settings_, kind, inputs, device_);
  kind_ = kind;
  return true;
}

/// Threshold and labels of the finished critics, over the whole data set.
template <class T>
bool Learner<T>::compute_labels(const std::function<bool()>& stop) {
  std::vector<std::uint8_t> labels(data_.windows(), std::uint8_t{kLabelNull});
  if (settings_.label_dropout < 1) {  // otherwise no label is ever looked at
    WindowValues<T> values = evaluate_windows(settings_, networks_, data_.source(), device_, stop);
    if (values.v_cost.size() < data_.windows()) return false;
    const T region_end = quantile_of(values);
    threshold_.copy_in(&region_end, 1);
    labels = label_windows(values, region_end);
  }
  labels_ = Buffer<std::uint8_t>(labels.size(), device_->memory());
  labels_.copy_in(labels.data(), labels.size());
  return true;
}

/// The threshold over all windows; Eq. 42's limit stays what it is.
template <class T>
T Learner<T>::quantile_of(const WindowValues<T>& values) const {
  if (settings_.timeouts_are_terminal) return static_cast<T>(threshold());
  std::vector<T> work(values.v_cost.size());
  return quantile(values.v_cost.data(), values.v_cost.size(), settings_.alpha, work.data());
}

template <class T>
std::optional<T> Learner<T>::data_threshold(const std::function<bool()>& stop) {
  // After the critics of the sequential schedule it does not change any more.
  if (settings_.timeouts_are_terminal || (kind_ == StepKind::flow && settings_.label_dropout < 1))
    return static_cast<T>(threshold());
  if (data_threshold_.has_value()) return data_threshold_;
  const WindowValues<T> values = evaluate_windows(settings_, networks_, data_.source(), device_, stop);
  if (values.v_cost.size() < data_.windows()) return std::nullopt;
  return data_threshold_ = quantile_of(values);
}

template <class T>
void Learner<T>::advance(const std::function<bool()>& stop) {
  if (!prepare(stop)) return;
  step_->run();
  ++step_count_;
  data_threshold_.reset();
  if (step_count_ % device_->check_interval() == 0) check_finite();
}

template <class T>
void Learner<T>::check_finite() const {
  StepState state;
  state_.copy_out(&state, 1);
  if (state.first_bad_step == 0) return;
  std::string term = "a loss or gradient";
  for (const auto& [name, value] : step_->gradient_norms())
    if (!std::isfinite(value)) term = "gradient of " + name;
  for (const auto& [name, value] : step_->losses())
    if (!std::isfinite(value)) term = "loss " + name;
  throw Error(
      ExitCode::diverged, term + " is not finite at step " + std::to_string(state.first_bad_step), "",
      "look at the losses before that step; lower learning_rate or penalty, or check the data's scale");
}

template <class T>
bool Learner<T>::finish(const std::function<bool()>& stop) {
  if (settings_.schedule == Schedule::sequential)
    return true;  // which has it since its critics were finished
  const std::optional<T> threshold = data_threshold(stop);
  if (threshold.has_value()) threshold_.copy_in(&*threshold, 1);
  return threshold.has_value();
}

template <class T>
std::vector<std::pair<std::string, double>> Learner<T>::report() const {
  std::vector<std::pair<std::string, double>> values;
  if (step_ == nullptr) return values;
  check_finite();
  for (const auto& [name, value] : step_->losses()) values.emplace_back("loss_" + name, value);
  values.emplace_back("threshold", threshold());
  for (const auto& [name, value] : step_->means()) values.emplace_back(name, value);
  for (const auto& [name, value] : step_->gradient_norms()) values.emplace_back("grad_" + name, value);
  return values;
}

template <class T>
void Learner<T>::save(Snapshot<T>& snapshot) const {
  if (step_ != nullptr) check_finite();
  const Parameters<T>&online = networks_.online, &target = networks_.target;
  save_networks(networks_, online, online.values(), "online/", snapshot);
  save_networks(networks_, target, target.values(), "target/", snapshot);
  save_networks(networks_, online, online.first_moments(), "first_moment/", snapshot);
  save_networks(networks_, online, online.second_moments(), "second_moment/", snapshot);
  std::vector<T>& threshold = snapshot.arrays.emplace_back(1);
  threshold_.copy_out(threshold.data(), 1);
  snapshot.writer.template add<T>("threshold", {1}, threshold);
  const std::vector<std::size_t> width = {networks_.observation_mean.size()};
  snapshot.writer.template add<T>("observation_mean", width, networks_.observation_mean);
  snapshot.writer.template add<T>("observation_scale", width, networks_.observation_scale);
  snapshot.writer.metadata("step", std::to_string(step()));
}

template <class T>
void Learner<T>::load(const SafetensorsFile& file) {
  Parameters<T>&online = networks_.online, &target = networks_.target;
  load_networks(networks_, online, online.values(), "online/", file);
  load_networks(networks_, target, target.values(), "target/", file);
  load_networks(networks_, online, online.first_moments(), "first_moment/", file);
  load_networks(networks_, online, online.second_moments(), "second_moment/", file);
  online.repack();
  target.repack();
  threshold_.copy_in(file.get<T>("threshold", {1}).data(), 1);
  const std::string& text = file.metadata("step");
  StepState state;
  std::size_t used = 0;
  try {
    state.step = std::stoull(text, &used);
  } catch (const std::exception&) {
  }
  if (used == 0 || used != text.size() || state.step > total_steps())
    throw Error(ExitCode::checkpoint, "`step` is `" + text + "`, which is no step of this run",
                file.path().string(), "use another checkpoint");
  state_.copy_in(&state, 1);
  step_count_ = state.step;
  kind_.reset();
  data_threshold_.reset();
}

#define R2_INSTANTIATE(T)                                                                               \
  template class Learner<T>;                                                                            \
  template void save_networks(const Networks<T>&, const Parameters<T>&, const Buffer<T>&,               \
                              const std::string&, Snapshot<T>&);                                        \
  template void load_networks(const Networks<T>&, const Parameters<T>&, Buffer<T>&, const std::string&, \
                              const SafetensorsFile&);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
