// A policy that was opened for acting, in the types of the C interface. One thread at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "library/r2pac.h"
#include "policy/policy.h"
#include "policy/timed_policy.h"

namespace r2pac {

class OpenPolicy {
 public:
  /// Throws as Policy::load.
  explicit OpenPolicy(const std::filesystem::path& path);
  OpenPolicy(const OpenPolicy&) = delete;

  /// Throws Error, of an option ExitCode::settings; then nothing has changed.
  void set_option(const std::string& name, const std::string& value);
  void forget_chunk() { last_.planned = false; }

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

  Policy policy_;
  Settings settings_;
  int threads_ = 1;
  Precision precision_ = Precision::fp32;
  std::unique_ptr<TimedPolicy> acting_;
  std::vector<float> chunk_;  // of the decision that is made
  LastChunk last_;
};

}  // namespace r2pac
