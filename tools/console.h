// What `train` shows: a bar on a terminal, plain lines in a pipe, JSON for programs.
#pragma once

#include <chrono>
#include <string>

#include "tools/bar.h"
#include "training/run.h"

namespace r2pac {

enum class ConsoleMode {
  automatic,  ///< a bar that is redrawn if standard output is a terminal, else lines
  quiet,      ///< only warnings and the last sentence
  json,       ///< one JSON object a line
};

/// Prints the progress of a run. One per process; warnings go to standard error. Where SIGPIPE does not end
/// the program, a reader that leaves does not, either: from then on nothing is printed.
class Console {
 public:
  /// Prints the first line at once.
  Console(ConsoleMode mode, const std::string& first_line);
  /// Leaves the cursor at the start of a fresh line.
  ~Console() = default;
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void note(const std::string& sentence);
  void warn(const std::string& sentence);
  /// A permanent line (or object) for an interval.
  void interval(const Interval& interval);
  /// Scores on the way.
  void evaluation(const Evaluation& evaluation, bool safe_best);
  /// Redraws the bar on a terminal, at most ten times a second.
  void progress(std::uint64_t step, std::uint64_t total);
  /// The last sentence, shown in every mode.
  void finish(const std::string& sentence);

 private:
  void print(const std::string& text);

  ConsoleMode mode_;
  Bar bar_;
  double steps_per_second_ = 0;
  std::chrono::steady_clock::time_point last_line_{};
};

/// An interval in at most `width` columns: stage, step, pace, and as many of the values that matter as fit.
/// All values are in metrics.jsonl.
std::string interval_text(const Interval& interval, std::size_t width);

}  // namespace r2pac
