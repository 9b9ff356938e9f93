#include "model/run.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/version.h"
#include "data/dsrl.h"
#include "kernels/dense.h"
#include "kernels/isa.h"
#include "model/learner.h"
#include "model/policy.h"
#include "model/text_value.h"
#include "storage/atomic_file.h"
#include "storage/generations.h"
#include "storage/line_log.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw Error(ExitCode::disk, "the folder cannot be made: " + error.message(), folder.string(),
                "choose another folder with --out");
}

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown";
}

/// Time of day in UTC, ISO 8601.
std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

/// A number that is not finite has no JSON form.
Json json_number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

/// Whether critics that were trained with another value of this setting are others.
bool critics_depend_on(std::string_view key) {
  constexpr std::string_view kCritics[] = {"hidden",          "chunk_length",
                                           "discount",        "expectile",
                                           "alpha",           "penalty",
                                           "penalty_reading", "bounded_values",
                                           "reward_scale",    "cost_scale",
                                           "twin_critics",    "layer_norm",
                                           "activation",      "normalize_observations",
                                           "pad_terminals",   "timeouts_are_terminal"};
  return std::ranges::find(kCritics, key) != std::end(kCritics);
}

class Run {
 public:
  Run(const RunOptions& options, const RunCallbacks& callbacks)
      : options_(options), callbacks_(callbacks), settings_(options.settings.values), data_(load_data()) {
    make_folder(options.folder);
    learner_ = std::make_unique<Learner<float>>(settings_, *data_, options.device);
    metrics_ = std::make_unique<LineLog>(options.folder / "metrics.jsonl");
    timing_ = std::make_unique<LineLog>(options.folder / "timing.jsonl");
    if (options.evaluate) evaluations_ = std::make_unique<LineLog>(options.folder / "evaluations.jsonl");
    resume();
    if (!options.critics.empty() && learner_->step() == 0) take_critics();
    if (evaluations_) restore_evaluations();
    write_file_atomically(options.folder / "config.toml", settings_toml(options.settings));
    write_manifest("running");
  }

  RunEnd train() {
    const auto stop = [this] { return callbacks_.stop != nullptr && callbacks_.stop->load(); };
    interval_start_ = Clock::now();
    interval_start_step_ = learner_->step();
    if (!evaluate(stop)) return stopped();
    while (!learner_->finished()) {
      const std::uint64_t before = learner_->step();
      if (learner_->labels_next()) note_windows("labelling");
      learner_->advance(stop);
      const std::uint64_t step = learner_->step();
      if (step == before) return stopped();
      if (callbacks_.progress) callbacks_.progress(step, learner_->total_steps());
      if (step == 1 || step % static_cast<std::uint64_t>(settings_.log_every) == 0 || learner_->finished())
        log();
      const bool evaluated = evaluate(stop);
      const bool asked = callbacks_.checkpoint != nullptr && callbacks_.checkpoint->exchange(false);
      if (asked || step % static_cast<std::uint64_t>(settings_.checkpoint_every) == 0 || learner_->finished())
        checkpoint();
      if (!evaluated || (stop() && !learner_->finished())) return stopped();
    }
    if (settings_.schedule == Schedule::joint) note_windows("threshold from");
    if (!learner_->finish(stop)) return stopped();
    Policy::of(*learner_, *data_, learner_->threshold()).save(options_.folder / "policy.safetensors");
    write_manifest("finished");
    return RunEnd::finished;
  }

  /// Names the last good checkpoint of a run that diverged.
  [[noreturn]] void rethrow_with_checkpoint(const Error& error) const {
    const std::vector<Generation> kept = list_generations(checkpoints());
    throw Error(error.code(), error.what(), options_.folder.string(),
                (kept.empty() ? "no checkpoint was written yet"
                              : "the last good checkpoint is " + kept.front().path.string()) +
                    "; " + error.todo());
  }

 private:
  fs::path checkpoints() const { return options_.folder / "checkpoints"; }

