// How much memory this process may still take, asked before it is taken: a system that has promised more than
// it has ends a process without a word.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace r2pac {

/// What this process has; zeros where it cannot be told, as without a descriptor to spare.
struct ProcessMemory {
  std::uint64_t address_space, resident;  ///< bytes
};
ProcessMemory process_memory();
/// The most memory that this process had at a time, in bytes; not that of its child processes.
std::uint64_t peak_memory();

/// Bytes that the machine has available, or less where a control group leaves less; nothing if unknown.
std::optional<std::uint64_t> available_memory();

/// The least that the control groups of a process leave it: the limit, less what is in use, but for file
/// pages that can be dropped. Nothing without a limit. root, membership  as for visit_control_groups()
std::optional<std::uint64_t> memory_left_by_control_groups(const std::filesystem::path& root,
                                                           const std::string& membership);

/// Memory that this process has asked for and uses little by little, or will ask for later. While it lives it
/// counts against what is available.
class MemoryClaim {
 public:
  /// Throws Error(settings) if all claims together are more than the process has and may still take.
  explicit MemoryClaim(std::size_t bytes);
  ~MemoryClaim();
  MemoryClaim(MemoryClaim&& other) noexcept;
  MemoryClaim& operator=(MemoryClaim&&) = delete;

 private:
  std::size_t bytes_;
};

}  // namespace r2pac
