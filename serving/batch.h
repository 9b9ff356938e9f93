// The requests that are answered together.
#pragma once

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
  std::size_t row = 0;         ///< in the batch

  bool timed() const { return deadline != TimedPolicy::kNoDeadline; }
};

/// What becomes of a request: an action [A], or none where the action or a value is not finite.
struct Outcome {
  Decision decision;
  std::span<const float> action;  ///< empty: none
};

class Batch {
 public:
  /// Room for `rows` >= 1 requests to policies of these lengths.
  Batch(std::size_t rows, std::size_t observation_length, std::size_t action_length);

  bool empty() const { return requests_.empty(); }
  bool full() const { return requests_.size() == rows_; }
  /// Whether one of them has a deadline.
  bool timed() const { return timed_; }
  /// Takes the numbers of a request that refusal_of lets pass.
  void add(Request request, const ActRequest& numbers);

  /// Answers all, and empties the batch. Those with deadlines come first, the soonest ahead, each within its
  /// own; then the others at once. A client's last chunk becomes what was decided for it.
  void answer(ServedPolicy& policy, const std::function<void(const Request&, const Outcome&)>& reply);

 private:
  void answer_timed(ServedPolicy& policy, std::size_t first, std::size_t timed,
                    const std::function<void(const Request&, const Outcome&)>& reply);
  void answer_together(ServedPolicy& policy, std::span<const Request> requests,
                       const std::function<void(const Request&, const Outcome&)>& reply);
  std::span<const float> row(const std::vector<float>& all, std::size_t row, std::size_t length) const {
    return std::span(all).subspan(row * length, length);
  }

  std::size_t rows_, observation_length_, action_length_;
  bool timed_ = false;
  std::vector<Request> requests_;
  std::vector<float> observations_, safe_actions_;  // [rows, S], [rows, A], by Request::row
  // Of requests that are answered together, one after the other.
  std::vector<float> seen_, chunks_, action_;
  std::vector<DecisionMoment> moments_;
  std::vector<Decision> decisions_;
};

}  // namespace r2pac::serving
