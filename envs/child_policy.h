// A policy that runs elsewhere: anyone's program in a child process, which is asked for actions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace r2pac {

class Conversation;

/// How the program is run.
struct ChildPolicyOptions {
  std::string command;           ///< run by `/bin/sh -c`
  double start_timeout = 120;    ///< seconds until it has said what it is
  double step_timeout = 60;      ///< seconds for the actions of one step
  std::function<bool()> stop{};  ///< asked while it is waited for, ten times a second; true: Interrupted
};

/// What a policy is asked to act in.
struct PolicyTask {
  int observation_dim = 0, action_dim = 0;  ///< S and A
  int episodes_at_once = 1;                 ///< n is at most this
  std::uint64_t seed = 0;                   ///< of starts and noise
  std::optional<double> cost_limit{};       ///< kappa, if the policy does not say another; none: unknown
  std::string environment{};                ///< its name
};

/// One decision for each of n unfinished episodes.
struct Decisions {
  std::span<const float> observations;     ///< [n, S]
  std::span<const std::int64_t> episodes;  ///< [n]
  std::span<const int> steps;              ///< [n], from 0
  std::span<const double> spent, earned;   ///< [n], sums of costs and rewards of the episode so far
};

/// The protocol is that of docs/environments.md, "A policy". Nothing that the program says is trusted: when
/// it is missing, dies, hangs, reports a failure or sends anything that does not fit, every call throws
/// Error(ExitCode::environment) within the stated time. The program is ended with the object.
class ChildPolicy {
 public:
  /// Starts the program. Throws InvalidArgument where an option is out of its range, Error(usage) where a
  /// step does not fit a message.
  ChildPolicy(ChildPolicyOptions options, const PolicyTask& task);
  ~ChildPolicy();
  ChildPolicy(const ChildPolicy&) = delete;
  ChildPolicy& operator=(const ChildPolicy&) = delete;

  /// What it says of itself: text of its own, at most 64 KiB.
  const std::string& description() const { return description_; }

  /// Writes actions [n, A], each finite and within [-1, 1].
  void act(const Decisions& decisions, std::span<float> actions);

  /// Ends the program, which may take two seconds for it.
  void close();

 private:
  template <class Action>
  void converse(const Action& action);

  ChildPolicyOptions options_;
  std::string command_;  // as a person would type it
  std::unique_ptr<Conversation> child_;
  std::string description_;
  std::uint32_t requests_ = 0;
};

}  // namespace r2pac