  std::unique_ptr<TrainingData<float>> load_data() const {
    const auto upload = [&](const Dataset& dataset) {
      for (const std::string& warning : dataset.warnings) callbacks_.warn(warning);
      return std::make_unique<TrainingData<float>>(dataset, settings_, *options_.device);
    };
    if (options_.dataset != nullptr) return upload(*options_.dataset);
    return upload(load_dataset(options_.data.string(), settings_.pad_terminals ? settings_.chunk_length : 1));
  }

  /// Refuses a checkpoint of other data or settings, naming the difference.
  void require_same(const SafetensorsFile& file) const {
    const std::string where = file.path().string();
    if (const auto format = file.metadata().find("format");
        format == file.metadata().end() || format->second != kCheckpointFormat)
      throw Error(ExitCode::checkpoint,
                  std::string("this is not a checkpoint of the format ") + kCheckpointFormat, where,
                  "give a file of a run's folder `checkpoints`");
    if (const std::string& fingerprint = file.metadata("data_fingerprint");
        fingerprint != data_->fingerprint())
      throw Error(ExitCode::settings,
                  "the checkpoint belongs to other data: fingerprint " + fingerprint + ", not " +
                      data_->fingerprint(),
                  where, "give the data file that the run began with, or another --out to begin anew");
    std::string changed;
    for (const SettingDifference& d :
         differences(parse_settings(file.metadata("settings"), where), settings_))
      if (!d.resumable)
        changed += (changed.empty() ? "" : ", ") + d.key + " was " + d.first + " and is now " + d.second;
    if (!changed.empty())
      throw Error(ExitCode::settings, "the checkpoint belongs to other settings: " + changed, where,
                  "use the settings that the run began with, or another --out to begin anew");
  }

  void resume() {
    std::optional<LoadedGeneration> loaded;
    const bool holds_run = !list_generations(checkpoints()).empty();
    if (options_.resume == "never") {
      if (holds_run || metrics_->size() > 0)
        throw Error(ExitCode::settings, "the folder already holds a run", options_.folder.string(),
                    "choose another --out, remove the folder, or continue with --resume auto");
      return;
    }
    if (options_.resume == "auto") {
      loaded = newest_valid_generation(checkpoints(), {}, callbacks_.warn);
    } else if (fs::is_directory(options_.resume)) {
      const fs::path given(options_.resume);
      loaded = newest_valid_generation(
          fs::is_directory(given / "checkpoints") ? given / "checkpoints" : given, {}, callbacks_.warn);
      if (!loaded)
        throw Error(ExitCode::checkpoint, "the folder holds no checkpoint", options_.resume,
                    "give a run folder with checkpoints, or begin anew with --resume auto");
    } else {
      // Read first: gcc 12 destroys the path twice if a later member of the braces throws.
      SafetensorsFile file = SafetensorsFile::read(options_.resume);
      loaded = LoadedGeneration{{0, options_.resume}, std::move(file)};
    }
    if (!loaded) {  // a run that was killed before its first checkpoint begins anew
      metrics_->truncate_after(0);
      timing_->truncate_after(0);
      return;
    }
    require_same(loaded->file);
    learner_->load(loaded->file);
    restore_metrics(loaded->file);
    callbacks_.note("continuing at step " + std::to_string(learner_->step()) + " from " +
                    loaded->file.path().string());
  }

  /// Cuts the lines that were written after the checkpoint; takes them from the checkpoint's own run if the
  /// folder is another.
  void restore_metrics(const SafetensorsFile& file) {
    const auto size = parse_number<std::uint64_t>(file.metadata("metrics_bytes"));
    if (!size)
      throw Error(ExitCode::checkpoint, "`metrics_bytes` is not a number", file.path().string(),
                  "use another checkpoint");
    const fs::path own = file.path().parent_path().parent_path() / "metrics.jsonl";
    std::error_code ignored;
    if (metrics_->size() < *size && fs::exists(own) &&
        !fs::equivalent(own, options_.folder / "metrics.jsonl", ignored)) {
      const std::vector<std::byte> bytes = read_file(own, std::size_t{1} << 32, ExitCode::disk);
      if (bytes.size() >= *size) {
        metrics_.reset();
        write_file_atomically(options_.folder / "metrics.jsonl", std::span(bytes).first(*size));
        metrics_ = std::make_unique<LineLog>(options_.folder / "metrics.jsonl");
      }
    }
    if (metrics_->size() < *size)
      throw Error(ExitCode::checkpoint, "metrics.jsonl is shorter than when the checkpoint was written",
                  options_.folder.string(), "give the run folder as it was, or begin anew in another --out");
    metrics_->truncate_after(*size);
  }

