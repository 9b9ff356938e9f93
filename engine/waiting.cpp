#include "engine/waiting.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <climits>

namespace r2pac {
namespace {

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

bool Awaited::changes_while_looked_at(std::uint32_t old) {
  using Clock = std::chrono::steady_clock;
  if (!may_look_) return false;
  const int look = look_.load(std::memory_order_relaxed);
  const Clock::time_point end = Clock::now() + std::chrono::microseconds(look);
  do {
    for (int i = 0; i < 32; ++i) {
      if (number.load(std::memory_order_acquire) != old) {
        if (look < kLongestLook) look_.store(2 * look, std::memory_order_relaxed);
        return true;
      }
      relax();
    }
  } while (Clock::now() < end);
  if (look > kShortestLook) look_.store(look / 2, std::memory_order_relaxed);
  return false;
}

void Awaited::wait_for_change(std::uint32_t old) {
  if (changes_while_looked_at(old)) return;
  ++sleepers_;
  while (number == old) syscall(SYS_futex, &number, FUTEX_WAIT_PRIVATE, old, nullptr, nullptr, 0);
  --sleepers_;
}

void Awaited::wake() {
  // The sleeper counts itself before it looks at the number; so it sees the change, or this sees the sleeper.
  if (sleepers_ > 0) syscall(SYS_futex, &number, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace r2pac
