#include "training/run.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/memory.h"
#include "base/processors.h"
#include "base/version.h"
#include "data/dsrl.h"
#include "kernels/dense.h"
#include "kernels/isa.h"
#include "model/arithmetic.h"
#include "model/region.h"
#include "policy/policy.h"
#include "settings/text_value.h"
#include "training/data_warnings.h"
#include "training/other_length.h"
#include "training/run_folder.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

/// Of checkpoints that state none.
const std::string kUsualPrecision = precision_name(Precision::fp32);

class Run {
 public:
  Run(const RunOptions& options, const RunCallbacks& callbacks)
      : options_(options),
        callbacks_(callbacks),
        settings_(options.settings.values),
        data_(load_data()),
        folder_(options.folder, {[this](const std::string& text) { callbacks_.warn(text); },
                                 [this] { return stop_requested(); }}),
        learner_(settings_, *data_, options.device),
        saving_(learner_.saved_bytes()) {
    learner_.on_survey([this](const std::string& what) {
      callbacks_.note(what + " of all " + std::to_string(data_->windows()) + " windows");
    });
    if (!folder_.held())
      callbacks_.warn("the file system of " + folder_.path().string() +
                      " knows no locks: start no other training in the folder");
    const std::optional<SafetensorsFile> checkpoint = resume();
    if (!options.critics.empty() && learner_.step() == 0) take_critics();
    if (callbacks_.begins) callbacks_.begins();
    folder_.open(static_cast<bool>(options.evaluate));  // from here on files change
    if (checkpoint) {
      past_ = folder_.past_effort(*checkpoint);
      folder_.continue_from(*checkpoint, learner_.step(), callbacks_.warn);
      // The line of a shorter run's end is none of a longer one's.
      if (has_other_length_ && !logs_at(learner_.step())) folder_.drop_metrics_from(learner_.step());
    } else {
      folder_.begin_anew();
    }
    first_step_ = learner_.step();
    const RunFolder::PastEvaluations past = folder_.past_evaluations(learner_.step());
    best_ = past.best;
    last_evaluated_ = past.last_step;
    folder_.write_settings(options.settings);
    write_manifest("running");
  }

  RunEnd train() {
    const auto stop = [this] { return stop_requested(); };
    interval_start_ = Clock::now();
    interval_start_step_ = learner_.step();
    if (!evaluate(stop)) return stopped();
    while (!learner_.finished()) {
      const std::uint64_t before = learner_.step();
      learner_.advance(stop, steps_to_look(before));
      const std::uint64_t step = learner_.step();
      if (step == before) return stopped();
      if (callbacks_.progress) callbacks_.progress(step, learner_.total_steps());
      if (logs_at(step)) log();
      const bool evaluated = evaluate(stop);
      const bool asked = callbacks_.checkpoint != nullptr && callbacks_.checkpoint->exchange(false);
      if (asked || is_multiple(step, settings_.checkpoint_every) || learner_.finished()) checkpoint();
      if (!evaluated || (stop() && !learner_.finished())) return stopped();
    }
    if (!learner_.finish(stop)) return stopped();
    folder_.save_policy(policy_of(learner_, *data_, learner_.scalars()), "policy.safetensors");
    write_manifest("finished");
    return RunEnd::finished;
  }

  /// Names the last good checkpoint of a run that diverged.
  [[noreturn]] void rethrow_with_checkpoint(const Error& error) const {
    const std::optional<fs::path> newest = folder_.newest_checkpoint();
    throw Error(
        error.code(), error.what(), folder_.path().string(),
        (newest ? "the last good checkpoint is " + newest->string() : "no checkpoint was written yet") +
            "; " + error.todo());
  }

 private:
  /// Adds the seconds of its life to a sum.
  class ScoringClock {
   public:
    explicit ScoringClock(double& sum) : sum_(sum) {}
    ~ScoringClock() { sum_ += std::chrono::duration<double>(Clock::now() - start_).count(); }
    ScoringClock(const ScoringClock&) = delete;
    ScoringClock& operator=(const ScoringClock&) = delete;

