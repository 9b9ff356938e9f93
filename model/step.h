// The gradient step of R2PAC as one recording. Read beside PAPER.md.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/tape.h"
#include "kernels/batch.h"
#include "model/losses.h"
#include "model/networks.h"
#include "model/settings.h"

namespace r2pac {

/// Which losses a step has: both (joint schedule), or one phase of the sequential schedule.
enum class StepKind { joint, critics, flow };

/// What a step works on. The pointees outlive the step.
template <class T>
struct StepInputs {
  Networks<T>* networks = nullptr;
  /// Where targets, thresholds and labels come from: the networks themselves unless a test wants to hold
  /// them still while it moves the others.
  Networks<T>* reference = nullptr;
  WindowSource<T> source;
  StepState* state = nullptr;
  T* threshold = nullptr;        ///< l, one value in kernel memory; updated by critics and joint steps
  bool fixed_threshold = false;  ///< l is given, not a quantile of the batch
  /// Of single steps in the data, scaled: they bound the values (BOUNDS). If not given, nothing does.
  Range<T> rewards{-std::numeric_limits<T>::infinity(), std::numeric_limits<T>::infinity()}, costs = rewards;
  const std::uint8_t* labels = nullptr;  ///< [windows], for StepKind::flow
  unsigned long long first_step = 0;     ///< the state's step at which this optimiser starts
  bool update = true;                    ///< whether the optimiser is part of the step
  bool trace = false;                    ///< whether the values named by traced() are kept
};

template <class T>
class Step {
 public:
  Step(const Settings& settings, StepKind kind, const StepInputs<T>& inputs, std::shared_ptr<Device> device);

  /// One gradient step; the state's step advances if the optimiser is part of it.
  void run() { program_.run(); }

  /// Name and value of each loss, by which a run that diverges names the term.
  std::vector<std::pair<std::string, double>> losses() const { return read(losses_); }
  /// Batch means: q_r, q_c, v_r, v_c, unsafe (share), good (share of labels); those that the kind has.
  std::vector<std::pair<std::string, double>> means() const { return read(means_); }
  /// Norm of the gradient of q_r, q_c, v_r, v_c and the flow; those that the kind has.
  std::vector<std::pair<std::string, double>> gradient_norms() const;
  /// Batch, noise, targets and labels; readable after a run if the inputs asked for a trace.
  const std::vector<std::pair<std::string, Tensor<T>>>& traced() const { return traced_; }

  const Program::Statistics& statistics() const { return program_.statistics(); }

 private:
  using Named = std::vector<std::pair<std::string, Tensor<T>>>;
  /// What the critics and values say, before any target.
  struct Estimates {
    Tensor<T> q;                  // [2n, B, 1] learning critics: n of rewards, n of costs
    Tensor<T> q_target;           // [2n, B, 1] their targets
    Tensor<T> v, v_seen, v_next;  // [2, B, 1] V_r, V_c at s (learning; as targets see them) and at s'
  };
  static Estimates estimate(Tape<T>& tape, Networks<T>& nets, Networks<T>& reference, const Batch<T>& batch);
  std::vector<std::pair<std::string, double>> read(const Named& scalars) const;
  std::vector<T> fetch(const std::vector<Tensor<T>>& tensors) const;
  void record_critics(Tape<T>& tape, const Settings& settings, const StepInputs<T>& inputs, bool with_flow);
  void record_flow(Tape<T>& tape, const Settings& settings, const StepInputs<T>& inputs,
                   const Batch<T>& batch, Tensor<T> label);

  Networks<T>* networks_;
  std::shared_ptr<Device> device_;
  StepKind kind_;
  Named losses_, means_, traced_;
  Tensor<T> squares_ = nullptr;
  Program program_;
};

}  // namespace r2pac
