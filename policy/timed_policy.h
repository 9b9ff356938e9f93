// A policy that acts in time: in full, in a hurry, by the chunk that was planned before, or by the caller's
// safe action.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "policy/decision_times.h"
#include "policy/policy.h"

namespace r2pac {

/// Which decision of which episode it is. Its noise is a function of seed, episode and step.
struct DecisionMoment {
  std::uint64_t seed = 0;
  std::int64_t step = 0;  ///< of the episode, >= 0
  std::uint32_t episode = 0;
  double spent = std::numeric_limits<double>::quiet_NaN();  ///< undiscounted cost so far; NaN: not counted
};

/// Where an action comes from. The numbers are those of library/r2pac.h and of docs/serving.md.
enum class Source : std::int32_t {
  none = 0,         ///< there was no time for a decision
  full = 1,         ///< the policy, as without a deadline
  reduced = 2,      ///< the policy in a hurry: fewer flow steps or candidates
  chunk = 3,        ///< the chunk of an earlier step of the episode, which planned this step, too
  safe_action = 4,  ///< the caller's
};

/// What is known of an answer. Numbers that are not known are NaN.
struct Decision {
  static constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
  Source source = Source::none;
  int chunk_step = -1;        ///< which action of its chunk: 0 of a new one, -1 of none
  int flow_steps = 0;         ///< that were computed; 0: none
  int candidates = 0;         ///< that were compared; 0: none
  float q_cost = kUnknown;    ///< greatest believed Q_c of the chosen chunk
  float q_reward = kUnknown;  ///< least believed Q_r of it
  float v_cost = kUnknown;    ///< V_c of the observation
  float v_reward = kUnknown;  ///< V_r of it
  double bound = kUnknown;    ///< greatest Q_c and V_c within the limit at this moment
  int safe = -1;              ///< 1: V_c <= l, 0: it is not, -1: not known
};

/// Tells an answer of the C interface or of a frame what is known of a decision.
template <class Answer>
void tell(const Decision& decision, Answer& answer) {
  answer.source = static_cast<std::int32_t>(decision.source);
  answer.chunk_step = decision.chunk_step;
  answer.flow_steps = decision.flow_steps;
  answer.candidates = decision.candidates;
  answer.q_cost = decision.q_cost;
  answer.q_reward = decision.q_reward;
  answer.v_cost = decision.v_cost;
  answer.v_reward = decision.v_reward;
  answer.bound = decision.bound;
  answer.safe = decision.safe;
}

/// The chunk that was decided last, if there is one, and when.
struct LastChunk {
  bool planned = false;
  DecisionMoment at;
  std::vector<float> chunk;  ///< [h A]
};

/// One thread at a time.
class TimedPolicy {
 public:
  using Clock = Pace::Clock;
  static constexpr Clock::time_point kNoDeadline = Clock::time_point::max();
  static constexpr Pace::Seconds kLongest{1e6};  ///< that the clock can add up

  /// A deadline so many seconds after `begin`, of which at most kLongest count.
  static Clock::time_point deadline_after(Clock::time_point begin, double seconds) {
    return begin + std::chrono::duration_cast<Clock::duration>(std::min(Pace::Seconds(seconds), kLongest));
  }

  /// The policy, which outlives it, acting with these settings. Measures what decisions take, and so makes
  /// what a first one makes. Throws as Policy::sampler_options and Sampler.
  TimedPolicy(const Policy& policy, const Settings& settings, std::shared_ptr<Device> device);
  TimedPolicy(const TimedPolicy&) = delete;

  const Sampler<float>& sampler() const { return sampler_; }
  std::size_t observation_length() const { return size(policy_.dimensions().observation); }
  std::size_t action_length() const { return size(policy_.dimensions().action); }
  std::size_t chunk_length() const { return size(policy_.dimensions().chunk()); }
  /// Rows that are decided side by side: as many as a CPU has threads, all on a device of whole batches.
  std::size_t rows_at_once() const;
  /// Flow steps of a decision in full; 0 where a denoiser or a deterministic actor acts.
  int flow_steps() const { return flows() ? sampler_.options().flow.flow_steps : 0; }

  // observation [S], finite; moment as its members say, spent finite or NaN; values: whether the critics are
  // asked for more than the choice needs. All throw Error(diverged) where an answer is not finite.

  /// Decides anew within the deadline, or falls back: to what `last` planned for this step of this seed and
  /// episode, else to the safe action [A] (not read without a deadline). `last` becomes the chunk that was
  /// decided, if one was. out [A or h A] gets the first actions. On a device of whole batches a decision is
  /// not shortened: where it does not fit in, there is none.
  Decision act(std::span<const float> observation, const DecisionMoment& moment, Clock::time_point deadline,
               std::span<const float> safe_action, bool values, LastChunk& last, std::span<float> out);
  /// Decides anew for n rows without deadlines: observations [n, S], chunks [n, h A], of which every row
  /// counts the cost or none does. A row has the bits that it has alone.
  void decide(std::span<const float> observations, std::span<const DecisionMoment> moments, bool values,
              std::span<float> chunks, std::span<Decision> decisions) {
    decide(observations, moments, values, nullptr, chunks, decisions);
  }
  /// What the critics say; chunk [h A] or empty. Throws InvalidArgument without critics.
  Decision judge(std::span<const float> observation, const DecisionMoment& moment,
                 std::span<const float> chunk);

  /// What a decision of least work is expected to take.
  Pace::Seconds least_time(bool values) const {
    Pace pace;
    times_[values].tell(pace);
    return pace.rest + pace.unit;
  }

 private:
  static std::size_t size(int n) { return static_cast<std::size_t>(n); }
  bool flows() const;
  void decide(std::span<const float> observations, std::span<const DecisionMoment> moments, bool values,
              Pace* pace, std::span<float> chunks, std::span<Decision> decisions);
  Decision nothing_known(const DecisionMoment& moment) const;
  void judge_state(Decision& decision) const;
  DecisionTimes measured_times(bool values);

  const Policy& policy_;
  std::shared_ptr<Device> device_;
  Sampler<float> sampler_;
  // Of the decisions that are made: noise, and what the sampler reads and writes, row by row.
  std::vector<float> noise_, chunk_, q_cost_, q_reward_, v_cost_, v_reward_;
  std::vector<double> spent_;
  std::vector<std::int64_t> steps_;
  DecisionTimes times_[2];  // without and with values
};

}  // namespace r2pac
