// What a method's stages record with: the batch, networks by name, and names for what comes out.
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

/// What a method may know of the data set as a whole. Rewards and costs are those of single steps, scaled.
template <class T>
struct DataFacts {
  static constexpr T kAnything = std::numeric_limits<T>::infinity();
  Range<T> rewards{-kAnything, kAnything}, costs{-kAnything, kAnything};
  std::int64_t longest_episode = 0;  ///< steps
};

template <class T>
class Recorder;

/// Says one value [1, B, 1] of each window of the batch.
template <class T>
using RecordColumn = std::function<Tensor<T>(Recorder<T>&)>;

/// What recordings work on. The pointees outlive the recording.
template <class T>
struct RecorderInputs {
  const Settings* settings = nullptr;
  Networks<T>* networks = nullptr;
  /// Where constant applications and followers come from: the networks themselves, unless a test wants to
  /// hold targets still while it moves the weights.
  Networks<T>* reference = nullptr;
  WindowSource<T> source;
  DataFacts<T> facts;
  StepState* state = nullptr;
  unsigned long long first_step = 0;            ///< the state's step at which the stage began
  const std::uint32_t* first_window = nullptr;  ///< set: not a drawn batch, but windows from here on in order
  std::map<std::string, T*> scalars;            ///< by name, one value each, in the device's memory
  bool with_earlier_stages = true;              ///< recorded together with the stages before
  /// [windows] values in the device's memory, for stages that are recorded alone.
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

  /// The windows of this step; drawn once.
  Batch<T> batch();
  /// Observations and actions side by side, [1, B, S + hA].
  Tensor<T> pairs();
  /// The networks' outputs, as r2pac::apply. Constant applications and followers pass no gradient on.
  std::vector<Tensor<T>> apply(const std::vector<Application<T>>& applications);
  /// A number of the method that lasts from step to step, [1, 1, 1].
  Tensor<T> scalar(const std::string& name);
  /// One value of each window: recorded here together with the stages that it depends on, or, in a stage of
  /// its own, what they said at their end. `wanted` false: zeros, and nothing is computed.
  Tensor<T> per_window(const std::string& name, const RecordColumn<T>& record, bool wanted = true);
  /// What `make` records, once for all who ask for it in this recording.
  template <class Value>
  Value once(const std::string& name, const std::function<Value()>& make) {
    auto found = once_.find(name);
    if (found == once_.end()) found = once_.emplace(name, make()).first;
    return std::any_cast<Value>(found->second);
  }

  /// Adds a loss, a kept scalar.
  void loss(const std::string& name, Tensor<T> value) { losses_.emplace_back(name, value); }
  /// Reports the sum over nets of the batch mean of x [nets, B, 1], less `minus`.
  void mean(const std::string& name, Tensor<T> x, double minus = 0);
  /// Names a value for traces; the first of a name stays.
  void trace(const std::string& name, Tensor<T> value);

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
