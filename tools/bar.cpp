#include "tools/bar.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

namespace r2pac {

using Clock = std::chrono::steady_clock;

int terminal_width(std::FILE* stream) {
  winsize size{};
  return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

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

Bar::Bar(std::FILE* stream, bool may_draw)
    : stream_(stream), terminal_(may_draw && isatty(fileno(stream)) == 1) {}

void Bar::clear() {
  if (!shown_) return;
  std::fputs("\r\033[K", stream_);
  std::fflush(stream_);
  shown_ = false;
}

void Bar::draw(std::uint64_t done, std::uint64_t total, const std::string& text) {
  if (!terminal_) return;
  const auto now = Clock::now();
  if (shown_ && now - last_draw_ < std::chrono::milliseconds(100)) return;
  last_draw_ = now;
  const double share = total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total);
  char percent[16];
  std::snprintf(percent, sizeof percent, " %5.1f %%  ", 100 * share);
  const std::string tail = percent + text;
  const int width = terminal_width(stream_);
  const int room = std::clamp(width - static_cast<int>(tail.size()) - 3, 0, 50);
  const int filled = static_cast<int>(std::lround(share * room));
  std::string bar;
  if (room > 4) {
    bar.append(1, '[').append(static_cast<std::size_t>(filled), '#');
    bar.append(static_cast<std::size_t>(room - filled), '.').append(1, ']');
  }
  std::fprintf(stream_, "\r\033[K%s%s", bar.c_str(),
               tail.substr(0, static_cast<std::size_t>(std::max(1, width - 1))).c_str());
  std::fflush(stream_);
  shown_ = true;
}

void Progress::update(std::uint64_t done, std::uint64_t total) {
  done_ = done;
  total_ = total;
  std::string shown = text();
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  if (done > 0 && seconds > 1)
    shown +=
        "  ETA " + duration_text(seconds * static_cast<double>(total - done) / static_cast<double>(done));
  bar_.draw(done, total, shown);
}

std::string Progress::text() const {
  return std::to_string(done_) + " of " + std::to_string(total_) + " " + what_;
}

}  // namespace r2pac
