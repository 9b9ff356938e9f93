#include "training/learner.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "model/region.h"
#include "policy/normalization_file.h"
#include "training/window_values.h"

namespace r2pac {
namespace {

/// `stop` was asked and said so.
struct Stopped {};

}  // namespace

template <class T>
std::vector<StageSpan> stage_spans(const Method<T>& method, const Settings& settings) {
  const bool together =
      settings.schedule == Schedule::joint || std::ranges::any_of(method.stages, &Stage<T>::moves_first);
  if (together && method.stages.size() > 1) return {{"joint", 0, static_cast<std::uint64_t>(settings.steps)}};
  std::vector<StageSpan> spans;
  std::uint64_t begin = 0;
  for (const Stage<T>& stage : method.stages) {
    const auto end = begin + static_cast<std::uint64_t>(stage.steps(settings));
    spans.push_back({stage.name, begin, end});
    begin = end;
  }
  return spans;
}

template <class T>
Learner<T>::Learner(const Settings& settings, const TrainingData<T>& data, std::shared_ptr<Device> device)
    : settings_(settings),
      data_(data),
      device_(std::move(device)),
      method_(make_method<T>(settings, data.dimensions(), data.facts())),
      networks_(method_.networks, settings.initializer, static_cast<std::uint64_t>(settings.seed), *device_),
      state_(1, device_->memory()) {
  const std::vector<StageSpan> spans = stage_spans(method_, settings);
  for (std::size_t i = 0; i < spans.size(); ++i)
    segments_.push_back(
        {spans[i], spans.size() == method_.stages.size() ? std::vector{method_.stages[i]} : method_.stages});
  for (const Scalar<T>& scalar : method_.scalars) {
    scalars_.emplace(scalar.name, Buffer<T>(1, device_->memory()));
    if (const auto& known = scalar.fixed ? scalar.fixed : scalar.start) set_scalar(scalar.name, *known);
  }
}

template <class T>
const std::string& Learner<T>::stage() const {
  const Segment* current = &segments_.front();
  for (const Segment& segment : segments_)
    if (step() > segment.begin) current = &segment;
  return current->name;
}

template <class T>
void Learner<T>::take_first_stage(const Networks<T>& from) {
  const std::vector<std::string>& wanted = method_.stages.front().trains;
  for (const NamedTensor& mine : networks_.tensors()) {
    if (std::ranges::find(wanted, mine.owner) == wanted.end()) continue;
    const auto theirs = std::ranges::find(from.tensors(), mine.name, &NamedTensor::name);
    if (theirs == from.tensors().end() || theirs->followed() != mine.followed() ||
        from.shape_of(*theirs) != networks_.shape_of(mine))
      throw InvalidArgument("Learner::take_first_stage: `" + mine.name + "` has another shape");
    const Parameters<T>& source = mine.followed() ? from.follower : from.online;
    const auto [offset, size] = place(from, source, source.values(), *theirs);
    std::vector<T> values(size);
    source.values().copy_out(values.data(), size, offset);
    const auto copy_to = [&](Parameters<T>& parameters) {
      parameters.values().copy_in(values.data(), values.size(),
                                  place(networks_, parameters, parameters.values(), mine).first);
    };
    copy_to(networks_.online);
    if (mine.followed()) copy_to(networks_.follower);
  }
  networks_.online.repack();
  networks_.follower.repack();
}

template <class T>
void Learner<T>::set_scalar(const std::string& name, double value) {
  const auto single = static_cast<T>(value);
  scalars_.at(name).copy_in(&single, 1);
}

template <class T>
Scalars Learner<T>::scalars() const {
  Scalars values;
  for (const auto& [name, buffer] : scalars_) {
    T value;
    buffer.copy_out(&value, 1);
    values[name] = static_cast<double>(value);
  }
  return values;
}

template <class T>
RecorderInputs<T> Learner<T>::inputs() {
  RecorderInputs<T> inputs;
  inputs.settings = &settings_;
  inputs.networks = &networks_;
  inputs.source = data_.source();
  inputs.facts = data_.facts();
  inputs.state = state_.data();
  for (auto& [name, buffer] : scalars_) inputs.scalars[name] = buffer.data();
  return inputs;
}

/// Records the step of the current stage if the last one was of another.
template <class T>
bool Learner<T>::prepare(const std::function<bool()>& stop) {
  const Segment* current = &segments_.back();
  for (const Segment& segment : segments_)
    if (step() >= segment.begin && step() < segment.end) current = &segment;
  if (segment_ == current) return true;
  RecorderInputs<T> inputs = this->inputs();
  inputs.first_step = current->begin;
  inputs.steps = current->end - current->begin;
  inputs.with_earlier_stages = current == &segments_.front();
  inputs.column = [&](const std::string& name, const RecordColumn<T>& record) {
    return column(name, record, stop);
  };
  columns_.clear();
  try {
    step_ = std::make_unique<Step<T>>(current->stages, inputs, device_, options_);
  } catch (const Stopped&) {
    return false;
  }
  segment_ = current;
  return true;
}

/// One value of every window, as the networks are now.
template <class T>
std::vector<T> Learner<T>::survey(const std::string& name, const RecordColumn<T>& record,
                                  const std::function<bool()>& stop) {
  if (note_) note_(name);
  const RecordColumns<T> columns = [&](Recorder<T>& r) {
    return std::vector<std::pair<std::string, Tensor<T>>>{{name, record(r)}};
  };
  WindowColumns<T> values =
      evaluate_windows(inputs(), device_, columns, [&](auto...) { return stop && stop(); });
  if (values.empty()) throw Stopped();
  return std::move(values.front().second);
}

/// What finished stages say of every window; scalars are settled before, for it may depend on them.
template <class T>
const T* Learner<T>::column(const std::string& name, const RecordColumn<T>& record,
                            const std::function<bool()>& stop) {
  Buffer<T>& buffer = columns_[name] = Buffer<T>(data_.windows(), device_->memory());
  if (!record) return buffer.data();
  if (!settle(stop)) throw Stopped();
  const std::vector<T> values = survey(name, record, stop);
  buffer.copy_in(values.data(), values.size());
  return buffer.data();
}

template <class T>
std::optional<Scalars> Learner<T>::scalars_over_data(const std::function<bool()>& stop) {
  if (settled_) return scalars();
  if (scalars_over_data_.has_value()) return scalars_over_data_;
  Scalars values = scalars();
  try {
    for (const Scalar<T>& scalar : method_.scalars)
      if (!scalar.fixed && !scalar.start) {
        std::vector<T> column = survey(scalar.name, scalar.column, stop);
        values[scalar.name] = static_cast<double>(scalar.reduce(column));
      }
  } catch (const Stopped&) {
    return std::nullopt;
  }
  return scalars_over_data_ = values;
}

/// Makes the scalars those of the networks as they are. False if `stop` ended it early.
template <class T>
bool Learner<T>::settle(const std::function<bool()>& stop) {
  const std::optional<Scalars> values = scalars_over_data(stop);
  if (!values.has_value()) return false;
  for (const auto& [name, value] : *values) set_scalar(name, value);
  return settled_ = true;
}

template <class T>
void Learner<T>::advance(const std::function<bool()>& stop, std::uint64_t most) {
  if (!prepare(stop)) return;
  const std::uint64_t interval = device_->check_interval();
  const auto at_once = static_cast<std::uint64_t>(device_->replays_at_once());
  const std::uint64_t free = std::min({most, segment_->end - step_count_, interval - step_count_ % interval});
  const std::uint64_t steps = free < at_once ? 1 : at_once;
  step_->run(static_cast<int>(steps));
  step_count_ += steps;
  scalars_over_data_.reset();
  if (step_count_ % interval == 0) check_finite();
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
  // With several stages they were settled when the next one began, unless nothing depended on them.
  return segments_.size() > 1 || settle(stop);
}

template <class T>
std::vector<std::pair<std::string, double>> Learner<T>::report() const {
  std::vector<std::pair<std::string, double>> values;
  if (step_ == nullptr) return values;
  check_finite();
  for (const auto& [name, value] : step_->losses()) values.emplace_back("loss_" + name, value);
  for (const auto& [name, value] : scalars()) values.emplace_back(name, value);
  for (const auto& [name, value] : step_->means()) values.emplace_back(name, value);
  for (const auto& [name, value] : step_->gradient_norms()) values.emplace_back("grad_" + name, value);
  return values;
}

template <class T>
void Learner<T>::save(Snapshot<T>& snapshot) const {
  if (step_ != nullptr) check_finite();
  const Parameters<T>&online = networks_.online, &follower = networks_.follower;
  save_networks(networks_, online, online.values(), "online/", snapshot);
  save_networks(networks_, follower, follower.values(), "target/", snapshot);
  save_networks(networks_, online, online.first_moments(), "first_moment/", snapshot);
  save_networks(networks_, online, online.second_moments(), "second_moment/", snapshot);
  for (const auto& [name, buffer] : scalars_) {
    std::vector<T>& value = snapshot.arrays.emplace_back(1);
    buffer.copy_out(value.data(), 1);
    snapshot.writer.template add<T>(name, {1}, value);
  }
  add_normalization(snapshot.writer, data_.normalization());
  snapshot.writer.metadata("step", std::to_string(step()));
}

template <class T>
std::size_t Learner<T>::saved_bytes() const {
  const Parameters<T>& online = networks_.online;  // its arena holds the followers' values, too
  return sizeof(T) *
         (online.values().size() + online.first_moments().size() + online.second_moments().size());
}

template <class T>
void Learner<T>::load(const SafetensorsFile& file) {
  Parameters<T>&online = networks_.online, &follower = networks_.follower;
  load_networks(networks_, online, online.values(), "online/", file);
  load_networks(networks_, follower, follower.values(), "target/", file);
  load_networks(networks_, online, online.first_moments(), "first_moment/", file);
  load_networks(networks_, online, online.second_moments(), "second_moment/", file);
  online.repack();
  follower.repack();
  for (auto& [name, buffer] : scalars_) buffer.copy_in(file.get<T>(name, {1}).data(), 1);
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
  state.completed = state.step;
  state_.copy_in(&state, 1);
  step_count_ = state.step;
  segment_ = nullptr;
  settled_ = false;
  scalars_over_data_.reset();
}

Policy policy_of(const Learner<float>& learner, const TrainingData<float>& data, const Scalars& scalars) {
  return Policy::of({learner.device(), learner.settings(), data.dimensions(), learner.method(), scalars,
                     limit_as_value(learner.settings(), data.facts().longest_episode), learner.step(),
                     data.fingerprint(), data.first_observation(), data.normalization()},
                    learner.networks());
}

#define R2_INSTANTIATE(T)    \
  template class Learner<T>; \
  template std::vector<StageSpan> stage_spans(const Method<T>&, const Settings&);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
