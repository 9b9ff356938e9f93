// Fibers: functions that give up the processor in their middle and go on later, on stacks of their own.
#pragma once

#include <cstddef>

namespace r2pac::cuda_host {

/// Usable bytes of one stack; AddressSanitizer's frames are several times as large as ordinary ones.
#ifdef R2PAC_CUDA_HOST_ASAN
inline constexpr std::size_t kStackBytes = 256 * 1024;
#else
inline constexpr std::size_t kStackBytes = 64 * 1024;
#endif

/// Below each stack; touching it is a segmentation fault.
inline constexpr std::size_t kGuardBytes = 4096;

struct Fiber {
  void* stack_pointer = nullptr;  ///< where it stopped
  std::byte* stack = nullptr;     ///< lowest byte of its stack; null for the host's own stack
  void* sanitizer_state = nullptr;
};

/// Gives a fiber a stack on which `entry` will run when it is first switched to. `entry` must call
/// fiber_entered() first and must never return.
void prepare_fiber(Fiber& fiber, void (*entry)());

/// Stops `from` and goes on with `to`. Returns when something switches back to `from`.
void switch_fiber(Fiber& from, Fiber& to);

/// Goes on with `to` for good and gives the stack of `from` to the next fiber that needs one.
[[noreturn]] void end_fiber(Fiber& from, Fiber& to);

/// Tells the sanitizer that the switch to a new fiber is complete.
void fiber_entered();

}  // namespace r2pac::cuda_host
