// A bar at the foot of a terminal, for whatever takes long.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace r2pac {

/// Columns of the terminal that a stream goes to, or 80.
int terminal_width(std::FILE* stream);

/// Draws on a stream if that is a terminal; else it does nothing. What else is printed to the terminal comes after
/// clear().
class Bar {
 public:
  /// may_draw  false keeps it silent on a terminal, too
  explicit Bar(std::FILE* stream, bool may_draw = true);
  ~Bar() { clear(); }
  Bar(const Bar&) = delete;
  Bar& operator=(const Bar&) = delete;

  bool on_terminal() const { return terminal_; }
  /// Shows how much of `total` is done, and `text` behind it; at most ten times a second.
  void draw(std::uint64_t done, std::uint64_t total, const std::string& text);
  /// Leaves the cursor at the start of an empty line.
  void clear();

 private:
  std::FILE* stream_;
  bool terminal_ = false, shown_ = false;
  std::chrono::steady_clock::time_point last_draw_{};
};

}  // namespace r2pac
