#include "training/run_folder.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/utc.h"
#include "settings/text_value.h"
#include "storage/atomic_file.h"
#include "storage/json.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Hands a manifest to `use`. One that is damaged, or in which `use` misses something, is no reason to stop.
template <class Use>
void read_manifest(const fs::path& manifest, Use use) {
  try {
    const auto bytes = read_file(manifest, 1 << 24, ExitCode::disk);
    use(read_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, {bytes.size()}));
  } catch (const Error&) {
  } catch (const JsonFault&) {
  } catch (const nlohmann::json::exception&) {
  }
}

/// The entries that earlier starts left in a manifest: time, status and step of each, the newest ones.
Json history_of(const fs::path& manifest) {
  constexpr std::size_t kMostEntries = 1000;
  Json history = Json::array();
  read_manifest(manifest, [&](const nlohmann::json& old) {
    for (const nlohmann::json& entry : old.at("history"))
      history.push_back({{"time", entry.at("time").get<std::string>()},
                         {"status", entry.at("status").get<std::string>()},
                         {"step", entry.at("step").get<std::uint64_t>()}});
  });
  if (history.size() > kMostEntries)
    history.erase(history.begin(), history.end() - static_cast<std::ptrdiff_t>(kMostEntries));
  return history;
}

/// `effort` of a manifest; nothing where it cannot be read.
RunEffort effort_of(const fs::path& manifest) {
  RunEffort effort;
  read_manifest(manifest, [&](const nlohmann::json& json) {
    const nlohmann::json& past = json.at("effort");
    const auto count = [&](const char* key) {
      return past.at(key).is_number_unsigned() ? past[key].get<std::uint64_t>() : 0;
    };
    const auto seconds = [&](const char* key) { return std::max(past.at(key).get<double>(), 0.0); };
    RunEffort whole;
    whole.steps = count("steps");
    whole.seconds = seconds("seconds");
    whole.scoring_seconds = seconds("scoring_seconds");
    whole.host_bytes = count("host_bytes");
    if (past.at("device_bytes").is_number_unsigned()) whole.device_bytes = count("device_bytes");
    effort = whole;
  });
  return effort;
}

/// The step of a line of metrics.jsonl; nothing for anything else.
std::optional<std::uint64_t> step_of(std::string_view line) {
  try {
    const nlohmann::json json = read_json(line);
    if (json.at("step").is_number_unsigned()) return json["step"].get<std::uint64_t>();
  } catch (const JsonFault&) {
  } catch (const nlohmann::json::exception&) {
  }
  return std::nullopt;
}

/// The step of the last line of a log; 0 if it has none.
std::uint64_t last_logged_step(const fs::path& log) {
  try {
    const auto bytes = read_file(log, std::size_t{1} << 32, ExitCode::disk);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::size_t end = text.rfind('\n');
    if (end == std::string_view::npos) return 0;
    const std::size_t begin = end == 0 ? std::string_view::npos : text.rfind('\n', end - 1);
    return step_of(text.substr(begin + 1, end - begin - 1)).value_or(0);
  } catch (const Error&) {
  }
  return 0;
}

/// The setting checkpoint_every of the run that the file `config.toml` is of; the default if it has none.
std::uint64_t checkpoint_interval(const fs::path& config) {
  try {
    return static_cast<std::uint64_t>(read_settings(config.string()).checkpoint_every);
  } catch (const Error&) {
  }
  return static_cast<std::uint64_t>(Settings().checkpoint_every);
}

/// A number that is not finite has no JSON form.
Json json_number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

}  // namespace

RunFolder::RunFolder(fs::path folder, Patience write)
    : path_(std::move(folder)), write_(std::move(write)), lock_(path_) {}

RunFolder::~RunFolder() = default;

std::optional<fs::path> RunFolder::newest_checkpoint() const {
  const std::vector<Generation> kept = list_generations(checkpoints());
  return kept.empty() ? std::nullopt : std::optional(kept.front().path);
}

std::optional<SafetensorsFile> RunFolder::find_checkpoint(
    const std::string& resume, const std::function<void(const std::string&)>& warn) {
  const auto newest = [&](const fs::path& in) -> std::optional<SafetensorsFile> {
    std::optional<LoadedGeneration> loaded = newest_valid_generation(in, {}, warn);
    if (!loaded) return std::nullopt;
    return std::move(loaded->file);
  };
  if (resume == "never") {
    std::error_code missing;
    const auto logged = fs::file_size(path_ / "metrics.jsonl", missing);
    if (newest_checkpoint() || fs::exists(path_ / "policy.safetensors", missing) || (!missing && logged > 0))
      throw Error(ExitCode::settings, "the folder already holds a run", path_.string(),
                  "choose another --out, remove the folder, or continue with --resume auto");
    return std::nullopt;
  }
  if (resume == "auto") {
    std::optional<SafetensorsFile> found = newest(checkpoints());
    if (!found) refuse_lost_run();
    return found;
  }
  const fs::path given(resume);
  std::error_code ignored;
  if (!fs::is_directory(given, ignored)) {
    SafetensorsFile file = SafetensorsFile::read(given);
    file.require_finite();
    return file;
  }
  std::optional<SafetensorsFile> file =
      newest(fs::is_directory(given / "checkpoints", ignored) ? given / "checkpoints" : given);
  if (!file)
    throw Error(ExitCode::checkpoint, "the folder holds no checkpoint", resume,
                "give a run folder with checkpoints, or begin anew with --resume auto");
  return file;
}