   private:
    double& sum_;
    const Clock::time_point start_ = Clock::now();
  };

  bool stop_requested() const { return callbacks_.stop != nullptr && callbacks_.stop->load(); }

  static bool is_multiple(std::uint64_t step, std::int64_t of) {
    return step % static_cast<std::uint64_t>(of) == 0;
  }

  bool logs_at(std::uint64_t step) const {
    return step == 1 || is_multiple(step, settings_.log_every) || step == learner_.total_steps();
  }

  /// Steps after `step` until something is to be done between two of them.
  std::uint64_t steps_to_look(std::uint64_t step) const {
    if (step == 0) return 1;
    const auto until = [&](std::uint64_t every) { return every - step % every; };
    std::uint64_t steps = std::min(until(static_cast<std::uint64_t>(settings_.log_every)),
                                   until(static_cast<std::uint64_t>(settings_.checkpoint_every)));
    if (options_.evaluate_every > 0) steps = std::min(steps, until(options_.evaluate_every));
    return steps;
  }

  std::unique_ptr<TrainingData<float>> load_data() const {
    const auto upload = [&](const Dataset& dataset) {
      for (const std::string& warning : data_warnings(dataset, settings_)) callbacks_.warn(warning);
      return std::make_unique<TrainingData<float>>(dataset, settings_, *options_.device);
    };
    if (options_.dataset != nullptr) return upload(*options_.dataset);
    return upload(load_training_dataset(options_.data.string(), settings_));
  }

  /// Refuses a checkpoint of other data or settings, naming the difference.
  void require_same(const SafetensorsFile& file) {
    const std::string where = file.path().string();
    if (const auto format = file.metadata().find("format");
        format == file.metadata().end() || !is_checkpoint_format(format->second))
      throw Error(ExitCode::checkpoint,
                  std::string("this is not a checkpoint of the format ") + kCheckpointFormat, where,
                  "give a file of a run's folder `checkpoints`");
    if (const std::string& fingerprint = file.metadata("data_fingerprint");
        fingerprint != data_->fingerprint())
      throw Error(ExitCode::settings,
                  "the checkpoint belongs to other data: fingerprint " + fingerprint + ", not " +
                      data_->fingerprint(),
                  where, "give the data file that the run began with, or another --out to begin anew");
    const Settings then = parse_settings(file.metadata("settings"), where);
    const bool is_named = options_.resume != "auto" && options_.resume != "never";
    std::string changed, todo = "use the settings that the run began with, or another --out to begin anew";
    for (const SettingDifference& d : differences(then, settings_)) {
      if (!d.info.trains()) continue;
      if (is_length(d.key) && is_named) {
        has_other_length_ = true;
        continue;
      }
      if (is_length(d.key)) todo += "; to go on for another number of steps name the run: --resume RUN";
      changed += (changed.empty() ? "" : ", ") + d.key + " was " + d.first + " and is now " + d.second;
    }
    if (!changed.empty())
      throw Error(ExitCode::settings, "the checkpoint belongs to other settings: " + changed, where, todo);
    if (has_other_length_)
      require_same_so_far(learner_.method(), then, settings_,
                          parse_number<std::uint64_t>(file.metadata("step")).value_or(0), where);
  }

  /// The checkpoint that the run goes on from, if there is one.
  std::optional<SafetensorsFile> resume() {
    std::optional<SafetensorsFile> file = folder_.find_checkpoint(options_.resume, callbacks_.warn);
    if (!file) return file;
    require_same(*file);
    learner_.load(*file);
    const auto stated = file->metadata().find("precision");
    const std::string then = stated != file->metadata().end() ? stated->second : kUsualPrecision,
                      now = precision_name(options_.device->precision());
    if (then != now)
      callbacks_.warn("until here the run was trained in " + then + ", and it goes on in " + now);
    callbacks_.note("continuing at step " + std::to_string(learner_.step()) + " from " +
                    file->path().string());
    return file;
  }

