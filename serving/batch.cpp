#include "serving/batch.h"

#include <algorithm>
#include <cmath>
#include <tuple>

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

Batch::Batch(std::size_t rows, std::size_t observation_length, std::size_t action_length)
    : rows_(rows),
      observation_length_(observation_length),
      action_length_(action_length),
      observations_(rows * observation_length),
      safe_actions_(rows * action_length),
      seen_(rows * observation_length),
      action_(action_length),
      moments_(rows),
      decisions_(rows) {
  requests_.reserve(rows);
}

void Batch::add(Request request, const ActRequest& numbers) {
  request.row = requests_.size();
  copy_numbers(numbers.observation,
               std::span(observations_).subspan(request.row * observation_length_, observation_length_));
  if (!numbers.safe_action.empty())
    copy_numbers(numbers.safe_action,
                 std::span(safe_actions_).subspan(request.row * action_length_, action_length_));
  timed_ |= request.timed();
  request.from->wait_for_answer();
  requests_.push_back(request);
}

void Batch::answer(ServedPolicy& policy, const std::function<void(const Request&, const Outcome&)>& reply) {
  const auto kind = [](const Request& r) {
    return std::tuple(r.deadline, r.judged, std::isnan(r.moment.spent), r.row);
  };
  std::ranges::sort(requests_, {}, kind);
  const auto timed = static_cast<std::size_t>(std::ranges::count_if(requests_, &Request::timed));
  for (std::size_t i = 0; i < timed; ++i) answer_timed(policy, i, timed, reply);
  for (std::size_t first = timed, last; first < requests_.size(); first = last) {
    const auto like_first = [&](const Request& r) {
      return r.judged == requests_[first].judged &&
             std::isnan(r.moment.spent) == std::isnan(requests_[first].moment.spent);
    };
    for (last = first + 1; last < requests_.size() && like_first(requests_[last]);) ++last;
    answer_together(policy, std::span(requests_).subspan(first, last - first), reply);
  }
  requests_.clear();
  timed_ = false;
}

/// Request i of `timed` with deadlines. It gets an even share of the time until those after it are due, so
/// that they get theirs, too; where that is too little for any decision, all that is left of its own.
void Batch::answer_timed(ServedPolicy& policy, std::size_t i, std::size_t timed,
                         const std::function<void(const Request&, const Outcome&)>& reply) {
  const Request& request = requests_[i];
  const Clock::time_point now = Clock::now();
  Clock::time_point share = request.deadline;
  for (std::size_t j = i + 1; j < timed; ++j)
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
void Batch::answer_together(ServedPolicy& policy, std::span<const Request> requests,
                            const std::function<void(const Request&, const Outcome&)>& reply) {
  const std::size_t n = requests.size(), chunk = policy.acting.chunk_length();
  if (chunks_.size() < rows_ * chunk) chunks_.resize(rows_ * chunk);
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
