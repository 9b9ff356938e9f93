// What a server has done so far, for people and for Prometheus.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "policy/timed_policy.h"

namespace r2pac::serving {

/// How often something took how long, in steps of an eighth of a factor of two (9 %) from 1 us to 2 minutes.
class Latencies {
 public:
  void note(double seconds);
  std::uint64_t count() const { return count_; }
  double sum() const { return sum_; }
  double worst() const { return worst_; }
  /// The least end of a step within which this share of all lie; 0 where there are none, at most the worst.
  double quantile(double share) const;

  static constexpr int kPerOctave = 8, kOctaves = 27;
  /// How many took at most 2^octave us.
  std::uint64_t within_octave(int octave) const;

 private:
  std::array<std::uint64_t, kPerOctave * kOctaves + 1> steps_{};  // the last: longer
  std::uint64_t count_ = 0;
  double sum_ = 0, worst_ = 0;
};

struct Counters {
  std::uint64_t requests = 0;                            ///< to act
  std::uint64_t batches = 0;                             ///< of requests that were answered together
  std::array<std::uint64_t, 5> answers{};                ///< by source
  std::uint64_t refused = 0;                             ///< requests that got no action
  std::uint64_t misses = 0;                              ///< answers that were ready after their deadline
  std::uint64_t clients = 0, all_clients = 0;            ///< now, and ever
  std::uint64_t protocol = 0, crowded = 0, stalled = 0;  ///< connections that were ended for this reason
  std::uint64_t swaps = 0, bad_swaps = 0;  ///< policies that were taken over, and that were refused
  Latencies latency;                       ///< of answers, from the same begin as deadlines

  /// Lines for people.
  std::string text() const;
  /// The page for Prometheus, in its text format. checksum  of the policy that acts
  std::string page(const std::string& checksum) const;
};

}  // namespace r2pac::serving
