#include "serving/server.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <optional>

#include "base/error.h"
#include "serving/listening.h"

namespace r2pac::serving {
namespace {

constexpr std::chrono::milliseconds kLook{100};  // between two looks at everything else
constexpr int kMostAccepted = 16;                // in a turn

/// When a request began: when its client says that it sent it, unless that cannot be.
Clock::time_point begin_of(const ActFields& fields, Clock::time_point arrived, Clock::time_point now) {
  const Clock::time_point sent{std::chrono::nanoseconds(fields.sent)};  // of the same clock
  return fields.sent > 0 && sent <= now && now - sent < TimedPolicy::kLongest ? sent : arrived;
}

Clock::duration whole(Pace::Seconds seconds) { return std::chrono::duration_cast<Clock::duration>(seconds); }

}  // namespace

Server::Server(PolicyWatch& watch, std::vector<int> listeners, const ServerLimits& limits)
    : watch_(watch),
      policy_(watch.first()),
      facts_(policy_->facts()),
      listeners_(std::move(listeners)),
      limits_(limits),
      queue_(limits.clients, limits.batch, policy_->acting.observation_length(),
             policy_->acting.action_length()) {}

void Server::show_metrics(Descriptor listener) {
  metrics_ = std::make_unique<MetricsPage>(std::move(listener),
                                           [this] { return counters_.page(policy_->policy.checksum()); });
}

void Server::run(const std::function<bool()>& stop, const std::function<void()>& between) {
  watch_.start();
  while (!stop()) {
    counters_.bad_swaps = watch_.refused();
    if (watch_.swap(policy_)) {
      facts_ = policy_->facts();
      ++counters_.swaps;
    }
    turn(kLook);
    between();
  }
}

void Server::drain() {
  listeners_.clear();
  metrics_.reset();
  const Clock::time_point begin = Clock::now(), end = begin + whole(limits_.patience);
  for (Connection& client : clients_) client.receive(begin);
  do {
    collect(Clock::now());
    if (!queue_.empty()) answer();
  } while ((more_is_there_ || !queue_.empty()) && Clock::now() < end);
  for (Connection& client : clients_)
    if (!client.closing()) client.fail(Code::ending, "the server ends", Clock::now());
  while (!clients_.empty() && Clock::now() < end) {
    wait_for_sockets(kLook);
    part(Clock::now());
  }
}

/// Waits for at most so long, takes what came, and answers it if it is time.
void Server::turn(Clock::duration longest) {
  if (more_is_there_ || answering_)
    longest = {};
  else if (!queue_.empty())
    longest = std::clamp(batch_end_ - Clock::now(), Clock::duration{}, longest);
  wait_for_sockets(longest);
  const Clock::time_point now = Clock::now();
  if (knocked_) {
    part(now);  // so that there are the places of those who left
    accept(now);
  }
  collect(now);
  const bool full = !queue_.has_room(false);
  if (!queue_.empty() && (answering_ || full || queue_.timed() || Clock::now() >= batch_end_)) answer();
  if (metrics_ != nullptr && (knocked_ || metrics_->has_readers())) metrics_->go_on(now);
  part(Clock::now());
}

/// Polls, and reads from and writes to the clients that are ready.
void Server::wait_for_sockets(Clock::duration longest) {
  polled_.clear();
  for (const Connection& client : clients_) {
    const int events = (client.wants_to_receive() ? POLLIN : 0) | (client.wants_to_send() ? POLLOUT : 0);
    // A negative one is passed over, and does not say again and again that the client has gone.
    polled_.push_back({events != 0 ? client.descriptor() : -1, static_cast<short>(events), 0});
  }
  if (Clock::now() >= accept_after_)
    for (const int listener : listeners_) polled_.push_back({listener, POLLIN, 0});
  if (metrics_ != nullptr) metrics_->add_to(polled_);
  const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(longest).count();
  const timespec timeout{static_cast<time_t>(nanoseconds / 1'000'000'000), nanoseconds % 1'000'000'000};
  knocked_ = false;
  if (::ppoll(polled_.data(), polled_.size(), &timeout, nullptr) <= 0) return;  // nothing, or a signal
  const Clock::time_point now = Clock::now();
  auto polled = polled_.begin();
  for (Connection& client : clients_) {
    const short events = (polled++)->revents;
    if (events & (POLLIN | POLLHUP | POLLERR)) client.receive(now);
    if (events & (POLLOUT | POLLERR)) client.send(now);
  }
  knocked_ = std::any_of(polled, polled_.end(), [](const pollfd& other) { return other.revents != 0; });
}

void Server::accept(Clock::time_point now) {
  for (const int listener : listeners_)
    for (int i = 0; i < kMostAccepted; ++i) {
      Descriptor socket = accept_client(listener);
      if (!socket.valid()) {
        if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ECONNABORTED) accept_after_ = now + kLook;
        break;
      }
      ++counters_.all_clients;
      if (clients_.size() >= limits_.clients + kMostAccepted) continue;  // not even a word
      Connection& client = clients_.emplace_back(std::move(socket), facts_.largest_payload,
                                                 largest_answer(facts_.action_length), now);
      const auto here = std::ranges::count_if(clients_, [](const Connection& c) { return !c.closing(); });
      if (static_cast<std::size_t>(here) > limits_.clients) {
        ++counters_.crowded;
        client.fail(Code::crowded, "the server has as many clients as it takes", now);
      }
    }
}

/// Fills the queue, by a request of each client in turn.
void Server::collect(Clock::time_point now) {
  if (!clients_.empty()) clients_.splice(clients_.end(), clients_, clients_.begin());
  more_is_there_ = false;
  for (bool any = true; any;) {
    any = false;
    for (Connection& client : clients_) any |= take_one(client, now);
  }
}

/// Whether a frame was taken. A connection that breaks the protocol is ended when its requests are answered.
bool Server::take_one(Connection& client, Clock::time_point now) {
  const auto not_yet = [&] {  // but right behind the answers that are waited for
    more_is_there_ |= !queue_.empty();
    return false;
  };
  if (!client.has_room()) return client.waiting() > 0 ? not_yet() : false;
  try {
    const std::optional<Frame> frame = client.next();
    if (!frame) return false;
    if (!take(client, *frame, now)) return not_yet();
    client.take(*frame);
    return true;
  } catch (const Error& error) {
    if (client.waiting() > 0) return not_yet();
    ++counters_.protocol;
    client.fail(Code::protocol, error.what(), now);
    return false;
  }
}

/// False where the queue has no room for it.
bool Server::take(Connection& client, const Frame& frame, Clock::time_point now) {
  const std::uint32_t number = frame.header.number;
  if (frame.header.type == Type::info) {
    append_facts(client.out(), number, facts_);
    client.send(now);
    return true;
  }
  const ActRequest act = parse_act(frame.payload);
  if (const auto refusal = refusal_of(act, facts_.observation_length, facts_.action_length)) {
    ++counters_.requests;
    ++counters_.refused;
    append_reason(client.out(), Type::refusal, number, refusal->code, refusal->text);
    client.send(now);
    return true;
  }
  const ActFields& fields = act.fields;
  if (!queue_.has_room(fields.deadline > 0)) return false;
  ++counters_.requests;
  if (queue_.empty()) batch_end_ = now + whole(limits_.wait);
  Request request;
  request.from = &client;
  request.number = number;
  request.moment = {fields.seed, fields.step, fields.episode, fields.spent};
  request.begin = begin_of(fields, client.received_at(), now);
  request.deadline = fields.deadline > 0 ? TimedPolicy::deadline_after(request.begin, fields.deadline)
                                         : TimedPolicy::kNoDeadline;
  request.judged = fields.judged != 0;
  queue_.add(request, act);
  return true;
}

void Server::answer() {
  ++counters_.batches;
  queue_.answer(*policy_,
                [this](const Request& request, const Outcome& outcome) { reply(request, outcome); });
  answering_ = !queue_.empty();
}

void Server::reply(const Request& request, const Outcome& outcome) {
  const Clock::time_point now = Clock::now();
  Connection& client = *request.from;
  client.stop_waiting();
  const Decision& decision = outcome.decision;
  if (outcome.action.empty()) {
    ++counters_.refused;
    if (!client.closing())
      append_reason(client.out(), Type::refusal, request.number, Code::diverged,
                    "the policy's answer is not finite");
    return client.send(now);
  }
  const double seconds = Pace::Seconds(now - request.begin).count();
  ++counters_.answers[static_cast<std::size_t>(decision.source)];
  counters_.misses += now > request.deadline;
  counters_.latency.note(seconds);
  AnswerFields fields;
  fields.checksum = decision.source == Source::chunk ? client.last_by : policy_->checksum();
  tell(decision, fields);
  fields.seconds = seconds;
  if (!client.closing()) append_answer(client.out(), request.number, fields, outcome.action);
  client.send(now);
}

/// Ends the connections of clients that stall, and forgets those that have gone.
void Server::part(Clock::time_point now) {
  for (Connection& client : clients_)
    if (!client.closing() && client.stalls(now, whole(limits_.patience))) {
      ++counters_.stalled;
      client.fail(Code::stalled, "the client leaves a frame unfinished, its answers untaken, or says nothing",
                  now);
    }
  clients_.remove_if([&](const Connection& client) { return client.done(now); });
  counters_.clients = clients_.size();
}

}  // namespace r2pac::serving
