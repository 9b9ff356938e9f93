// The learner: networks, optimiser state and schedule, advanced one gradient step at a time.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/step.h"
#include "model/training_data.h"
#include "model/window_values.h"
#include "storage/safetensors.h"

namespace r2pac {

/// Name of the checkpoints' format, their metadata `format`.
inline constexpr char kCheckpointFormat[] = "r2pac-checkpoint-1";

/// Arrays on their way into a file; the writer refers to them, so they stay together.
template <class T>
struct Snapshot {
  std::deque<std::vector<T>> arrays;
  SafetensorsWriter writer;
};

/// The cost limit of an episode of `steps` > 0, in scaled cost, as a discounted value (Eq. 42):
/// kappa (1 - gamma^T) / ((1 - gamma) T).
double limit_as_value(const Settings& settings, std::int64_t steps);

template <class T>
class Learner {
 public:
  /// The data outlive the learner.
  Learner(const Settings& settings, const TrainingData<T>& data, std::shared_ptr<Device> device);

  /// Gradient steps of the whole run: `steps`, or critic steps and then flow steps (sequential).
  std::uint64_t total_steps() const { return critic_steps_ + flow_steps_; }
  std::uint64_t step() const { return step_count_; }
  bool finished() const { return step() >= total_steps(); }
  /// "joint", "critics" or "flow": what the step last taken belongs to.
  const char* phase() const;

  /// Whether the step last taken trained the flow.
  bool trains_flow() const;

  /// Critics, values and their targets of other networks of the same shape, before the first step; the
  /// targets of both are their Polyak averages, which is all that labels and acting look at.
  /// Throws InvalidArgument when the shapes differ.
  void take_critics(const Networks<T>& from);

  /// Takes one step. `stop` is asked while labels are computed between the phases; once true, no step is
  /// taken. Throws Error(diverged) naming step and term if a loss or gradient is not finite; a device that
  /// would have to be waited for is asked every check_interval() steps and by report() and save().
  void advance(const std::function<bool()>& stop = {});

  /// Whether the next advance() first labels all windows with the finished critics, which takes a while.
  bool labels_next() const;

  /// Sets the threshold to the quantile over the whole data set, once training is over.
  /// Returns false if `stop` ended it early.
  bool finish(const std::function<bool()>& stop = {});

  /// Losses ("loss_..."), threshold, means and gradient norms ("grad_...") of the last step.
  std::vector<std::pair<std::string, double>> report() const;

  /// All tensors that a later step depends on. Names: see docs/formats.md.
  void save(Snapshot<T>& snapshot) const;
  /// The reverse. Throws Error(checkpoint) when a tensor is missing or has another shape.
  void load(const SafetensorsFile& file);

  double threshold() const;
  /// The alpha-quantile of V_c over the whole data set now (Eq. 42's limit where that is the threshold),
  /// computed once a step; the networks stay as they are. None if `stop` ended it early.
  std::optional<T> data_threshold(const std::function<bool()>& stop = {});
  Networks<T>& networks() { return networks_; }
  const Networks<T>& networks() const { return networks_; }
  Step<T>* current_step() { return step_.get(); }
  const Settings& settings() const { return settings_; }
  const std::shared_ptr<Device>& device() const { return device_; }
  /// Records values of each step for a trace; before the first step.
  void trace() { trace_ = true; }

 private:
  bool prepare(const std::function<bool()>& stop);
  bool compute_labels(const std::function<bool()>& stop);
  T quantile_of(const WindowValues<T>& values) const;
  void check_finite() const;

  Settings settings_;
  const TrainingData<T>& data_;
  std::shared_ptr<Device> device_;
  Networks<T> networks_;
  Buffer<StepState> state_;
  Buffer<T> threshold_;
  std::uint64_t step_count_ = 0;     // what the state holds once the device has caught up
  std::optional<T> data_threshold_;  // of the networks as they are, once it was asked for
  Buffer<std::uint8_t> labels_;
  std::uint64_t critic_steps_ = 0, flow_steps_ = 0;
  bool trace_ = false;
  std::optional<StepKind> kind_;
  std::unique_ptr<Step<T>> step_;
};

/// Copies of a network's tensors under public names: prefix + name, from an arena of `parameters`.
template <class T>
void save_networks(const Networks<T>& networks, const Parameters<T>& parameters, const Buffer<T>& arena,
                   const std::string& prefix, Snapshot<T>& snapshot);
template <class T>
void load_networks(const Networks<T>& networks, const Parameters<T>& parameters, Buffer<T>& arena,
                   const std::string& prefix, const SafetensorsFile& file);

}  // namespace r2pac
