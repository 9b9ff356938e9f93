// How many threads to start: the processors that this process may use, not those that the machine has.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace r2pac {

inline constexpr int kMostThreads = 1024;

/// What the system calls this machine's processor, or "unknown".
std::string processor_name();

/// The least of: the affinity mask, the CPU quota of every control group around this process, and
/// SLURM_CPUS_PER_TASK. In [1, kMostThreads].
int usable_processors();

/// `asked`, or for 0 what R2PAC_THREADS says, or without that usable_processors().
/// name  what to call `asked` in a message, such as "--threads"
/// Throws Error (usage) if `asked` is outside [0, kMostThreads], or the variable is needed and not a whole
/// number in [1, kMostThreads]. An empty variable counts as unset.
int thread_count(int asked = 0, const std::string& name = "threads");

/// What a quota of CPU time per period comes to in processors, rounded up; nothing if there is no quota, or
/// if the text is not understood. text  "QUOTA PERIOD" in microseconds, as in cpu.max; "max" or -1 is no
/// quota.
std::optional<int> processors_of_quota(const std::string& text);

/// The least quota of the control groups that a process is in and of their ancestors; nothing without a
/// quota. root  where they are mounted: /sys/fs/cgroup; membership  the text of /proc/self/cgroup
std::optional<int> processors_of_control_groups(const std::filesystem::path& root,
                                                const std::string& membership);

}  // namespace r2pac
