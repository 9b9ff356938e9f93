// The requests that wait, and the order in which they are answered.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "serving/connection.h"
#include "serving/served_policy.h"

namespace r2pac::serving {

/// A request to act that can be answered.
struct Request {
  Connection* from = nullptr;
  std::uint32_t number = 0;
  DecisionMoment moment;
  Clock::time_point begin;     ///< when it was sent, or arrived
  Clock::time_point deadline;  ///< TimedPolicy::kNoDeadline: none
  bool judged = false;         ///< whether the critics are asked
  std::size_t row = 0;         ///< of its numbers in the queue
  std::uint64_t order = 0;     ///< of its arrival

  bool timed() const { return deadline != TimedPolicy::kNoDeadline; }
};

/// What becomes of a request: an action [A], or none where the action or a value is not finite.
struct Outcome {
  Decision decision;
  std::span<const float> action;  ///< empty: none
};

/// Holds the numbers of requests, and takes no memory for one.
class RequestQueue {
 public:
  using Reply = std::function<void(const Request&, const Outcome&)>;

  /// Room for so many requests with deadlines and without, >= 1, to policies of these lengths.
  RequestQueue(std::size_t timed, std::size_t others, std::size_t observation_length,
               std::size_t action_length);

  bool empty() const { return requests_.empty(); }
  /// Whether one of them has a deadline.
  bool timed() const { return timed_ > 0; }
  /// Whether there is room for a request with a deadline, or without.
  bool has_room(bool timed) const {
    return !free_rows_.empty() && (timed || requests_.size() - timed_ < most_others_);
  }
  /// Takes the numbers of a request that refusal_of lets pass.
  void add(Request request, const ActRequest& numbers);

  /// Answers a batch: all with deadlines, the soonest first, each within its own; then as many of the others
  /// as the policy decides side by side, so that no request with a deadline that comes now waits for more
  /// than these. A client's last chunk becomes what was decided for it.
  void answer(ServedPolicy& policy, const Reply& reply);

 private:
  void answer_timed(ServedPolicy& policy, std::size_t i, const Reply& reply);
  void answer_together(ServedPolicy& policy, std::span<const Request> requests, const Reply& reply);
  void choose_others(std::size_t first, std::size_t most);
  std::span<const float> row(const std::vector<float>& all, std::size_t row, std::size_t length) const {
    return std::span(all).subspan(row * length, length);
  }

  std::size_t most_others_, observation_length_, action_length_;
  std::size_t timed_ = 0;  // requests with deadlines
  std::uint64_t arrived_ = 0;
  std::vector<Request> requests_;
  std::vector<std::size_t> free_rows_;
  std::vector<float> observations_, safe_actions_;  // [rows, S], [rows, A], by Request::row
  // Of requests that are answered together, one after the other.
  std::vector<Request> together_;
  std::vector<float> seen_, chunks_, action_;
  std::vector<DecisionMoment> moments_;
  std::vector<Decision> decisions_;
};

}  // namespace r2pac::serving
