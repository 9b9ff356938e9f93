// A bar at the foot of a terminal, for whatever takes long.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace r2pac {

/// Columns of the terminal that a stream goes to, or 80.
int terminal_width(std::FILE* stream);

/// Draws on a stream if that is a terminal; else it does nothing. What else is printed to the terminal comes
/// after clear().
class Bar {
 public:
  /// may_draw  false keeps it silent on a terminal, too
  explicit Bar(std::FILE* stream, bool may_draw = true);
  ~Bar() { clear(); }
  Bar(const Bar&) = delete;
  Bar& operator=(const Bar&) = delete;

  bool on_terminal() const { return terminal_; }
  /// Shows how much of `total` is done, and `text` behind it; at most ten times a second, and at once after clear().
  void draw(std::uint64_t done, std::uint64_t total, const std::string& text);
  /// Leaves the cursor at the start of an empty line.
  void clear();

 private:
  std::FILE* stream_;
  bool terminal_ = false, shown_ = false;
  std::chrono::steady_clock::time_point last_draw_{};
};

/// Work that is counted, with a bar on standard error: "12 of 40 windows  3 s left".
class Progress {
 public:
  /// what  plural of what is counted
  explicit Progress(std::string what) : what_(std::move(what)), bar_(stderr) {}

  void update(std::uint64_t done, std::uint64_t total);
  void clear() { bar_.clear(); }
  /// "12 of 40 windows"
  std::string text() const;

 private:
  std::string what_;
  Bar bar_;
  std::uint64_t done_ = 0, total_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// "1 h 02 min", "3 min 20 s", "12 s".
std::string duration_text(double seconds);

}  // namespace r2pac
