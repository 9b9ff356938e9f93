// A gradient step of one or more of a method's stages, recorded once and run many times.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/optimizer.h"
#include "engine/tape.h"
#include "model/method.h"

namespace r2pac {

/// What becomes of the gradients.
struct StepOptions {
  bool update = true;  ///< whether the optimiser is part of the step
  bool trace = false;  ///< whether the values named by traced() are kept
};

template <class T>
class Step {
 public:
  /// The stages are recorded one after the other and learn together, but for those that move first. The
  /// inputs' pointees outlive the step. Throws InvalidArgument if networks that lie side by side in memory do
  /// not move at the same time.
  Step(const std::vector<Stage<T>>& stages, const RecorderInputs<T>& inputs, std::shared_ptr<Device> device,
       const StepOptions& options = {});

  /// So many gradient steps; the state's counts grow if the optimiser is part of them.
  void run(int steps = 1) { program_.run(steps); }

  using Numbers = std::vector<std::pair<std::string, double>>;
  /// Name and value of each loss. A run that diverges names the term by them.
  Numbers losses() const { return read(losses_); }
  /// Batch means that the stages report.
  Numbers means() const { return read(means_); }
  /// Norm of each network's gradient, its tables included.
  Numbers gradient_norms() const;
  /// The values that the stages named for traces; readable after a run if the options asked for a trace.
  const typename Recorder<T>::Named& traced() const { return traced_; }

  const Program::Statistics& statistics() const { return program_.statistics(); }

 private:
  std::vector<double> read(const std::vector<Tensor<T>>& tensors) const;
  Numbers read(const std::vector<typename Recorder<T>::Mean>& scalars) const;
  std::vector<OptimizerGroup<T>> optimizer_groups(const std::vector<Stage<T>>& stages,
                                                  const RecorderInputs<T>& inputs,
                                                  std::vector<std::vector<int>>& turns);

  std::shared_ptr<Device> device_;
  typename Recorder<T>::Named traced_;
  std::vector<typename Recorder<T>::Mean> losses_, means_;
  Tensor<T> squares_ = nullptr;
  std::vector<std::string> owners_;  // the network of each piece of the optimiser
  Program program_;
};

}  // namespace r2pac
