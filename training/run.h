// A training run in a folder: settings, metrics, checkpoints, policy. A run that was stopped and resumed
// has the same metrics and policy as one that was not.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.h"
#include "engine/device.h"
#include "policy/policy.h"
#include "settings/settings.h"
#include "training/evaluation.h"

namespace r2pac {

struct RunOptions {
  ResolvedSettings settings;
  std::filesystem::path data;  ///< DSRL file
  /// The data themselves, if they are in memory already; `data` then only names them.
  std::shared_ptr<const Dataset> dataset;
  std::filesystem::path folder;  ///< made if need be
  /// "auto": continue the folder's newest checkpoint if there is one. "never": refuse a folder that holds a
  /// run. Else a checkpoint file or run folder to start from, which may have had another number of steps
  /// (require_same_so_far()); the result is that of a run that was started with these, but
  /// for scores on the way at the shorter run's end.
  std::string resume = "auto";
  /// A policy, checkpoint or run folder of the same data, whose finished critics are taken over. Then only
  /// the actor is trained. This needs the sequential schedule with critic_steps = 0.
  std::filesystem::path critics;
  /// Scores a policy. It returns nothing if the run was asked to stop meanwhile. It is called at the end, and
  /// every `evaluate_every` steps in which the last stage is trained. If it throws, the run saves a
  /// checkpoint and ends.
  std::function<std::optional<Evaluation>(const Policy&)> evaluate;
  std::uint64_t evaluate_every = 0;  ///< 0: at the end only
  std::shared_ptr<Device> device;
  std::vector<std::string> command_line;  ///< for the manifest
};

/// One line of progress: what metrics.jsonl gets, and the timing that timing.jsonl gets.
struct Interval {
  std::uint64_t step = 0, total = 0;
  std::string stage;  ///< or "joint"
  std::vector<std::pair<std::string, double>> values;
  double steps_per_second = 0, eta_seconds = 0;
};

/// Functions that a run calls, and flags that it reads. A signal handler may set the flags.
struct RunCallbacks {
  std::function<void()> begins;  ///< the data are read; from now on files of the run's folder change
  std::function<void(const std::string&)> note;  ///< a sentence for the user
  std::function<void(const std::string&)> warn;
  std::function<void(const Interval&)> interval;
  std::function<void(const Evaluation&, bool safe_best)> evaluation;
  std::function<void(std::uint64_t step, std::uint64_t total)> progress;  ///< after each step; cheap
  const std::atomic<bool>* stop = nullptr;  ///< save and return as soon as the step is done
  std::atomic<bool>* checkpoint = nullptr;  ///< save now; cleared when done
};

enum class RunEnd { finished, stopped };

/// Trains until done or stopped. Throws Error: data, settings (resume with other data or settings),
/// checkpoint, diverged, disk.
RunEnd run_training(const RunOptions& options, const RunCallbacks& callbacks);

}  // namespace r2pac
