#include "tools/console.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/printable.h"

namespace r2pac {
namespace {

using Json = nlohmann::ordered_json;

/// Five characters or so, whatever the size.
std::string short_number(double value, int digits = 4) {
  char text[32];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  return text;
}

std::string json_line(const Json& json) {
  return json.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

/// Whether a write failed since the reader of a pipe, or a terminal, has gone.
bool is_reader_gone(int error_number) {
  struct stat out {};
  return error_number == EPIPE ||
         (error_number == EIO && fstat(STDOUT_FILENO, &out) == 0 && S_ISCHR(out.st_mode));
}

constexpr std::chrono::seconds kBetweenLines{10};

/// The values that say most about a stage, and what a line calls them. Shares are shown in percent.
struct Shown {
  const char *name, *text;
  bool share = false;
};
constexpr Shown kShown[] = {{"v_r", "V_r"},
                            {"v_c", "V_c"},
                            {"threshold", "l"},
                            {"unsafe", "unsafe", true},
                            {"loss_flow", "flow loss"},
                            {"good", "good", true}};

}  // namespace

std::string interval_text(const Interval& interval, std::size_t width) {
  std::string line = interval.stage + ' ' + std::to_string(interval.step) + '/' +
                     std::to_string(interval.total) + "  " + short_number(interval.steps_per_second) +
                     " steps/s  ETA " + duration_text(interval.eta_seconds);
  const auto add = [&](const std::string& name, double value, bool share) {
    const std::string word =
        "  " + name + ' ' + (share ? short_number(100 * value, 3) + " %" : short_number(value, 3));
    if (line.size() + word.size() <= width) line += word;
  };
  for (const Shown& shown : kShown)
    for (const auto& [name, value] : interval.values)
      if (name == shown.name) add(shown.text, value, shown.share);
  for (const auto& [name, value] : interval.values)
    if (name.starts_with("loss_") && name != "loss_flow") add(name, value, false);
  return line;
}

Console::Console(ConsoleMode mode, const std::string& first_line)
    : mode_(mode), bar_(stdout, mode == ConsoleMode::automatic) {
  note(first_line);
}

void Console::print(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0) return;
  // The end of the program finds a full disk.
  if (is_reader_gone(errno) && std::freopen("/dev/null", "w", stdout) == nullptr) return;
}

void Console::note(const std::string& sentence) {
  bar_.clear();
  if (mode_ == ConsoleMode::quiet) return;
  if (mode_ == ConsoleMode::json) return print(json_line({{"note", sentence}}));
  print(printable(sentence) + "\n");
}

void Console::warn(const std::string& sentence) {
  bar_.clear();
  if (mode_ == ConsoleMode::json) return print(json_line({{"warning", sentence}}));
  std::fprintf(stderr, "warning: %s\n", printable(sentence).c_str());
}

void Console::finish(const std::string& sentence) {
  bar_.clear();
  if (mode_ == ConsoleMode::json) return print(json_line({{"done", sentence}}));
  print(printable(sentence) + "\n");
}

void Console::interval(const Interval& interval) {
  bar_.clear();
  steps_per_second_ = interval.steps_per_second;
  if (mode_ == ConsoleMode::quiet) return;
  if (mode_ == ConsoleMode::json) {
    Json json = {{"step", interval.step},
                 {"total", interval.total},
                 {"phase", interval.stage},
                 {"steps_per_second", interval.steps_per_second},
                 {"eta_seconds", interval.eta_seconds}};
    for (const auto& [name, value] : interval.values)
      json[name] = std::isfinite(value) ? Json(value) : Json(nullptr);
    return print(json_line(json));
  }
  // A terminal has the bar besides, and needs no line a second.
  const auto now = std::chrono::steady_clock::now();
  const bool last = interval.step == interval.total;
  if (bar_.on_terminal() && !last && now - last_line_ < kBetweenLines) return;
  last_line_ = now;
  const int width = bar_.on_terminal() ? terminal_width(stdout) : 80;
  print(interval_text(interval, static_cast<std::size_t>(width)) + "\n");
}

void Console::evaluation(const Evaluation& e, bool safe_best) {
  bar_.clear();
  if (mode_ == ConsoleMode::quiet) return;
  if (mode_ == ConsoleMode::json)
    return print(json_line({{"evaluation", Json::parse(evaluation_line(e, safe_best))}}));
  std::ostringstream line;
  line << "scored at " << e.step << ": " << printable(e.env) << "  return " << short_number(e.return_mean);
  if (e.normalized_return) line << " (normalised " << short_number(*e.normalized_return) << ")";
  line << "  normalised cost " << short_number(e.normalized_cost) << "  within the limit "
       << std::lround(100 * e.share_within_limit) << " %" << (safe_best ? "  the best so far" : "") << '\n';
  print(line.str());
}

void Console::progress(std::uint64_t step, std::uint64_t total) {
  std::string text = "step " + std::to_string(step);
  if (steps_per_second_ > 0)
    text += "  ETA " + duration_text(static_cast<double>(total - step) / steps_per_second_);
  bar_.draw(step, total, text);
}

}  // namespace r2pac
