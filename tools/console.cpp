#include "tools/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
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

void print_json(const Json& json) {
  std::printf("%s\n", json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  std::fflush(stdout);
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

void Console::clear_bar() {
  if (!bar_shown_) return;
  std::printf("\r\033[K");
  std::fflush(stdout);
  bar_shown_ = false;
}

void Console::note(const std::string& sentence) {
  clear_bar();
  if (mode_ == ConsoleMode::quiet) return;
  if (mode_ == ConsoleMode::json) return print_json({{"note", sentence}});
  std::printf("%s\n", sentence.c_str());
  std::fflush(stdout);
}

void Console::warn(const std::string& sentence) {
  clear_bar();
  if (mode_ == ConsoleMode::json) return print_json({{"warning", sentence}});
  std::fprintf(stderr, "warning: %s\n", sentence.c_str());
}

void Console::finish(const std::string& sentence) {
  clear_bar();
  if (mode_ == ConsoleMode::json) return print_json({{"done", sentence}});
  std::printf("%s\n", sentence.c_str());
  std::fflush(stdout);
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
    return print_json(json);
  }
  std::ostringstream line;
  line << interval.stage << ' ' << interval.step << '/' << interval.total << "  "
       << short_number(interval.steps_per_second) << " steps/s  ETA " << duration_text(interval.eta_seconds)
       << ' ';
  for (const auto& [name, value] : interval.values) line << ' ' << name << ' ' << short_number(value);
  std::printf("%s\n", line.str().c_str());
  std::fflush(stdout);
}

void Console::evaluation(const Evaluation& e, bool safe_best) {
  clear_bar();
  if (mode_ == ConsoleMode::quiet) return;
  if (mode_ == ConsoleMode::json)
    return print_json({{"evaluation", Json::parse(evaluation_line(e, safe_best))}});
  std::printf("scored at %llu: %s  return %s%s  normalised cost %s  within the limit %.0f %%%s\n",
              static_cast<unsigned long long>(e.step), e.env.c_str(), short_number(e.return_mean).c_str(),
              e.normalized_return ? (" (normalised " + short_number(*e.normalized_return) + ")").c_str() : "",
              short_number(e.normalized_cost).c_str(), 100 * e.share_within_limit,
              safe_best ? "  the best so far" : "");
  std::fflush(stdout);
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
  std::printf("\r\033[K%s%s", bar.c_str(),
              text.substr(0, static_cast<std::size_t>(std::max(1, terminal_width() - 1))).c_str());
  std::fflush(stdout);
  bar_shown_ = true;
}

}  // namespace r2pac
