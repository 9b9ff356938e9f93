// The folder of a run: settings, metrics, scores, checkpoints, a manifest (docs/formats.md, "Run folder").
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "storage/generations.h"
#include "storage/line_log.h"
#include "training/evaluation.h"
#include "training/learner.h"
#include "training/run.h"

namespace r2pac {

class RunFolder {
 public:
  /// Makes the folder and opens its logs, with `scored` also the log of evaluations. Throws Error(disk).
  RunFolder(std::filesystem::path folder, bool scored);
  ~RunFolder();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  /// Where the newest checkpoint lies, if there is one.
  std::optional<std::filesystem::path> newest_checkpoint() const;

  /// The checkpoint to start from, as RunOptions::resume says. Throws Error: settings where a folder that
  /// holds a run must be new, checkpoint where the named place holds none.
  std::optional<SafetensorsFile> find_checkpoint(const std::string& resume,
                                                 const std::function<void(const std::string&)>& warn);
  /// Removes the metrics that were written after the checkpoint, which is of `step`. If it is of another folder,
  /// its metrics are copied from there first. A damaged log costs a warning and the lines from the damage on.
  /// Throws Error(checkpoint).
  void continue_from(const SafetensorsFile& checkpoint, std::uint64_t step,
                     const std::function<void(const std::string&)>& warn);
  /// Removes all metrics, as is needed after a kill before the first checkpoint.
  void begin_anew();
  /// The best of the scores up to `step`, and the step of the last. Removes later ones.
  struct PastEvaluations {
    std::optional<Evaluation> best;
    std::optional<std::uint64_t> last_step;
  };
  PastEvaluations past_evaluations(std::uint64_t step);

  void write_settings(const ResolvedSettings& settings);
  void add(const Interval& interval);
  void add(const Evaluation& evaluation, bool safe_best);
  /// Writes a checkpoint with the size of the metrics so far. Throws Error(disk).
  void save_checkpoint(std::uint64_t step, SafetensorsWriter& writer, int keep);
  /// Adds an entry to the history of the run, and writes it with `facts`.
  void write_manifest(nlohmann::ordered_json facts, const char* status, std::uint64_t step);

 private:
  std::filesystem::path path_;
  std::unique_ptr<LineLog> metrics_, timing_, evaluations_;
  std::unique_ptr<nlohmann::ordered_json> history_;
};

}  // namespace r2pac
