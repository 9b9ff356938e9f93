// How much time a decision has. Its actor asks between the steps of its work, does fewer where time runs out,
// and gives up where not even one step would be done in time.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>

namespace r2pac {

/// What takes the time are the units of a decision: the Euler steps of a flow, the candidates of a denoiser,
/// or a deterministic actor as a whole. Everything else is the rest: the scores, the values, the choice.
struct Pace {
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;

  Clock::time_point deadline = Clock::time_point::max();
  Seconds unit{0}, rest{0};                    ///< what each is expected to take
  int most = std::numeric_limits<int>::max();  ///< units, whatever the time

  // What came of it.
  std::atomic<int> done{std::numeric_limits<int>::max()};  ///< units; of several threads' flows the least
  std::atomic<bool> given_up{false};                       ///< nothing was decided

  /// Of `wanted` >= 1 units those that are done in time if begun now; 0: none.
  int affordable(int wanted) const {
    wanted = std::min(wanted, most);
    if (deadline == Clock::time_point::max()) return wanted;
    const Seconds left = deadline - Clock::now() - rest;
    return left >= wanted * unit ? wanted : std::max(static_cast<int>(left / unit), 0);
  }
  /// The same, and gives up where there are none.
  int begin(int wanted) {
    const int units = affordable(wanted);
    if (units == 0) given_up = true;
    return units;
  }
  /// Notes units that were done.
  void note(int units) {
    for (int least = done; units < least && !done.compare_exchange_weak(least, units);) {
    }
  }
};

/// The Euler steps of a flow from time 0 to 1: of one length, until fewer and longer ones go the rest of the
/// way.
template <class T>
struct EulerSteps {
  int count;  ///< in all
  T dt;       ///< of those from now on

  explicit EulerSteps(int steps) : count(steps), dt(T(1) / static_cast<T>(steps)) {}
  /// When step n begins.
  T time(int n) const { return begin_ + static_cast<T>(n - first_) * dt; }
  /// From step n on there are `left` >= 1.
  void shorten(int n, int left) {
    begin_ = time(n);
    first_ = n;
    count = n + left;
    dt = (T(1) - begin_) / static_cast<T>(left);
  }

 private:
  int first_ = 0;
  T begin_ = 0;
};

}  // namespace r2pac
