// The C interface: arguments are checked, and every exception becomes a status and a message.
#include "library/r2pac.h"

#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <new>
#include <system_error>

#include "base/error.h"
#include "library/open_policy.h"

struct r2pac_policy {
  explicit r2pac_policy(const char* path) : open(path) {}
  r2pac::OpenPolicy open;
  char error[R2PAC_ERROR_SIZE] = "";
};

namespace {

using r2pac::ExitCode;

static_assert(static_cast<int>(ExitCode::usage) == R2PAC_USAGE &&
              static_cast<int>(ExitCode::data) == R2PAC_OBSERVATION &&
              static_cast<int>(ExitCode::settings) == R2PAC_OPTION &&
              static_cast<int>(ExitCode::checkpoint) == R2PAC_POLICY &&
              static_cast<int>(ExitCode::device) == R2PAC_DEVICE &&
              static_cast<int>(ExitCode::diverged) == R2PAC_DIVERGED &&
              static_cast<int>(ExitCode::disk) == R2PAC_DISK);

/// Where messages go.
struct Message {
  char* text;
  std::size_t size;

  /// Writes it, without taking memory, and returns the status.
  [[gnu::format(printf, 3, 4)]] int say(int status, const char* format, ...) const {
    if (text == nullptr || size == 0) return status;
    std::va_list values;
    va_start(values, format);
    std::vsnprintf(text, size, format, values);
    va_end(values);
    return status;
  }
};

Message message_of(r2pac_policy* policy) { return {policy->error, sizeof policy->error}; }

/// What `work` returns, or the status of what it throws.
template <class Work>
int guarded(const Message& message, Work work) noexcept {
  try {
    return work();
  } catch (const r2pac::Error& e) {
    return message.say(static_cast<int>(e.code()), "%s%s%s%s%s%s", e.what(), e.where().empty() ? "" : " (",
                       e.where().c_str(), e.where().empty() ? "" : ")", e.todo().empty() ? "" : ": ",
                       e.todo().c_str());
  } catch (const r2pac::InvalidArgument& e) {
    return message.say(R2PAC_USAGE, "%s", e.what());
  } catch (const std::bad_alloc&) {
    return message.say(R2PAC_MEMORY, "there is not enough memory");
  } catch (const std::system_error& e) {
    return message.say(e.code() == std::errc::resource_unavailable_try_again ? R2PAC_DEVICE : R2PAC_DISK,
                       "the system refuses: %s", e.what());
  } catch (const std::exception& e) {
    return message.say(R2PAC_INTERNAL, "internal error: %s", e.what());
  } catch (...) {
    return message.say(R2PAC_INTERNAL, "internal error");
  }
}

/// R2PAC_OK where an observation can be used.
int require_observation(const Message& message, const char* of, std::span<const float> observation) {
  for (std::size_t i = 0; i < observation.size(); ++i)
    if (!std::isfinite(observation[i]))
      return message.say(R2PAC_OBSERVATION, "the observation%s holds a number that is not finite, at %zu", of,
                         i);
  return R2PAC_OK;
}

int require_length(const Message& message, const char* what, std::size_t expected, std::size_t actual,
                   int status = R2PAC_USAGE) {
  if (actual == expected) return R2PAC_OK;
  return message.say(status, "the %s has %zu numbers, the policy's has %zu", what, actual, expected);
}

int require_moment(const Message& message, const r2pac_moment& moment) {
  if (moment.step < 0) return message.say(R2PAC_USAGE, "the step of a moment is below 0");
  if (std::isinf(moment.spent))
    return message.say(R2PAC_USAGE, "the cost spent is infinite; it is NAN where nobody counts it");
  return R2PAC_OK;
}

/// Whether the caller's structure is one of this version or a later one.
template <class Structure>
int require_size(const Message& message, const Structure* structure) {
  if (structure == nullptr || structure->size >= sizeof(Structure)) return R2PAC_OK;
  return message.say(R2PAC_USAGE, "`size` of the structure to fill is %zu, but must be its sizeof, %zu",
                     structure->size, sizeof(Structure));
}

/// Fills a structure of the caller; what the caller says in it stays.
void fill(r2pac_facts* to, r2pac_facts from) {
  from.size = to->size;
  *to = from;
}
void fill(r2pac_answer* to, r2pac_answer from, const r2pac_answer& wanted) {
  from.size = wanted.size;
  from.judged = wanted.judged;
  *to = from;
}

/// What every question about one observation needs.
int require_question(r2pac_policy* policy, const float* observation, std::size_t length,
                     const r2pac_moment* moment, const r2pac_answer* answer) {
  const Message message = message_of(policy);
  int status =
      require_length(message, "observation", policy->open.observation_length(), length, R2PAC_OBSERVATION);
  if (status == R2PAC_OK && (observation == nullptr || moment == nullptr))
    return message.say(R2PAC_USAGE, "the observation or the moment is a null pointer");
  if (status == R2PAC_OK) status = require_observation(message, "", {observation, length});
  if (status == R2PAC_OK) status = require_moment(message, *moment);
  return status == R2PAC_OK ? require_size(message, answer) : status;
}

/// r2pac_act and r2pac_chunk, which differ in how much of the chunk they give.
int act(r2pac_policy* policy, const float* observation, std::size_t observation_length,
        const r2pac_moment* moment, const r2pac_deadline* deadline, float* out, std::size_t out_length,
        r2pac_answer* answer) {
  const Message message = message_of(policy);
  if (const int status = require_question(policy, observation, observation_length, moment, answer))
    return status;
  if (out == nullptr) return message.say(R2PAC_USAGE, "the place of the action is a null pointer");
  if (deadline != nullptr && (!(deadline->seconds > 0) || deadline->safe_action == nullptr))
    return message.say(R2PAC_USAGE, "a deadline wants seconds above 0 and a safe action");
  return guarded(message, [&] {
    const bool judged = answer != nullptr && answer->judged != 0;
    const r2pac_answer given =
        policy->open.act({observation, observation_length}, *moment, deadline, judged, {out, out_length});
    if (answer != nullptr) fill(answer, given, *answer);
    return R2PAC_OK;
  });
}

}  // namespace

