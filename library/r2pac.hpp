// R2PAC: acting with a trained policy, from C++20. Header only, over r2pac.h, which says what each call does;
// here a call that fails throws a Failure.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "r2pac.h"

namespace r2pac {
inline namespace v1 {

/// What a call says that failed.
class Failure : public std::runtime_error {
 public:
  Failure(int status, const std::string& message) : std::runtime_error(message), status_(status) {}
  /// One of r2pac_status.
  int status() const { return status_; }

 private:
  int status_;
};

/// A time within which an action is wanted, and what to do when nothing else is ready.
struct Within {
  std::chrono::duration<double> time;
  std::span<const float> safe_action;  ///< [A]
};

/// An opened policy; one thread at a time.
class Policy {
 public:
  explicit Policy(const std::string& path) {
    char error[R2PAC_ERROR_SIZE];
    r2pac_policy* opened = nullptr;
    if (const int status = r2pac_open(path.c_str(), &opened, error, sizeof error))
      throw Failure(status, error);
    policy_.reset(opened);
  }

  r2pac_facts facts() const {
    r2pac_facts facts = R2PAC_FACTS;
    check(r2pac_info(policy_.get(), &facts));
    return facts;
  }
  void set(const std::string& option, const std::string& value) {
    check(r2pac_set_option(policy_.get(), option.c_str(), value.c_str()));
  }
  void reset() { r2pac_reset(policy_.get()); }

  /// judged: whether the answer has what the critics say.
  r2pac_answer act(std::span<const float> observation, const r2pac_moment& moment, std::span<float> action,
                   bool judged = true) {
    return act(observation, moment, nullptr, action, judged);
  }
  r2pac_answer act(std::span<const float> observation, const r2pac_moment& moment, const Within& within,
                   std::span<float> action, bool judged = true) {
    if (within.safe_action.size() != action.size())
      throw Failure(R2PAC_USAGE, "the safe action has another length than the action");
    const r2pac_deadline deadline{within.time.count(), within.safe_action.data()};
    return act(observation, moment, &deadline, action, judged);
  }
  /// answers: empty, or [rows].
  void act_batch(std::span<const float> observations, std::span<const r2pac_moment> moments,
                 std::span<float> actions, std::span<r2pac_answer> answers = {}) {
    if (!answers.empty() && answers.size() != moments.size())
      throw Failure(R2PAC_USAGE, "there are not as many answers as moments");
    if (!answers.empty()) answers.front() = R2PAC_ANSWER;
    check(r2pac_act_batch(policy_.get(), moments.size(), observations.data(), observations.size(),
                          moments.data(), actions.data(), actions.size(),
                          answers.empty() ? nullptr : answers.data()));
  }
  r2pac_answer chunk(std::span<const float> observation, const r2pac_moment& moment, std::span<float> chunk) {
    r2pac_answer answer = R2PAC_ANSWER;
    check(r2pac_chunk(policy_.get(), observation.data(), observation.size(), &moment, chunk.data(),
                      chunk.size(), &answer));
    return answer;
  }
  /// chunk empty: of the observation alone.
  r2pac_answer values(std::span<const float> observation, const r2pac_moment& moment,
                      std::span<const float> chunk = {}) {
    r2pac_answer answer = R2PAC_ANSWER;
    check(r2pac_values(policy_.get(), observation.data(), observation.size(), &moment, chunk.data(),
                       chunk.size(), &answer));
    return answer;
  }

  /// For calls of the C interface.
  r2pac_policy* get() const { return policy_.get(); }

 private:
  struct Close {
    void operator()(r2pac_policy* policy) const { r2pac_close(policy); }
  };
  void check(int status) const {
    if (status != R2PAC_OK) throw Failure(status, r2pac_last_error(policy_.get()));
  }
  r2pac_answer act(std::span<const float> observation, const r2pac_moment& moment,
                   const r2pac_deadline* deadline, std::span<float> action, bool judged) {
    r2pac_answer answer = R2PAC_ANSWER;
    answer.judged = judged;
    check(r2pac_act(policy_.get(), observation.data(), observation.size(), &moment, deadline, action.data(),
                    action.size(), &answer));
    return answer;
  }

  std::unique_ptr<r2pac_policy, Close> policy_;
};

}  // namespace v1
}  // namespace r2pac
