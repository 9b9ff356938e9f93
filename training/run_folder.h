// The folder of a run: settings, metrics, scores, checkpoints, a manifest (docs/formats.md, "Run folder").
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "policy/policy.h"
#include "storage/folder.h"
#include "storage/generations.h"
#include "storage/line_log.h"
#include "storage/patience.h"
#include "training/evaluation.h"
#include "training/learner.h"
#include "training/run.h"
#include "training/run_effort.h"

namespace r2pac {

class RunFolder {
 public:
  /// Makes the folder if need be and holds it until the end. Nothing else in it changes before open(), and a
  /// folder that was made in vain goes again. write  repeats writes that failed for a while
  /// Throws Error: disk, or settings where another process trains in the folder.
  RunFolder(std::filesystem::path folder, Patience write);
  ~RunFolder();

  const std::filesystem::path& path() const { return path_; }
  /// False where the file system knows no locks, so that nothing keeps other trainings away.
  bool held() const { return lock_.held(); }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }
  /// Where the newest checkpoint lies, if there is one.
  std::optional<std::filesystem::path> newest_checkpoint() const;

  /// The checkpoint to start from, as RunOptions::resume says. Throws Error: settings where a folder that
  /// holds a run must be new, or holds a run whose checkpoints are gone; checkpoint where the named place
  /// holds none.
  std::optional<SafetensorsFile> find_checkpoint(const std::string& resume,
                                                 const std::function<void(const std::string&)>& warn);
  /// Opens the logs, with `scored` also that of evaluations, once nothing speaks against the run. Links in
  /// the folder are not followed. Throws Error(disk) where a file of the folder could not be written later.
  void open(bool scored);
  /// Removes the metrics that were written after the checkpoint, which is of `step`. If it is of another
  /// folder, its metrics are copied from there first. A damaged log costs a warning and the lines from the
  /// damage on. Throws Error(checkpoint).
  void continue_from(const SafetensorsFile& checkpoint, std::uint64_t step,
                     const std::function<void(const std::string&)>& warn);
  /// Removes the metrics of this step and later ones.
  void drop_metrics_from(std::uint64_t step);
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
  /// Writes a policy under this name.
  void save_policy(const Policy& policy, const char* name);
  /// Adds an entry to the history of the run, and writes it with `facts`. Without a status it adds none.
  void write_manifest(nlohmann::ordered_json facts, const char* status, std::uint64_t step);
  /// What the starts before this one took, as the manifest says; nothing where it cannot be read. Of a
  /// checkpoint of another folder that folder's manifest counts.
  RunEffort past_effort(const SafetensorsFile& checkpoint) const;

 private:
  void refuse_lost_run() const;

  std::filesystem::path path_;
  Patience write_;
  FolderLock lock_;
  std::unique_ptr<LineLog> metrics_, timing_, evaluations_;
  std::unique_ptr<nlohmann::ordered_json> history_;
};

}  // namespace r2pac