  /// Begins with the critics, values and scalars of another run of the same data.
  void take_critics() {
    if (settings_.schedule != Schedule::sequential || settings_.resolved_critic_steps() != 0)
      throw Error(ExitCode::settings,
                  "critics of another run need the sequential schedule without critic steps", "--critics",
                  "use --schedule sequential --set critic_steps=0");
    if (learner_.method().stages.size() < 2)
      throw Error(ExitCode::settings, "method `" + settings_.method + "` has no critics", "--critics",
                  "leave it out");
    const Policy other = Policy::load(options_.critics, options_.device);
    if (other.data_fingerprint() != data_->fingerprint())
      throw Error(ExitCode::settings,
                  "the critics belong to other data: fingerprint " + other.data_fingerprint(),
                  other.path().string(), "give a policy that was trained on the same data file");
    for (const SettingDifference& d : differences(other.settings(), settings_))
      if (d.info.shapes_critics())
        throw Error(
            ExitCode::settings,
            "the critics belong to other settings: " + d.key + " was " + d.first + " and is now " + d.second,
            other.path().string(), "use the settings that the critics were trained with");
    learner_.take_first_stage(other.networks());
    callbacks_.note("taking the critics of " + other.path().string() + ", step " +
                    std::to_string(other.step()));
  }

  /// Scores the policy if its time has come. False if the run was asked to stop meanwhile.
  bool evaluate(const std::function<bool()>& stop) {
    const std::uint64_t step = learner_.step();
    const bool due =
        learner_.finished() || (options_.evaluate_every > 0 && step > 0 &&
                                step % options_.evaluate_every == 0 && learner_.trains_last_stage());
    if (!options_.evaluate || !due || step == last_evaluated_) return true;
    const ScoringClock clock(scoring_seconds_);
    try {
      const std::optional<Scalars> scalars = learner_.scalars_over_data(stop);
      if (!scalars) return false;
      const Policy policy = policy_of(learner_, *data_, *scalars);
      std::optional<Evaluation> result = options_.evaluate(policy);
      if (!result) return false;
      result->step = step;
      const bool safe_best = !best_ || safer_and_better(*result, *best_);
      if (safe_best) {
        folder_.save_policy(policy, "policy-safe-best.safetensors");
        best_ = result;
      }
      folder_.add(*result, safe_best);
      last_evaluated_ = step;
      if (callbacks_.evaluation) callbacks_.evaluation(*result, safe_best);
    } catch (const Error& error) {
      if (error.code() == ExitCode::environment && last_checkpoint_ != step) checkpoint();
      throw;
    }
    return true;
  }