  /// Begins with the critics, values and threshold of another run of the same data.
  void take_critics() {
    if (settings_.schedule != Schedule::sequential || settings_.resolved_critic_steps() != 0)
      throw Error(ExitCode::settings,
                  "critics of another run need the sequential schedule without critic steps", "--critics",
                  "use --schedule sequential --set critic_steps=0");
    const Policy other = Policy::load(options_.critics, options_.device);
    if (other.data_fingerprint() != data_->fingerprint())
      throw Error(ExitCode::settings,
                  "the critics belong to other data: fingerprint " + other.data_fingerprint(),
                  other.path().string(), "give a policy that was trained on the same data file");
    for (const SettingDifference& d : differences(other.settings(), settings_))
      if (critics_depend_on(d.key))
        throw Error(
            ExitCode::settings,
            "the critics belong to other settings: " + d.key + " was " + d.first + " and is now " + d.second,
            other.path().string(), "use the settings that the critics were trained with");
    learner_->take_critics(other.networks());
    callbacks_.note("taking the critics of " + other.path().string() + ", step " +
                    std::to_string(other.step()));
  }

  /// The best so far, and no lines of steps that are to be taken again.
  void restore_evaluations() {
    evaluations_->truncate_after([&](std::string_view line) {
      const std::optional<Evaluation> e = parse_evaluation_line(line);
      if (!e || e->step > learner_->step()) return false;
      if (!best_ || safer_and_better(*e, *best_)) best_ = e;
      last_evaluated_ = e->step;
      return true;
    });
  }

  /// Scores the policy if its time has come. False if the run was asked to stop meanwhile.
  bool evaluate(const std::function<bool()>& stop) {
    const std::uint64_t step = learner_->step();
    const bool due = learner_->finished() || (options_.evaluate_every > 0 && step > 0 &&
                                              step % options_.evaluate_every == 0 && learner_->trains_flow());
    if (!options_.evaluate || !due || step == last_evaluated_) return true;
    try {
      const std::optional<float> threshold = learner_->data_threshold(stop);
      if (!threshold) return false;
      const Policy policy = Policy::of(*learner_, *data_, static_cast<double>(*threshold));
      std::optional<Evaluation> result = options_.evaluate(policy);
      if (!result) return false;
      result->step = step;
      const bool safe_best = !best_ || safer_and_better(*result, *best_);
      if (safe_best) {
        policy.save(options_.folder / "policy-safe-best.safetensors");
        best_ = result;
      }
      evaluations_->append(evaluation_line(*result, safe_best));
      last_evaluated_ = step;
      if (callbacks_.evaluation) callbacks_.evaluation(*result, safe_best);
    } catch (const Error& error) {
      if (error.code() == ExitCode::environment && last_checkpoint_ != step) checkpoint();
      throw;
    }
    return true;
  }

  /// Says what takes a while without steps.
  void note_windows(const std::string& doing) const {
    callbacks_.note(
        std::string(doing).append(" all ").append(std::to_string(data_->windows())).append(" windows"));
  }

  void log() {
    Interval interval;
    interval.step = learner_->step();
    interval.total = learner_->total_steps();
    interval.phase = learner_->phase();
    interval.values = learner_->report();
    const auto now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - interval_start_).count();
    interval.steps_per_second =
        static_cast<double>(interval.step - interval_start_step_) / std::max(seconds, 1e-9);
    interval.eta_seconds =
        static_cast<double>(interval.total - interval.step) / std::max(interval.steps_per_second, 1e-9);
    interval_start_ = now;
    interval_start_step_ = interval.step;

