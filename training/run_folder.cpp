#include "training/run_folder.h"

#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "settings/text_value.h"
#include "storage/atomic_file.h"
#include "storage/json.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw Error(ExitCode::disk, "the folder cannot be made: " + error.message(), folder.string(),
                "choose another folder with --out");
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

/// The entries that earlier starts left in a manifest: time, status and step of each, the newest ones. A damaged
/// manifest has none, and is no reason to stop.
Json history_of(const fs::path& manifest) {
  constexpr std::size_t kMostEntries = 1000;
  Json history = Json::array();
  try {
    const auto bytes = read_file(manifest, 1 << 24, ExitCode::disk);
    const nlohmann::json old =
        read_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, {bytes.size()});
    for (const nlohmann::json& entry : old.at("history"))
      history.push_back({{"time", entry.at("time").get<std::string>()},
                         {"status", entry.at("status").get<std::string>()},
                         {"step", entry.at("step").get<std::uint64_t>()}});
  } catch (const Error&) {
  } catch (const JsonFault&) {
  } catch (const nlohmann::json::exception&) {
  }
  if (history.size() > kMostEntries)
    history.erase(history.begin(), history.end() - static_cast<std::ptrdiff_t>(kMostEntries));
  return history;
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

/// A number that is not finite has no JSON form.
Json json_number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

}  // namespace

RunFolder::RunFolder(fs::path folder, bool scored) : path_(std::move(folder)) {
  make_folder(path_);
  metrics_ = std::make_unique<LineLog>(path_ / "metrics.jsonl");
  timing_ = std::make_unique<LineLog>(path_ / "timing.jsonl");
  if (scored) evaluations_ = std::make_unique<LineLog>(path_ / "evaluations.jsonl");
}

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
    if (newest_checkpoint() || metrics_->size() > 0)
      throw Error(ExitCode::settings, "the folder already holds a run", path_.string(),
                  "choose another --out, remove the folder, or continue with --resume auto");
    return std::nullopt;
  }
  if (resume == "auto") return newest(checkpoints());
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
      write_file_atomically(path_ / "metrics.jsonl", std::span(bytes).first(*size));
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
  write_file_atomically(path_ / "config.toml", settings_toml(settings));
}

void RunFolder::add(const Interval& interval) {
  Json line = {{"step", interval.step}, {"phase", interval.stage}};
  for (const auto& [name, value] : interval.values) line[name] = json_number(value);
  metrics_->append(line.dump());
  timing_->append(Json{{"step", interval.step},
                       {"time", now_text()},
                       {"steps_per_second", interval.steps_per_second},
                       {"eta_seconds", interval.eta_seconds}}
                      .dump());
}

void RunFolder::add(const Evaluation& evaluation, bool safe_best) {
  evaluations_->append(evaluation_line(evaluation, safe_best));
}

void RunFolder::save_checkpoint(std::uint64_t step, SafetensorsWriter& writer, int keep) {
  metrics_->sync();
  writer.metadata("metrics_bytes", std::to_string(metrics_->size()));
  save_generation(checkpoints(), step, writer, static_cast<std::size_t>(keep));
}

void RunFolder::write_manifest(Json facts, const char* status, std::uint64_t step) {
  const fs::path file = path_ / "manifest.json";
  if (history_ == nullptr) history_ = std::make_unique<Json>(history_of(file));
  history_->push_back({{"time", now_text()}, {"status", status}, {"step", step}});
  facts["history"] = *history_;
  write_file_atomically(file, facts.dump(2) + "\n");
}

}  // namespace r2pac
