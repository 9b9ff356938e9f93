#include "envs/child_policy.h"

#include <cmath>
#include <limits>
#include <utility>

#include "envs/conversation.h"
#include "envs/environment.h"
#include "envs/simulator_command.h"

namespace r2pac {
namespace {

using Clock = Call::Clock;
using wire::Message;

/// Bytes of the numbers of one row beside its observation.
constexpr std::size_t kRowBytes = sizeof(std::int64_t) + sizeof(std::uint32_t) + 2 * sizeof(double);

void check_actions(const Decisions& decisions, std::span<const float> actions) {
  const std::size_t width = actions.size() / decisions.episodes.size();
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const float action = actions[i];
    if (std::abs(action) <= 1) continue;  // not where it is NaN
    const std::size_t row = i / width;
    const bool finite = std::isfinite(action);
    throw Complaint{
        "action " + std::to_string(i % width) + " in episode " + std::to_string(decisions.episodes[row]) +
            " at step " + std::to_string(decisions.steps[row]) + " is " + shortest(double{action}) +
            (finite ? ", outside [-1, 1]" : ", not a finite number"),
        finite ? "let the policy clip its actions, or divide them by the bounds that its data have "
                 "(--rescale-actions maps [-1, 1] onto those of the environment)"
               : "the policy has to be mended"};
  }
}

}  // namespace

ChildPolicy::ChildPolicy(ChildPolicyOptions options, const PolicyTask& task) : options_(std::move(options)) {
  if (options_.command.empty()) throw InvalidArgument("ChildPolicy: there is no command");
  for (const double timeout : {options_.start_timeout, options_.step_timeout})
    if (!(timeout > 0 && timeout <= kLongestTimeout))
      throw InvalidArgument("ChildPolicy: a timeout is " + shortest(timeout) + " s");
  const std::size_t row = kRowBytes + sizeof(float) * static_cast<std::size_t>(task.observation_dim);
  if (2 * sizeof(std::uint32_t) + row * static_cast<std::size_t>(task.episodes_at_once) >
      wire::kLargestPayload)
    throw Error(ExitCode::usage,
                std::to_string(task.episodes_at_once) + " observations of width " +
                    std::to_string(task.observation_dim) + " do not fit a message",
                options_.command, "score fewer episodes");
  ChildEnvironmentOptions child;
  child.command = options_.command;
  command_ = child_command_text(child);
  try {
    child_ = std::make_unique<Conversation>(child_arguments(child), child_variables(child), options_.stop,
                                            "policy");
  } catch (const Error& error) {
    throw Error(error.code(), error.what(), command_);
  }
  const Call call{.name = "hello", .timeout = options_.start_timeout};
  converse([&] {
    wire::Writer hello(Message::hello);
    hello.put(wire::kPolicyVersion);
    for (const int number : {task.observation_dim, task.action_dim, task.episodes_at_once})
      hello.put(static_cast<std::uint32_t>(number));
    const double limit = task.cost_limit.value_or(std::numeric_limits<double>::quiet_NaN());
    hello.put(std::span(&task.seed, 1))
        .put(std::span(&limit, 1))
        .put(std::span<const char>(task.environment));
    child_->send(call, std::move(hello));
    description_ = child_->receive(call, Message::description, 0, wire::kLargestText);
    child_->use_numbers();
  });
}

ChildPolicy::~ChildPolicy() {
  try {
    close();
  } catch (...) {  // who wants to know calls close()
  }
}

void ChildPolicy::close() {
  if (!child_) return;
  const bool hurry = options_.stop && options_.stop();
  const Call call{"close", hurry ? 0.0 : kClosePatience};
  converse([&] {
    child_->send(call, wire::Writer(Message::close));
    child_->await_end(call);
  });
  child_->process().end(call.deadline);
  child_.reset();
}

template <class Action>
void ChildPolicy::converse(const Action& action) {
  if (!child_)
    throw Error(ExitCode::environment, "the policy's program failed before and has been ended", command_);
  try {
    action();
  } catch (const Complaint& complaint) {
    const std::string output = child_->process().last_output();
    child_.reset();
    if (options_.stop && options_.stop()) throw Interrupted();  // the same signal has ended it
    throw as_error(complaint, command_, output);
  } catch (...) {
    child_.reset();
    throw;
  }
}

void ChildPolicy::act(const Decisions& decisions, std::span<float> actions) {
  const Call call{"decide", options_.step_timeout, ++requests_};
  converse([&] {
    wire::Writer message(Message::decide);
    message.put(requests_).put(static_cast<std::uint32_t>(decisions.episodes.size()));
    message.put(decisions.episodes).put(decisions.steps).put(decisions.spent).put(decisions.earned);
    message.put(decisions.observations);
    child_->send(call, std::move(message));
    const std::string payload =
        child_->receive(call, Message::actions, actions.size_bytes(), actions.size_bytes());
    wire::Reader(payload).take(actions);
    check_actions(decisions, actions);
  });
}

}  // namespace r2pac
