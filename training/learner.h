// The learner has a method's networks, optimiser state and stages. It takes one gradient step at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "policy/network_file.h"
#include "policy/policy.h"
#include "training/step.h"
#include "training/training_data.h"

namespace r2pac {

/// The steps begin .. end of a run, in which one of the method's stages is trained, or all together.
struct StageSpan {
  std::string name;  ///< of the stage, or "joint"
  std::uint64_t begin, end;
};
/// In their order; the end of the last is the number of steps of the run.
template <class T>
std::vector<StageSpan> stage_spans(const Method<T>& method, const Settings& settings);

template <class T>
class Learner {
 public:
  /// The data outlive the learner.
  Learner(const Settings& settings, const TrainingData<T>& data, std::shared_ptr<Device> device);

  /// Gradient steps of the whole run: of all stages one after the other (sequential), or together (joint).
  std::uint64_t total_steps() const { return segments_.back().end; }
  std::uint64_t step() const { return step_count_; }
  bool finished() const { return step() >= total_steps(); }
  /// The stage that the step last taken belongs to, or "joint".
  const std::string& stage() const;
  /// Whether the step last taken belongs to the last stage, which trains the actor.
  bool trains_last_stage() const { return step() > segments_.back().begin; }

  /// Takes the networks of the first stage from another run, before the first step. Where a network
  /// has a follower, both get the weights of the other run's follower, since labels and acting use only
  /// followers. Throws InvalidArgument when the shapes differ.
  void take_first_stage(const Networks<T>& from);

  /// Takes one step, or as many as the device takes at once, but at most `most`. A new stage first goes
  /// through the whole data set; meanwhile it calls `stop`, and if that returns true, no step is taken.
  /// Throws Error(diverged) naming step and term if a loss or gradient is not finite. A device whose answers
  /// take waiting is checked only every check_interval() steps, and by report() and save().
  void advance(const std::function<bool()>& stop = {}, std::uint64_t most = 1);

  /// Computes the scalars from the whole data set, after the last step.
  /// Returns false if `stop` ended it early.
  bool finish(const std::function<bool()>& stop = {});

  /// Losses ("loss_..."), scalars, means and gradient norms ("grad_...") of the last step.
  std::vector<std::pair<std::string, double>> report() const;

  /// Bytes of the copies that save() makes.
  std::size_t saved_bytes() const;
  /// All tensors that a later step depends on. Names: see docs/formats.md.
  void save(Snapshot<T>& snapshot) const;
  /// Reads what save() wrote. Throws Error(checkpoint) when a tensor is missing or has another shape.
  void load(const SafetensorsFile& file);

  /// The scalars after the last step.
  Scalars scalars() const;
  /// The scalars that finish() would compute now. They are computed once a step, and no network changes. None
  /// if `stop` ended it early.
  std::optional<Scalars> scalars_over_data(const std::function<bool()>& stop = {});
  const Method<T>& method() const { return method_; }
  Networks<T>& networks() { return networks_; }
  const Networks<T>& networks() const { return networks_; }
  Step<T>* current_step() { return step_.get(); }
  const Settings& settings() const { return settings_; }
  const std::shared_ptr<Device>& device() const { return device_; }
  /// Records values of each step for a trace; before the first step.
  void trace() { options_.trace = true; }
  /// Sets a function that is called with the name of a value before this is computed for all windows, which
  /// may take a while.
  void on_survey(std::function<void(const std::string&)> note) { note_ = std::move(note); }

 private:
  struct Segment : StageSpan {
    std::vector<Stage<T>> stages;
  };
  RecorderInputs<T> inputs();
  bool prepare(const std::function<bool()>& stop);
  std::vector<T> survey(const std::string& name, const RecordColumn<T>& record,
                        const std::function<bool()>& stop);
  bool settle(const std::function<bool()>& stop);
  const T* column(const std::string& name, const RecordColumn<T>& record, const std::function<bool()>& stop);
  void set_scalar(const std::string& name, double value);
  void check_finite() const;

  Settings settings_;
  const TrainingData<T>& data_;
  std::shared_ptr<Device> device_;
  Method<T> method_;
  Networks<T> networks_;
  std::vector<Segment> segments_;
  Buffer<StepState> state_;
  std::map<std::string, Buffer<T>> scalars_;
  std::uint64_t step_count_ = 0;              // what the state holds once the device has caught up
  std::optional<Scalars> scalars_over_data_;  // of the networks as they are, once they were asked for
  std::map<std::string, Buffer<T>> columns_;  // of all windows, for the current stage
  bool settled_ = false;                      // scalars are those of finished networks
  StepOptions options_;
  std::function<void(const std::string&)> note_;
  const Segment* segment_ = nullptr;  // whose step is recorded
  std::unique_ptr<Step<T>> step_;
};

/// The policy of the learner as it is now. scalars: those of the method, over the whole data set.
Policy policy_of(const Learner<float>& learner, const TrainingData<float>& data, const Scalars& scalars);

}  // namespace r2pac
