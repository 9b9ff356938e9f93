#include "serving/queue.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"

namespace r2pac::serving {
namespace {

/// Whether the policy's answer is at fault, and not the server.
bool diverged(const Error& error) { return error.code() == ExitCode::diverged; }

/// Whether what the critics were asked for is finite, as `sample` wants it. An action that is none never
/// comes.
bool finite(const Decision& decision, bool judged, bool has_critics) {
  const bool decided = decision.source == Source::full || decision.source == Source::reduced;
  return !judged || !has_critics || !decided ||
         (std::isfinite(decision.q_cost) && std::isfinite(decision.q_reward) &&
          std::isfinite(decision.v_cost) && std::isfinite(decision.v_reward));
}

}  // namespace

RequestQueue::RequestQueue(std::size_t timed, std::size_t others, std::size_t observation_length,
                           std::size_t action_length)
    : most_others_(others),
      observation_length_(observation_length),
      action_length_(action_length),
      observations_((timed + others) * observation_length),
      safe_actions_((timed + others) * action_length),
      seen_(others * observation_length),
      action_(action_length),
      moments_(others),
      decisions_(others) {
  const std::size_t rows = timed + others;
  requests_.reserve(rows);
  together_.reserve(others);
  for (std::size_t row = rows; row-- > 0;) free_rows_.push_back(row);
}

void RequestQueue::add(Request request, const ActRequest& numbers) {
  request.row = free_rows_.back();
  free_rows_.pop_back();
  request.order = arrived_++;
  copy_numbers(numbers.observation,
               std::span(observations_).subspan(request.row * observation_length_, observation_length_));
  if (!numbers.safe_action.empty())
    copy_numbers(numbers.safe_action,
                 std::span(safe_actions_).subspan(request.row * action_length_, action_length_));
  timed_ += request.timed();
  request.from->wait_for_answer();
  requests_.push_back(request);
}

void RequestQueue::answer(ServedPolicy& policy, const Reply& reply) {
  std::ranges::sort(requests_, {}, [](const Request& r) { return std::pair(r.deadline, r.order); });
  for (std::size_t i = 0; i < timed_; ++i) {
    answer_timed(policy, i, reply);
    free_rows_.push_back(requests_[i].row);
  }
  choose_others(std::exchange(timed_, 0), policy.acting.rows_at_once());
  if (together_.empty()) return;
  answer_together(policy, together_, reply);
  for (const Request& request : together_) free_rows_.push_back(request.row);
}

/// Of the requests without deadlines, which are those from `first` on, the oldest and at most so many that
/// ask like it are moved to together_. The others stay, and nothing else.
void RequestQueue::choose_others(std::size_t first, std::size_t most) {
  together_.clear();
  std::size_t kept = 0;
  for (std::size_t i = first; i < requests_.size(); ++i) {
    const Request& request = requests_[i];
    const bool alike =
        together_.empty() || (request.judged == together_[0].judged &&
                              std::isnan(request.moment.spent) == std::isnan(together_[0].moment.spent));
    if (alike && together_.size() < most)
      together_.push_back(request);
    else
      requests_[kept++] = request;
  }
  requests_.resize(kept);
}

/// Request i of those with deadlines. It gets an even share of the time until those after it are due, so
/// that they get theirs, too; where that is too little for any decision, all that is left of its own.
void RequestQueue::answer_timed(ServedPolicy& policy, std::size_t i, const Reply& reply) {
  const Request& request = requests_[i];
  const Clock::time_point now = Clock::now();
  Clock::time_point share = request.deadline;
  for (std::size_t j = i + 1; j < timed_; ++j)
    share = std::min(share, now + (requests_[j].deadline - now) / static_cast<int>(j - i + 1));
  const bool enough = share - now >= policy.acting.least_time(request.judged);
  Outcome outcome;
  try {
    outcome.decision =
        policy.acting.act(row(observations_, request.row, observation_length_), request.moment,
                          enough ? share : request.deadline, row(safe_actions_, request.row, action_length_),
                          request.judged, request.from->last, action_);
    if (finite(outcome.decision, request.judged, policy.policy.has_critics())) outcome.action = action_;
    if (outcome.decision.source != Source::chunk && outcome.decision.source != Source::safe_action)
      request.from->last_by = policy.checksum();
  } catch (const Error& error) {
    if (!diverged(error)) throw;
  }
  reply(request, outcome);
}

/// Requests without deadlines that ask alike.
void RequestQueue::answer_together(ServedPolicy& policy, std::span<const Request> requests,
                                   const Reply& reply) {
  const std::size_t n = requests.size(), chunk = policy.acting.chunk_length();
  chunks_.resize(moments_.size() * chunk);
  for (std::size_t i = 0; i < n; ++i) {
    std::ranges::copy(row(observations_, requests[i].row, observation_length_),
                      seen_.begin() + static_cast<std::ptrdiff_t>(i * observation_length_));
    moments_[i] = requests[i].moment;
  }
  try {
    policy.acting.decide(std::span(seen_).first(n * observation_length_), std::span(moments_).first(n),
                         requests[0].judged, std::span(chunks_).first(n * chunk), decisions_);
  } catch (const Error& error) {
    if (!diverged(error)) throw;
    if (n == 1) return reply(requests[0], {});
    // One of them is at fault: each alone.
    for (std::size_t i = 0; i < n; ++i) answer_together(policy, requests.subspan(i, 1), reply);
    return;
  }
  for (std::size_t i = 0; i < n; ++i) {
    Connection& client = *requests[i].from;
    const std::span<const float> planned = row(chunks_, i, chunk);
    client.last.planned = true;
    client.last.at = requests[i].moment;
    client.last.chunk.assign(planned.begin(), planned.end());
    client.last_by = policy.checksum();
    const bool can = finite(decisions_[i], requests[i].judged, policy.policy.has_critics());
    reply(requests[i], {decisions_[i], planned.first(can ? action_length_ : 0)});
  }
}

}  // namespace r2pac::serving
