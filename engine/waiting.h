// How a thread waits for another: it looks for a while, then it sleeps.
#pragma once

#include <atomic>
#include <cstdint>

namespace r2pac {

/// A number that one or more threads wait for. To sleep and be woken takes tens of microseconds, so that
/// looking pays where waits are short; where others need the processors it only keeps the awaited thread from
/// running. So a look in vain makes the next one half as long, and one that saw the change twice as long.
class Awaited {
 public:
  /// may_look  false where there are more threads than processors: who waits sleeps at once
  explicit Awaited(bool may_look) : may_look_(may_look) {}

  /// Waits until the number differs from `old`.
  void wait_for_change(std::uint32_t old);
  /// Wakes those who sleep, after a change of the number. Makes no system call if nobody does.
  void wake();

  std::atomic<std::uint32_t> number{0};

 private:
  bool changes_while_looked_at(std::uint32_t old);

  static constexpr int kShortestLook = 4, kLongestLook = 128;  // microseconds

  const bool may_look_;
  std::atomic<int> look_{kLongestLook};
  std::atomic<int> sleepers_{0};
};

}  // namespace r2pac
