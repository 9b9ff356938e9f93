#include "base/processors.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

#include "base/control_groups.h"
#include "base/error.h"

namespace r2pac {
namespace {

/// A whole number above 0; nothing for any other text.
std::optional<long long> positive_number(std::string_view text) {
  long long value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc() || stop != end || value <= 0) return {};
  return value;
}

/// Processors of the affinity mask, however many the machine has.
int processors_of_mask() {
  for (std::size_t sets = 1; sets <= 64; sets *= 2) {
    std::vector<cpu_set_t> mask(sets);
    if (sched_getaffinity(0, sets * sizeof(cpu_set_t), mask.data()) == 0)
      return CPU_COUNT_S(sets * sizeof(cpu_set_t), mask.data());
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

/// The quota that the files of one control group's folder state: those of version 2, or of version 1.
std::optional<int> quota_of_folder(const std::filesystem::path& folder, bool second_version) {
  return processors_of_quota(second_version ? text_of_file(folder / "cpu.max")
                                            : text_of_file(folder / "cpu.cfs_quota_us") + " " +
                                                  text_of_file(folder / "cpu.cfs_period_us"));
}

void lower(std::optional<int>& least, std::optional<int> value) {
  if (value && (!least || *value < *least)) least = value;
}

}  // namespace

std::optional<int> processors_of_quota(const std::string& text) {
  std::istringstream words(text);
  std::string quota_word, period_word;
  words >> quota_word >> period_word;
  const auto quota = positive_number(quota_word), period = positive_number(period_word);
  if (!quota || !period) return {};
  const long long whole = *quota / *period + (*quota % *period > 0 ? 1 : 0);
  return static_cast<int>(std::min<long long>(whole, kMostThreads));
}

std::optional<int> processors_of_control_groups(const std::filesystem::path& root,
                                                const std::string& membership) {
  std::optional<int> least;
  visit_control_groups(root, membership, "cpu",
                       [&](const std::filesystem::path& folder, bool second_version) {
                         lower(least, quota_of_folder(folder, second_version));
                       });
  return least;
}

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown";
}

int usable_processors() {
  std::optional<int> least = std::clamp(processors_of_mask(), 1, kMostThreads);
  lower(least, processors_of_control_groups("/sys/fs/cgroup", text_of_file("/proc/self/cgroup")));
  if (const char* slurm = std::getenv("SLURM_CPUS_PER_TASK"))
    if (const auto granted = positive_number(slurm))
      lower(least, static_cast<int>(std::min<long long>(*granted, kMostThreads)));
  return *least;
}

int thread_count(int asked, const std::string& name) {
  if (asked < 0 || asked > kMostThreads)
    throw Error(ExitCode::usage, name + " must be from 1 to " + std::to_string(kMostThreads), name,
                "leave it out to use all processors");
  if (asked > 0) return asked;
  const char* const variable = std::getenv("R2PAC_THREADS");
  if (!variable || !*variable) return usable_processors();
  const auto wanted = positive_number(variable);
  if (!wanted || *wanted > kMostThreads)
    throw Error(ExitCode::usage,
                "the number of threads cannot be `" + std::string(variable) + "`, it must be from 1 to " +
                    std::to_string(kMostThreads),
                "R2PAC_THREADS", "unset it to use all processors");
  return static_cast<int>(*wanted);
}

}  // namespace r2pac
