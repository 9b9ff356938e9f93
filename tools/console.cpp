#include "tools/console.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

namespace r2pac {
namespace {

using Json = nlohmann::ordered_json;

int terminal_width() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/// Five characters or so, whatever the size.
std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::string json_line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// Whether a write failed since the reader of a pipe, or a terminal, has gone.
bool is_reader_gone(int error_number) {
  struct stat out {};
  return error_number == EPIPE ||
         (error_number == EIO && fstat(STDOUT_FILENO, &out) == 0 && S_ISCHR(out.st_mode));
}

}  // namespace

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds > 1e8) return "unknown";
  const long total = std::lround(std::max(0.0, seconds));
  char text[48];
  if (total >= 3600)
    std::snprintf(text, sizeof text, "%ld h %02ld min", total / 3600, total / 60 % 60);
  else if (total >= 60)
    std::snprintf(text, sizeof text, "%ld min %02ld s", total / 60, total % 60);
  else
    std::snprintf(text, sizeof text, "%ld s", total);
  return text;
}

Console::Console(ConsoleMode mode, const std::string& first_line) : mode_(mode) {
  terminal_ = mode == ConsoleMode::automatic && isatty(STDOUT_FILENO) == 1;
  note(first_line);
}

Console::~Console() { clear_bar(); }

void Console::print(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0) return;
  if (!is_reader_gone(errno)) return;  // the end of the program finds a full disk
  if (std::freopen("/dev/null", "w", stdout) != nullptr) terminal_ = false;
}

void Console::clear_bar() {
  if (!bar_shown_) return;
  print("\r\033[K");
  bar_shown_ = false;
}

void Console::note(const std::string& sentence) {
  clear_bar();
  if (mode_ == ConsoleMode::quiet) return;
  if (mode_ == ConsoleMode::json) return print(json_line({{"note", sentence}}));
  print(sentence + "\n");
}

void Console::warn(const std::string& sentence) {
  clear_bar();
  if (mode_ == ConsoleMode::json) return print(json_line({{"warning", sentence}}));
  std::fprintf(stderr, "warning: %s\n", sentence.c_str());
}

void Console::finish(const std::string& sentence) {
  clear_bar();
  if (mode_ == ConsoleMode::json) return print(json_line({{"done", sentence}}));
  print(sentence + "\n");
}

void Console::interval(const Interval& interval) {
  clear_bar();
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
  std::ostringstream line;
  line << interval.stage << ' ' << interval.step << '/' << interval.total << "  "
       << short_number(interval.steps_per_second) << " steps/s  ETA " << duration_text(interval.eta_seconds)
       << ' ';
  for (const auto& [name, value] : interval.values) line << ' ' << name << ' ' << short_number(value);
  line << '\n';
  print(line.str());
}

void Console::evaluation(const Evaluation& e, bool safe_best) {
  clear_bar();
  if (mode_ == ConsoleMode::quiet) return;
  if (mode_ == ConsoleMode::json)
    return print(json_line({{"evaluation", Json::parse(evaluation_line(e, safe_best))}}));
  std::ostringstream line;
  line << "scored at " << e.step << ": " << e.env << "  return " << short_number(e.return_mean);
  if (e.normalized_return) line << " (normalised " << short_number(*e.normalized_return) << ")";
  line << "  normalised cost " << short_number(e.normalized_cost) << "  within the limit "
       << std::lround(100 * e.share_within_limit) << " %" << (safe_best ? "  the best so far" : "") << '\n';
  print(line.str());
}

void Console::progress(std::uint64_t step, std::uint64_t total) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - last_draw_ < std::chrono::milliseconds(100)) return;
  last_draw_ = now;
  const double share = static_cast<double>(step) / static_cast<double>(total);
  char tail[96];
  std::snprintf(tail, sizeof tail, " %5.1f %%  step %llu", 100 * share,
                static_cast<unsigned long long>(step));
  std::string text = tail;
  if (steps_per_second_ > 0)
    text += "  ETA " + duration_text(static_cast<double>(total - step) / steps_per_second_);
  const int room = std::clamp(terminal_width() - static_cast<int>(text.size()) - 3, 0, 50);
  const int filled = static_cast<int>(std::lround(share * room));
  std::string bar;
  if (room > 4) {
    bar.append(1, '[').append(static_cast<std::size_t>(filled), '#');
    bar.append(static_cast<std::size_t>(room - filled), '.').append(1, ']');
  }
  print("\r\033[K" + bar + text.substr(0, static_cast<std::size_t>(std::max(1, terminal_width() - 1))));
  bar_shown_ = true;
}

}  // namespace r2pac
