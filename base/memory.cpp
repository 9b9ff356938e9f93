#include "base/memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <string_view>
#include <utility>

#include "base/control_groups.h"
#include "base/error.h"

namespace r2pac {
namespace {

std::atomic<std::uint64_t> claimed{0};

/// The whole number that `text` begins with, after blanks.
std::optional<std::uint64_t> number_at(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() ? std::optional(value) : std::nullopt;
}

/// The number after a word at the beginning of a line.
std::optional<std::uint64_t> number_after(const std::string& text, const std::string& word) {
  const std::string lines = "\n" + text;
  const std::size_t at = lines.find("\n" + word);
  return at == std::string::npos ? std::nullopt
                                 : number_at(std::string_view(lines).substr(at + 1 + word.size()));
}

std::string gibibytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GiB", static_cast<double>(bytes) / 0x1p30);
  return text;
}

}  // namespace

ProcessMemory process_memory() {
  const std::string pages = text_of_file("/proc/self/statm");  // in all, resident, ...
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  const auto bytes_at = [&](std::size_t at) {
    return number_at(std::string_view(pages).substr(at)).value_or(0) * page;
  };
  const std::size_t blank = std::min(pages.find(' '), pages.size());
  return {bytes_at(0), bytes_at(blank)};
}

std::uint64_t peak_memory() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

std::optional<std::uint64_t> memory_left_by_control_groups(const std::filesystem::path& root,
                                                           const std::string& membership) {
  std::optional<std::uint64_t> least;
  visit_control_groups(root, membership, "memory", [&](const std::filesystem::path& folder, bool second) {
    const auto limit = number_at(text_of_file(folder / (second ? "memory.max" : "memory.limit_in_bytes")));
    const auto used = number_at(text_of_file(folder / (second ? "memory.current" : "memory.usage_in_bytes")));
    if (!limit || !used) return;
    const std::uint64_t droppable =
        number_after(text_of_file(folder / "memory.stat"), second ? "inactive_file " : "total_inactive_file ")
            .value_or(0);
    const std::uint64_t held = *used - std::min(*used, droppable);
    least = std::min(least.value_or(~std::uint64_t{0}), *limit - std::min(*limit, held));
  });
  return least;
}

std::optional<std::uint64_t> available_memory() {
  constexpr std::uint64_t kUnit = 1024;
  const auto machine = number_after(text_of_file("/proc/meminfo"), "MemAvailable:");
  const auto groups = memory_left_by_control_groups("/sys/fs/cgroup", text_of_file("/proc/self/cgroup"));
  if (!machine) return groups;
  return std::min(*machine * kUnit, groups.value_or(~std::uint64_t{0}));
}

MemoryClaim::MemoryClaim(std::size_t bytes) : bytes_(bytes) {
  const std::uint64_t wanted = claimed.fetch_add(bytes) + bytes;
  constexpr std::size_t kWorthAsking = std::size_t{1} << 26;
  if (bytes < kWorthAsking) return;
  const auto available = available_memory();
  // What is claimed and already used lies among the resident bytes.
  if (!available || wanted <= *available + std::min(wanted - bytes, process_memory().resident)) return;
  claimed -= bytes;
  throw Error(ExitCode::settings,
              "this needs at least " + gibibytes(wanted) + " of memory, and " + gibibytes(*available) +
                  " are available",
              "", "lower hidden, batch or num_candidates, or end other programs");
}

MemoryClaim::~MemoryClaim() { claimed -= bytes_; }

MemoryClaim::MemoryClaim(MemoryClaim&& other) noexcept : bytes_(std::exchange(other.bytes_, 0)) {}

}  // namespace r2pac
