// The interface with which a method's stages record a gradient step: the batch, the networks by name, and
// names for the results.
#pragma once

#include <any>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/networks.h"
#include "kernels/critic.h"
#include "model/batch.h"
#include "settings/settings.h"

namespace r2pac {

/// Facts about the whole data set that a method may use. Rewards and costs are those of single steps, scaled.
template <class T>
struct DataFacts {
  static constexpr T kAnything = std::numeric_limits<T>::infinity();
  Range<T> rewards{-kAnything, kAnything}, costs{-kAnything, kAnything};
  std::int64_t longest_episode = 0;  ///< steps
  double initial_share = 1;          ///< of the rows trained on, those that begin an episode
};

template <class T>
class Recorder;

/// Records one value [1, B, 1] for each window of the batch.
template <class T>
using RecordColumn = std::function<Tensor<T>(Recorder<T>&)>;

/// What a recording reads and writes. The pointees outlive the recording.
template <class T>
struct RecorderInputs {
  const Settings* settings = nullptr;
  Networks<T>* networks = nullptr;
  /// The networks for constant applications and followers. They are `networks` itself, except in tests that
  /// change weights while the targets stay.
  Networks<T>* reference = nullptr;
  WindowSource<T> source;
  DataFacts<T> facts;
  StepState* state = nullptr;
  unsigned long long first_step = 0;            ///< the state's step at which the stage began
  unsigned long long steps = 0;                 ///< of the stage, or of stages that are trained together
  const std::uint32_t* first_window = nullptr;  ///< set: the batch is the windows from here on in order
  std::map<std::string, T*> scalars;            ///< by name, one value each, in the device's memory
  bool with_earlier_stages = true;              ///< whether stages before this one are recorded, too
  /// For stages that are recorded alone: values [windows] in the device's memory.
  std::function<const T*(const std::string& name, const RecordColumn<T>& record)> column;
};

template <class T>
class Recorder {
 public:
  using Named = std::vector<std::pair<std::string, Tensor<T>>>;
  struct Mean {
    std::string name;
    Tensor<T> value;
    double minus;
  };

  Recorder(Tape<T>& tape, const RecorderInputs<T>& inputs) : tape_(tape), inputs_(inputs) {}

  Tape<T>& tape() { return tape_; }
  const Settings& settings() const { return *inputs_.settings; }
  const DataFacts<T>& facts() const { return inputs_.facts; }
  const WindowSource<T>& source() const { return inputs_.source; }
  int chunk_length() const { return inputs_.source.chunk_length; }
  std::uint64_t seed() const { return static_cast<std::uint64_t>(settings().seed); }
  const StepState* state() const { return inputs_.state; }
  unsigned long long first_step() const { return inputs_.first_step; }
  Networks<T>& networks() { return *inputs_.networks; }
  /// Whether the batch is windows in order and not windows that are drawn for a step.
  bool in_order() const { return inputs_.first_window != nullptr; }

  /// The windows of this step. They are drawn once.
  Batch<T> batch();
  /// Rows first .. first + count of the windows of this step, drawn by themselves. They are drawn once. Not
  /// where windows come in order.
  Batch<T> batch_rows(int first, int count);
  /// Observations and actions side by side, [1, B, S + hA].
  Tensor<T> pairs();
  /// The outputs of the networks, as of r2pac::apply. Constant applications and followers pass no gradient.
  std::vector<Tensor<T>> apply(const std::vector<Application<T>>& applications);
  /// A number of the method (Scalar) that is kept from step to step, [1, 1, 1].
  Tensor<T> scalar(const std::string& name);
  /// One value of each window. If the stages that it depends on are part of this recording, it is recorded
  /// here. Else it is what these stages gave at their end, or, if `wanted` is false, zero without any
  /// computation.
  Tensor<T> per_window(const std::string& name, const RecordColumn<T>& record, bool wanted = true);
  /// The result of `make`, which runs once in this recording, at the first call of this name.
  template <class Value>
  Value once(const std::string& name, const std::function<Value()>& make) {
    auto found = once_.find(name);
    if (found == once_.end()) found = once_.emplace(name, make()).first;
    return std::any_cast<Value>(found->second);
  }

  /// Adds a loss: a scalar that is kept for reports.
  void loss(const std::string& name, Tensor<T> value) { losses_.emplace_back(name, value); }
  /// Reports the sum over nets of the batch mean of x [nets, B, 1], less `minus`.
  void mean(const std::string& name, Tensor<T> x, double minus = 0);
  /// Names a value for traces. If a name is used again, the first value stays.
  void trace(const std::string& name, Tensor<T> value);
  /// The batch itself as entries of a trace.
  void trace_batch();

  const Named& losses() const { return losses_; }
  const std::vector<Mean>& means() const { return means_; }
  const Named& traced() const { return traced_; }

 private:
  Tape<T>& tape_;
  const RecorderInputs<T>& inputs_;
  std::map<std::string, std::any> once_;
  Named losses_, traced_;
  std::vector<Mean> means_;
};

}  // namespace r2pac
