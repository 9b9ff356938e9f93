// Runs untrusted decoding in child processes. Internal to this folder.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace r2pac {

struct FenceLimits {
  std::int64_t bytes = 0;  ///< of address space that a child may add to what it starts with
  double seconds = 0;      ///< that may pass without progress of any child
};

/// Called by a job whenever it has got on: a slow disk or a busy machine may take its time, a job that hangs
/// may not. Costs nothing, and does nothing outside of a job.
void report_progress();

/// Runs job(0), ..., job(workers - 1), each in a child process of its own, and returns their replies.
/// An Error that a job throws is thrown here. A child that crashes, runs out of memory or of time is
/// reported as Error(ExitCode::data) about `file`. No child is left when the call ends, in either way.
/// The jobs must not need locks that another thread of this process may hold.
std::vector<std::string> run_fenced(int workers, const FenceLimits& limits, const std::string& file,
                                    const std::function<std::string(int)>& job);

/// Inside a child, while alive: so many bytes of address space may be added to what is in use now, within the
/// FenceLimits. No effect under sanitizers, which reserve terabytes.
class AddressSpaceLimit {
 public:
  explicit AddressSpaceLimit(std::int64_t bytes);
  ~AddressSpaceLimit();
  AddressSpaceLimit(const AddressSpaceLimit&) = delete;
  AddressSpaceLimit& operator=(const AddressSpaceLimit&) = delete;

 private:
  std::uint64_t before_ = 0;  ///< the limit to go back to; 0: none was set
};

/// An unnamed file in memory through which children hand over more than a reply.
class SharedMemory {
 public:
  SharedMemory();
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// Maps `bytes` of it, enlarging the file when it is shorter; the same call in any process gives the
  /// same contents. Throws Error(ExitCode::data) when there is not enough memory.
  std::byte* map(std::int64_t bytes);
  /// Gives the pages wholly inside [first, first + bytes) back to the system; they read as zero then.
  void release(std::int64_t first, std::int64_t bytes);

 private:
  int file_ = -1;
  std::byte* block_ = nullptr;
  std::int64_t bytes_ = 0;
};

}  // namespace r2pac