  void log() {
    Interval interval;
    interval.step = learner_.step();
    interval.total = learner_.total_steps();
    interval.stage = learner_.stage();
    interval.values = learner_.report();
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - interval_start_).count();
    interval.steps_per_second =
        static_cast<double>(interval.step - interval_start_step_) / std::max(seconds, 1e-9);
    interval.eta_seconds =
        static_cast<double>(interval.total - interval.step) / std::max(interval.steps_per_second, 1e-9);
    interval_start_ = now;
    interval_start_step_ = interval.step;
    folder_.add(interval);
    if (callbacks_.interval) callbacks_.interval(interval);
  }

  void checkpoint() {
    Snapshot<float> snapshot;
    learner_.save(snapshot);
    snapshot.writer.metadata("format", kCheckpointFormat);
    describe(snapshot.writer, settings_, learner_.networks().declaration());
    snapshot.writer.metadata("observation_dim", std::to_string(data_->dimensions().observation));
    snapshot.writer.metadata("action_dim", std::to_string(data_->dimensions().action));
    snapshot.writer.metadata("data_fingerprint", data_->fingerprint());
    if (const std::string precision = precision_name(options_.device->precision());
        precision != kUsualPrecision)
      snapshot.writer.metadata("precision", precision);
    snapshot.writer.metadata("value_limit",
                             format_number(limit_as_value(settings_, data_->facts().longest_episode)));
    folder_.save_checkpoint(learner_.step(), snapshot.writer, settings_.keep_checkpoints);
    last_checkpoint_ = learner_.step();
    write_manifest(nullptr);  // what this start took until now outlives a kill
  }

  RunEnd stopped() {
    if (last_checkpoint_ != learner_.step() && learner_.step() > 0) checkpoint();
    write_manifest("stopped");
    callbacks_.note("stopped at step " + std::to_string(learner_.step()) + " of " +
                    std::to_string(learner_.total_steps()) + "; the same command continues");
    return RunEnd::stopped;
  }

  /// What all starts took until now.
  RunEffort effort() const {
    RunEffort sum = past_;
    sum.steps += learner_.step() - first_step_;
    sum.seconds += std::chrono::duration<double>(Clock::now() - start_).count() - scoring_seconds_;
    sum.scoring_seconds += scoring_seconds_;
    sum.gflop_per_step = training_gflop(settings_, learner_.method()) /
                         static_cast<double>(std::max<std::uint64_t>(learner_.total_steps(), 1));
    sum.host_bytes = std::max(sum.host_bytes, peak_memory());
    if (const std::size_t device = options_.device->memory().peak_bytes(); device > 0)
      sum.device_bytes = std::max(sum.device_bytes.value_or(0), std::uint64_t{device});
    return sum;
  }

  static Json to_json(const RunEffort& effort) {
    return {{"steps", effort.steps},
            {"seconds", effort.seconds},
            {"scoring_seconds", effort.scoring_seconds},
            {"gflop_per_step", effort.gflop_per_step},
            {"host_bytes", effort.host_bytes},
            {"device_bytes", effort.device_bytes ? Json(*effort.device_bytes) : Json(nullptr)}};
  }

  /// Writes the manifest; with a status as an entry of the run's history.
  void write_manifest(const char* status) {
    folder_.write_manifest(
        {{"program", "r2pac"},
         {"version", kVersion},
         {"commit", kCommit},
         {"arguments", options_.command_line},
         {"method", settings_.method},
         {"task", settings_.task},
         {"seed", settings_.seed},
         {"data",
          {{"path", fs::absolute(options_.data).string()},
           {"fingerprint", data_->fingerprint()},
           {"windows", data_->windows()}}},
         {"critics", options_.critics.string()},
         {"machine",
          {{"processor", processor_name()},
           {"device", options_.device->name()},
           {"device_description", options_.device->description()},
           {"instruction_set", isa_name(current_isa())},
           {"dense_layers", dense<float>().name()}}},
         {"effort", to_json(effort())},
         {"libraries", {{"compiler", __VERSION__}, {"hdf5", hdf5_version()}, {"onednn", onednn_version()}}}},
        status, learner_.step());
  }

  const RunOptions& options_;
  const RunCallbacks& callbacks_;
  const Settings settings_;
  const Clock::time_point start_ = Clock::now();
  std::unique_ptr<TrainingData<float>> data_;
  RunFolder folder_;
  Learner<float> learner_;
  MemoryClaim saving_;              // what the copies for a checkpoint will take
  std::optional<Evaluation> best_;  // of all evaluations so far
  std::optional<std::uint64_t> last_evaluated_, last_checkpoint_;
  Clock::time_point interval_start_;
  std::uint64_t interval_start_step_ = 0;
  RunEffort past_;                 // of the starts before this one
  bool has_other_length_ = false;  // than the run that the checkpoint is of
  std::uint64_t first_step_ = 0;   // steps that they had done
  double scoring_seconds_ = 0;
};

}  // namespace

RunEnd run_training(const RunOptions& options, const RunCallbacks& callbacks) {
  Run run(options, callbacks);
  try {
    return run.train();
  } catch (const Error& error) {
    if (error.code() == ExitCode::diverged) run.rethrow_with_checkpoint(error);
    throw;
  }
}

}  // namespace r2pac