    Json line = {{"step", interval.step}, {"phase", interval.phase}};
    for (const auto& [name, value] : interval.values) line[name] = json_number(value);
    metrics_->append(line.dump());
    timing_->append(Json{{"step", interval.step},
                         {"time", now_text()},
                         {"steps_per_second", interval.steps_per_second},
                         {"eta_seconds", interval.eta_seconds}}
                        .dump());
    if (callbacks_.interval) callbacks_.interval(interval);
  }

  void checkpoint() {
    metrics_->sync();
    Snapshot<float> snapshot;
    learner_->save(snapshot);
    snapshot.writer.metadata("format", kCheckpointFormat);
    snapshot.writer.metadata("version", kVersion);
    snapshot.writer.metadata("settings", settings_toml({settings_, {}}));
    snapshot.writer.metadata("data_fingerprint", data_->fingerprint());
    snapshot.writer.metadata("value_limit",
                             format_number(limit_as_value(settings_, data_->longest_episode())));
    snapshot.writer.metadata("metrics_bytes", std::to_string(metrics_->size()));
    save_generation(checkpoints(), learner_->step(), snapshot.writer,
                    static_cast<std::size_t>(settings_.keep_checkpoints));
    last_checkpoint_ = learner_->step();
  }

  RunEnd stopped() {
    if (last_checkpoint_ != learner_->step() && learner_->step() > 0) checkpoint();
    write_manifest("stopped");
    callbacks_.note("stopped at step " + std::to_string(learner_->step()) + " of " +
                    std::to_string(learner_->total_steps()) + "; the same command continues");
    return RunEnd::stopped;
  }

  void write_manifest(const char* status) {
    if (history_.is_null()) {
      history_ = Json::array();
      try {  // what an earlier start left; a damaged manifest is no reason to stop
        const auto bytes = read_file(options_.folder / "manifest.json", 1 << 24, ExitCode::disk);
        const Json old = Json::parse(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
        if (old.contains("history") && old["history"].is_array()) history_ = old["history"];
      } catch (const std::exception&) {
      }
    }
    history_.push_back({{"time", now_text()}, {"status", status}, {"step", learner_->step()}});
    const Json manifest = {
        {"program", "r2pac"},
        {"version", kVersion},
        {"arguments", options_.command_line},
        {"task", settings_.task},
        {"seed", settings_.seed},
        {"data",
         {{"path", fs::absolute(options_.data).string()},
          {"fingerprint", data_->fingerprint()},
          {"windows", data_->windows()}}},
        {"critics", options_.critics.string()},
        {"machine",
         {{"processor", processor()},
          {"device", options_.device->name()},
          {"device_description", options_.device->description()},
          {"instruction_set", isa_name(current_isa())},
          {"dense_layers", dense<float>().name()}}},
        {"libraries", {{"compiler", __VERSION__}, {"hdf5", hdf5_version()}, {"onednn", onednn_version()}}},
        {"history", history_}};
    write_file_atomically(options_.folder / "manifest.json", manifest.dump(2) + "\n");
  }

  const RunOptions& options_;
  const RunCallbacks& callbacks_;
  const Settings settings_;
  std::unique_ptr<TrainingData<float>> data_;
  std::unique_ptr<Learner<float>> learner_;
  std::unique_ptr<LineLog> metrics_, timing_, evaluations_;
  std::optional<Evaluation> best_;  // of all evaluations so far
  std::uint64_t last_evaluated_ = ~std::uint64_t{0};
  Json history_;
  Clock::time_point interval_start_;
  std::uint64_t interval_start_step_ = 0;
  std::uint64_t last_checkpoint_ = ~std::uint64_t{0};
};

}  // namespace

RunEnd run_training(const RunOptions& options, const RunCallbacks& callbacks) {
  options.device->require_training();  // before a folder is made
  Run run(options, callbacks);
  try {
    return run.train();
  } catch (const Error& error) {
    if (error.code() == ExitCode::diverged) run.rethrow_with_checkpoint(error);
    throw;
  }
}

}  // namespace r2pac
