// One CUDA block on the CPU: a fiber per thread, barriers, and operations of a warp. Blocks of a grid run one
// after the other; inside a block one thread runs until it waits at a barrier or for its warp.
#pragma once

#include <vector_types.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "cuda_host/fault.h"

namespace r2pac::cuda_host {

inline constexpr unsigned kWarpLanes = 32;
inline constexpr unsigned kMaxBlockThreads = 1024;

/// A kernel with everything needed to run it.
struct Launch {
  const void* kernel;         ///< the function, for its name
  void (*body)(const void*);  ///< runs one thread: calls the kernel with the arguments
  const void* arguments;
  std::size_t argument_bytes;
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes;  ///< dynamic shared memory
  Site site;                 ///< of the launch
};

/// Runs all blocks of a grid. Faults of the kernel end the program with a report.
void run_grid(const Launch& launch);

/// The order of threads, of blocks and of unordered graph nodes follows from this seed; 0 is the natural
/// order. The initial value is the environment variable R2PAC_CUDA_HOST_SEED, or 0.
void set_seed(std::uint64_t seed);
std::uint64_t seed();

/// The next of a sequence of numbers that depends on the seed alone; uniform below `bound`.
std::uint32_t shuffled_below(std::uint32_t bound);

/// Waits until all threads of the block have arrived. Returns the number of threads whose predicate was true.
unsigned barrier(bool predicate, Site site);

/// What the lanes of a warp do together. The last lane to arrive runs `combine`, which sees each lane's slot
/// (a variable on that lane's stack) and fills in the results. Without `combine` it is a __syncwarp, the only
/// operation of a warp that orders memory accesses.
struct Collective {
  const char* name = nullptr;
  Site site;
  unsigned mask = 0;
  unsigned arrived = 0;
  void* slot[kWarpLanes] = {};
};
void warp_collective(const char* name, void (*combine)(const Collective&), unsigned mask, void* slot,
                     Site site);

/// Lane of the running thread.
unsigned lane();

/// Dynamic shared memory of the running block.
void* dynamic_shared_memory();

/// What the race check must know of the running thread.
struct RunningThread {
  unsigned linear;
  const std::byte* stack;
};
bool thread_runs();
RunningThread running_thread();

/// Kernel, block, thread and launch of what runs now; nothing outside a kernel.
void print_running_thread(std::FILE* to);

}  // namespace r2pac::cuda_host
