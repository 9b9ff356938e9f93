#include "tools/console.h"

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

void print_json(const Json& json) {
  std::printf("%s\n", json.dump(-1, ' ', true, Json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

constexpr std::chrono::seconds kBetweenLines{10};

/// The values that say most about a stage, and what a line calls them. Shares are shown in percent.
struct Shown {
  const char *name, *text;
  bool share = false;
};
constexpr Shown kShown[] = {{"v_r", "V_r"},           {"v_c", "V_c"},          {"threshold", "l"},
                            {"unsafe", "unsafe", true}, {"loss_flow", "flow loss"}, {"good", "good", true}};

}  // namespace

std::string interval_text(const Interval& interval, std::size_t width) {
  std::string line = interval.stage + ' ' + std::to_string(interval.step) + '/' + std::to_string(interval.total) +
                     "  " + short_number(interval.steps_per_second) + " steps/s  ETA " +
                     duration_text(interval.eta_seconds);
  const auto add = [&](const std::string& name, double value, bool share) {
    const std::string word = "  " + name + ' ' + (share ? short_number(100 * value, 3) + " %" : short_number(value, 3));
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

void Console::note(const std::string& sentence) {
  bar_.clear();
  if (mode_ == ConsoleMode::quiet) return;
  if (mode_ == ConsoleMode::json) return print_json({{"note", sentence}});
  std::printf("%s\n", printable(sentence).c_str());
  std::fflush(stdout);
}

void Console::warn(const std::string& sentence) {
  bar_.clear();
  if (mode_ == ConsoleMode::json) return print_json({{"warning", sentence}});
  std::fprintf(stderr, "warning: %s\n", printable(sentence).c_str());
}

void Console::finish(const std::string& sentence) {
  bar_.clear();
  if (mode_ == ConsoleMode::json) return print_json({{"done", sentence}});
  std::printf("%s\n", printable(sentence).c_str());
  std::fflush(stdout);
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
    return print_json(json);
  }
  // A terminal has the bar besides, and needs no line a second.
  const auto now = std::chrono::steady_clock::now();
  const bool last = interval.step == interval.total;
  if (bar_.on_terminal() && !last && now - last_line_ < kBetweenLines) return;
  last_line_ = now;
  const int width = bar_.on_terminal() ? terminal_width(stdout) : 80;
  std::printf("%s\n", interval_text(interval, static_cast<std::size_t>(width)).c_str());
  std::fflush(stdout);
}

void Console::evaluation(const Evaluation& e, bool safe_best) {
  bar_.clear();
  if (mode_ == ConsoleMode::quiet) return;
  if (mode_ == ConsoleMode::json)
    return print_json({{"evaluation", Json::parse(evaluation_line(e, safe_best))}});
  std::printf("scored at %llu: %s  return %s%s  normalised cost %s  within the limit %.0f %%%s\n",
              static_cast<unsigned long long>(e.step), printable(e.env).c_str(), short_number(e.return_mean).c_str(),
              e.normalized_return ? (" (normalised " + short_number(*e.normalized_return) + ")").c_str() : "",
              short_number(e.normalized_cost).c_str(), 100 * e.share_within_limit,
              safe_best ? "  the best so far" : "");
  std::fflush(stdout);
}

void Console::progress(std::uint64_t step, std::uint64_t total) {
  std::string text = "step " + std::to_string(step);
  if (steps_per_second_ > 0)
    text += "  ETA " + duration_text(static_cast<double>(total - step) / steps_per_second_);
  bar_.draw(step, total, text);
}

}  // namespace r2pac