extern "C" {

int r2pac_open(const char* path, r2pac_policy** policy, char* error, size_t error_size) {
  const Message message{error, error_size};
  message.say(R2PAC_OK, "%s", "");
  if (policy == nullptr) return message.say(R2PAC_USAGE, "the place of the policy is a null pointer");
  *policy = nullptr;
  if (path == nullptr) return message.say(R2PAC_USAGE, "the path is a null pointer");
  return guarded(message, [&] {
    *policy = new r2pac_policy(path);
    return R2PAC_OK;
  });
}

void r2pac_close(r2pac_policy* policy) { delete policy; }

int r2pac_info(const r2pac_policy* policy, r2pac_facts* facts) {
  if (policy == nullptr || facts == nullptr || facts->size < sizeof *facts) return R2PAC_USAGE;
  return guarded({nullptr, 0}, [&] {
    fill(facts, policy->open.facts());
    return R2PAC_OK;
  });
}

int r2pac_set_option(r2pac_policy* policy, const char* name, const char* value) {
  if (policy == nullptr) return R2PAC_USAGE;
  const Message message = message_of(policy);
  if (name == nullptr || value == nullptr) return message.say(R2PAC_USAGE, "the option is a null pointer");
  return guarded(message, [&] {
    policy->open.set_option(name, value);
    return R2PAC_OK;
  });
}

void r2pac_reset(r2pac_policy* policy) {
  if (policy != nullptr) policy->open.forget_chunk();
}

int r2pac_act(r2pac_policy* policy, const float* observation, size_t observation_length,
              const r2pac_moment* moment, const r2pac_deadline* deadline, float* action, size_t action_length,
              r2pac_answer* answer) {
  if (policy == nullptr) return R2PAC_USAGE;
  if (const int status =
          require_length(message_of(policy), "action", policy->open.action_length(), action_length))
    return status;
  return act(policy, observation, observation_length, moment, deadline, action, action_length, answer);
}

int r2pac_chunk(r2pac_policy* policy, const float* observation, size_t observation_length,
                const r2pac_moment* moment, float* chunk, size_t chunk_length, r2pac_answer* answer) {
  if (policy == nullptr) return R2PAC_USAGE;
  if (const int status =
          require_length(message_of(policy), "chunk", policy->open.chunk_length(), chunk_length))
    return status;
  return act(policy, observation, observation_length, moment, nullptr, chunk, chunk_length, answer);
}

int r2pac_act_batch(r2pac_policy* policy, size_t rows, const float* observations, size_t observations_length,
                    const r2pac_moment* moments, float* actions, size_t actions_length,
                    r2pac_answer* answers) {
  if (policy == nullptr) return R2PAC_USAGE;
  const Message message = message_of(policy);
  const std::size_t s = policy->open.observation_length(), a = policy->open.action_length();
  if (observations_length % s != 0 || observations_length / s != rows || actions_length % a != 0 ||
      actions_length / a != rows)
    return message.say(R2PAC_USAGE, "%zu rows want %zu numbers each of observations and %zu of actions", rows,
                       s, a);
  if (rows == 0) return R2PAC_OK;
  if (observations == nullptr || moments == nullptr || actions == nullptr)
    return message.say(R2PAC_USAGE, "the observations, moments or actions are a null pointer");
  if (const int status = require_size(message, answers)) return status;
  for (std::size_t row = 0; row < rows; ++row) {
    char of[32];
    std::snprintf(of, sizeof of, " of row %zu", row);
    int status = require_observation(message, of, {observations + row * s, s});
    if (status == R2PAC_OK) status = require_moment(message, moments[row]);
    if (status != R2PAC_OK) return status;
  }
  return guarded(message, [&] {
    for (std::size_t row = 0; row < rows; ++row) {
      const r2pac_answer given =
          policy->open.decide_alone({observations + row * s, s}, moments[row],
                                    answers != nullptr && answers->judged != 0, {actions + row * a, a});
      if (answers != nullptr)
        fill(reinterpret_cast<r2pac_answer*>(reinterpret_cast<char*>(answers) + row * answers->size), given,
             *answers);
    }
    return R2PAC_OK;
  });
}

int r2pac_values(r2pac_policy* policy, const float* observation, size_t observation_length,
                 const r2pac_moment* moment, const float* chunk, size_t chunk_length, r2pac_answer* answer) {
  if (policy == nullptr) return R2PAC_USAGE;
  const Message message = message_of(policy);
  if (const int status = require_question(policy, observation, observation_length, moment, answer))
    return status;
  if (answer == nullptr) return message.say(R2PAC_USAGE, "the place of the answer is a null pointer");
  if (!policy->open.policy().has_critics())
    return message.say(R2PAC_USAGE, "method `%s` has no values of states and chunks",
                       policy->open.policy().settings().method.c_str());
  if (chunk != nullptr || chunk_length != 0)
    if (const int status = require_length(message, "chunk", policy->open.chunk_length(),
                                          chunk == nullptr ? 0 : chunk_length))
      return status;
  return guarded(message, [&] {
    fill(answer, policy->open.judge({observation, observation_length}, *moment, {chunk, chunk_length}),
         *answer);
    return R2PAC_OK;
  });
}

const char* r2pac_last_error(const r2pac_policy* policy) {
  return policy != nullptr ? policy->error : "the policy is a null pointer";
}

}  // extern "C"