/// Where the folder shows that a checkpoint was written, and there is none, a start would train over the run.
/// A run that was killed before its first checkpoint begins anew.
void RunFolder::refuse_lost_run() const {
  std::error_code missing;
  bool lost = fs::exists(path_ / "policy.safetensors", missing) ||
              last_logged_step(path_ / "metrics.jsonl") > checkpoint_interval(path_ / "config.toml");
  for (const Json& entry : history_of(path_ / "manifest.json")) lost = lost || entry["step"] > 0;
  if (lost)
    throw Error(ExitCode::settings, "the folder holds a run whose checkpoints are gone", path_.string(),
                "choose another --out, put the folder `checkpoints` back, or remove the run's folder");
}

void RunFolder::open(bool scored) {
  std::error_code ignored;
  if (fs::is_symlink(checkpoints(), ignored))
    throw Error(ExitCode::disk, "the folder of the checkpoints is a symbolic link, which is not followed",
                checkpoints().string(), "put the folder itself there, or give its place with --out");
  make_folder(checkpoints());
  for (const char* name : {"config.toml", "manifest.json", "policy.safetensors",
                           "policy-safe-best.safetensors", "checkpoints/checkpoint"})
    require_output(path_ / name, {}, Links::replace);
  metrics_ = std::make_unique<LineLog>(path_ / "metrics.jsonl");
  timing_ = std::make_unique<LineLog>(path_ / "timing.jsonl");
  if (scored) evaluations_ = std::make_unique<LineLog>(path_ / "evaluations.jsonl");
}

void RunFolder::continue_from(const SafetensorsFile& checkpoint, std::uint64_t step,
                              const std::function<void(const std::string&)>& warn) {
  const auto size = parse_number<std::uint64_t>(checkpoint.metadata("metrics_bytes"));
  if (!size)
    throw Error(ExitCode::checkpoint, "`metrics_bytes` is not a number", checkpoint.path().string(),
                "use another checkpoint");
  const fs::path own = checkpoint.path().parent_path().parent_path() / "metrics.jsonl";
  std::error_code ignored;
  if (metrics_->size() < *size && fs::exists(own, ignored) &&
      !fs::equivalent(own, path_ / "metrics.jsonl", ignored)) {
    const std::vector<std::byte> bytes = read_file(own, std::size_t{1} << 32, ExitCode::disk);
    if (bytes.size() >= *size) {
      metrics_.reset();
      write_file_atomically(path_ / "metrics.jsonl", std::span(bytes).first(*size), Links::replace);
      metrics_ = std::make_unique<LineLog>(path_ / "metrics.jsonl");
    }
  }
  if (metrics_->has_line_end(*size)) return metrics_->truncate_after(*size);
  metrics_->truncate_after([&](std::string_view line) {
    const auto of_line = step_of(line);
    return of_line && *of_line <= step;
  });
  if (warn)
    warn("metrics.jsonl was damaged or shortened since the checkpoint was written: its first " +
         std::to_string(metrics_->size()) + " bytes are kept, and the run goes on without the lines between");
}

void RunFolder::drop_metrics_from(std::uint64_t step) {
  metrics_->truncate_after([&](std::string_view line) {
    const auto of_line = step_of(line);
    return of_line && *of_line < step;
  });
}

void RunFolder::begin_anew() {
  metrics_->truncate_after(0);
  timing_->truncate_after(0);
}

auto RunFolder::past_evaluations(std::uint64_t step) -> PastEvaluations {
  PastEvaluations past;
  if (evaluations_ == nullptr) return past;
  evaluations_->truncate_after([&](std::string_view line) {
    const std::optional<Evaluation> e = parse_evaluation_line(line);
    if (!e || e->step > step) return false;
    if (!past.best || safer_and_better(*e, *past.best)) past.best = e;
    past.last_step = e->step;
    return true;
  });
  return past;
}

void RunFolder::write_settings(const ResolvedSettings& settings) {
  write_([&] { write_file_atomically(path_ / "config.toml", settings_toml(settings), Links::replace); });
}

void RunFolder::add(const Interval& interval) {
  Json line = {{"step", interval.step}, {"phase", interval.stage}};
  for (const auto& [name, value] : interval.values) line[name] = json_number(value);
  const Json timing = {{"step", interval.step},
                       {"time", utc_now()},
                       {"steps_per_second", interval.steps_per_second},
                       {"eta_seconds", interval.eta_seconds}};
  write_([&] { metrics_->append(line.dump()); });
  write_([&] { timing_->append(timing.dump()); });
}

void RunFolder::add(const Evaluation& evaluation, bool safe_best) {
  write_([&] { evaluations_->append(evaluation_line(evaluation, safe_best)); });
}

void RunFolder::save_checkpoint(std::uint64_t step, SafetensorsWriter& writer, int keep) {
  write_([&] { metrics_->sync(); });
  if (evaluations_ != nullptr) write_([&] { evaluations_->sync(); });
  writer.metadata("metrics_bytes", std::to_string(metrics_->size()));
  write_([&] { save_generation(checkpoints(), step, writer, static_cast<std::size_t>(keep)); });
}

void RunFolder::save_policy(const Policy& policy, const char* name) {
  write_([&] { policy.save(path_ / name, Links::replace); });
}

void RunFolder::write_manifest(Json facts, const char* status, std::uint64_t step) {
  const fs::path file = path_ / "manifest.json";
  if (history_ == nullptr) history_ = std::make_unique<Json>(history_of(file));
  if (status != nullptr) history_->push_back({{"time", utc_now()}, {"status", status}, {"step", step}});
  facts["history"] = *history_;
  // A name in it need not be UTF-8.
  const std::string text = facts.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  write_([&] { write_file_atomically(file, text, Links::replace); });
}

RunEffort RunFolder::past_effort(const SafetensorsFile& checkpoint) const {
  return effort_of(checkpoint.path().parent_path().parent_path() / "manifest.json");
}

}  // namespace r2pac
