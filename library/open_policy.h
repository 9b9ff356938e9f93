// A policy that was opened for acting: its sampler, the numbers of one decision, the last chunk, and how long
// decisions take. One thread at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "library/decision_times.h"
#include "library/r2pac.h"
#include "policy/policy.h"

namespace r2pac {

class OpenPolicy {
 public:
  /// Throws as Policy::load.
  explicit OpenPolicy(const std::filesystem::path& path);
  OpenPolicy(const OpenPolicy&) = delete;

  /// Throws Error, of an option ExitCode::settings; then nothing has changed.
  void set_option(const std::string& name, const std::string& value);
  void forget_chunk() { planned_ = false; }

  const Policy& policy() const { return policy_; }
  std::size_t observation_length() const { return size(policy_.dimensions().observation); }
  std::size_t action_length() const { return size(policy_.dimensions().action); }
  std::size_t chunk_length() const { return size(policy_.dimensions().chunk()); }
  r2pac_facts facts() const;

  // observation [S], finite; moment with spent finite or NaN, and step >= 0; values: whether the critics are
  // asked for more than the choice needs.

  /// Decides anew within the deadline, if there is one, or falls back (r2pac_act). out [A or h A] gets the
  /// first actions of the chunk. Throws Error(diverged).
  r2pac_answer act(std::span<const float> observation, const r2pac_moment& moment,
                   const r2pac_deadline* deadline, bool values, std::span<float> out);
  /// Decides anew, and keeps the last chunk. out [A].
  r2pac_answer decide_alone(std::span<const float> observation, const r2pac_moment& moment, bool values,
                            std::span<float> out);
  /// What the critics say; chunk [h A] or empty. Throws Error(usage) without critics.
  r2pac_answer judge(std::span<const float> observation, const r2pac_moment& moment,
                     std::span<const float> chunk);

 private:
  static std::size_t size(int n) { return static_cast<std::size_t>(n); }
  void renew(const Settings& settings, int threads, Precision precision);
  r2pac_answer decide(std::span<const float> observation, const r2pac_moment& moment, bool values, Pace* pace,
                      std::span<float> chunk);
  bool flows() const;
  r2pac_answer nothing_known(const r2pac_moment& moment) const;
  void judge_state(r2pac_answer& answer) const;
  void measure_times(int threads);

  Policy policy_;
  Settings settings_;
  int threads_ = 1;
  Precision precision_ = Precision::fp32;
  std::unique_ptr<Sampler<float>> sampler_;
  std::vector<float> noise_, chunk_;  // of the decision that is made
  // The last chunk, if there is one, and when it was planned.
  bool planned_ = false;
  r2pac_moment planned_at_{};
  std::vector<float> plan_;
  DecisionTimes times_[2];  // without and with values
};

}  // namespace r2pac
