// Compiled without sanitizers: the frames here are alive across switches, and the last one on a stack never
// returns, so nothing of it may stay poisoned.
#include "cuda_host/fiber.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <vector>

#include "cuda_host/fault.h"

#ifdef R2PAC_CUDA_HOST_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

// Saves the registers that a function must preserve, changes the stack, restores the other fiber's registers.
extern "C" void r2pac_switch_stack(void** from, void* to);
asm(R"(
  .text
  .globl r2pac_switch_stack
  .hidden r2pac_switch_stack
  .type r2pac_switch_stack, @function
r2pac_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size r2pac_switch_stack, . - r2pac_switch_stack
)");

namespace r2pac::cuda_host {
namespace {

constexpr std::size_t kSavedRegisters = 6;

std::vector<std::byte*> free_stacks;

std::byte* make_stack() {
  void* const memory = mmap(nullptr, kGuardBytes + kStackBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) fault("no memory for the stack of a CUDA thread");
  mprotect(memory, kGuardBytes, PROT_NONE);  // running over the end stops at once
  return static_cast<std::byte*>(memory) + kGuardBytes;
}

#ifdef R2PAC_CUDA_HOST_ASAN
struct HostStack {
  void* low = nullptr;
  std::size_t bytes = 0;
  HostStack() {
    pthread_attr_t attributes;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &low, &bytes);
    pthread_attr_destroy(&attributes);
  }
};

void announce_switch(void** keep, const Fiber& to) {
  thread_local const HostStack host;
  __sanitizer_start_switch_fiber(keep, to.stack ? static_cast<const void*>(to.stack) : host.low,
                                 to.stack ? kStackBytes : host.bytes);
}
void finish_switch(void* state) { __sanitizer_finish_switch_fiber(state, nullptr, nullptr); }
void forget_old_frames(const std::byte* stack) { ASAN_UNPOISON_MEMORY_REGION(stack, kStackBytes); }
#else
void announce_switch(void**, const Fiber&) {}
void finish_switch(void*) {}
void forget_old_frames(const std::byte*) {}
#endif

}  // namespace

void prepare_fiber(Fiber& fiber, void (*entry)()) {
  if (free_stacks.empty()) free_stacks.push_back(make_stack());
  fiber.stack = free_stacks.back();
  free_stacks.pop_back();
  forget_old_frames(fiber.stack);
  // Tops are staggered by whole cache lines, or a thousand stacks would share the same few cache sets.
  const std::size_t stagger = reinterpret_cast<std::uintptr_t>(fiber.stack) / kGuardBytes % 21 * 192;
  auto** top = reinterpret_cast<void**>(fiber.stack + kStackBytes - stagger);
  *--top = nullptr;  // the return address of `entry`: at its first instruction the stack is 8 modulo 16
  *--top = reinterpret_cast<void*>(entry);
  for (std::size_t i = 0; i < kSavedRegisters; ++i) *--top = nullptr;
  fiber.stack_pointer = top;
  fiber.sanitizer_state = nullptr;
}

void switch_fiber(Fiber& from, Fiber& to) {
  announce_switch(&from.sanitizer_state, to);
  r2pac_switch_stack(&from.stack_pointer, to.stack_pointer);
  finish_switch(from.sanitizer_state);
}

void end_fiber(Fiber& from, Fiber& to) {
  free_stacks.push_back(from.stack);  // nobody takes it before the switch below
  from.stack = nullptr;
  announce_switch(nullptr, to);
  r2pac_switch_stack(&from.stack_pointer, to.stack_pointer);
  std::abort();
}

void fiber_entered() { finish_switch(nullptr); }

}  // namespace r2pac::cuda_host
