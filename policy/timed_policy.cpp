#include "policy/timed_policy.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace r2pac {
namespace {

/// Time that passes only while this thread runs, or also while others do.
Pace::Seconds time_of(bool this_thread) {
  timespec time{};
  clock_gettime(this_thread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

TimedPolicy::TimedPolicy(const Policy& policy, const Settings& settings, std::shared_ptr<Device> device)
    : policy_(policy),
      device_(std::move(device)),
      sampler_(policy.networks(), policy.method().acting, policy.normalization(),
               policy.sampler_options(settings), device_),
      chunk_(chunk_length()) {
  if (sampler_.has_critics()) judge(std::vector<float>(observation_length()), {}, {});
  for (const bool values : {false, true}) times_[values] = measured_times(values);
}

std::size_t TimedPolicy::rows_at_once() const {
  return device_->whole_batches() ? std::numeric_limits<std::size_t>::max()
                                  : size(device_->pool()->threads());
}

/// Whether a flow acts, and no denoiser or deterministic actor.
bool TimedPolicy::flows() const {
  const ActingNetworks& acting = policy_.method().acting;
  return !acting.velocity.empty() && (acting.mean.empty() || sampler_.options().by_flow);
}

Decision TimedPolicy::nothing_known(const DecisionMoment& moment) const {
  const SamplerOptions& options = sampler_.options();
  Decision decision;
  if (policy_.has_critics())
    decision.bound =
        bound_within(options.budget, options.threshold,
                     std::isnan(moment.spent) ? std::nullopt : std::optional(moment.spent), moment.step);
  return decision;
}

void TimedPolicy::judge_state(Decision& decision) const {
  if (const std::optional<double> end = policy_.region_end(); end && !std::isnan(decision.v_cost))
    decision.safe = static_cast<double>(decision.v_cost) <= *end;
}

/// The source of all decisions is none if the pace gave up.
void TimedPolicy::decide(std::span<const float> observations, std::span<const DecisionMoment> moments,
                         bool values, Pace* pace, std::span<float> chunks, std::span<Decision> decisions) {
  const std::size_t rows = moments.size(), noise = sampler_.noise_size();
  if (steps_.size() < rows) {
    noise_.resize(rows * noise);
    spent_.resize(rows);
    steps_.resize(rows);
    for (auto* numbers : {&q_cost_, &q_reward_, &v_cost_, &v_reward_}) numbers->resize(rows);
  }
  for (std::size_t i = 0; i < rows; ++i) {
    decisions[i] = nothing_known(moments[i]);
    spent_[i] = moments[i].spent;
    steps_[i] = moments[i].step;
  }
  const int all = sampler_.units();
  if (pace != nullptr && device_->whole_batches() && pace->affordable(all) < std::min(all, pace->most)) {
    pace->given_up = true;
    return;
  }
  for (std::size_t i = 0; i < rows; ++i)
    sampler_.draw_noise(moments[i].seed, static_cast<std::uint64_t>(moments[i].step), moments[i].episode,
                        std::span(noise_).subspan(i * noise, noise));
  SampleOutputs<float> out;
  out.chunk = chunks;
  if (values && sampler_.has_critics()) {
    out.q_cost = std::span(q_cost_).first(rows);
    out.q_reward = std::span(q_reward_).first(rows);
    out.v_reward = std::span(v_reward_).first(rows);
    out.v_cost = std::span(v_cost_).first(rows);
  }
  const bool counted = rows > 0 && !std::isnan(moments[0].spent);
  sampler_.sample(observations, std::span(noise_).first(rows * noise), out,
                  counted ? std::span<const double>(spent_).first(rows) : std::span<const double>(),
                  std::span<const std::int64_t>(steps_).first(rows), pace);
  if (pace != nullptr && pace->given_up) return;
  const int units = std::min(pace != nullptr ? pace->done.load() : all, all);
  for (std::size_t i = 0; i < rows; ++i) {
    Decision& decision = decisions[i];
    if (!out.v_cost.empty()) {
      decision.q_cost = q_cost_[i];
      decision.q_reward = q_reward_[i];
      decision.v_cost = v_cost_[i];
      decision.v_reward = v_reward_[i];
    }
    judge_state(decision);
    decision.source = units < all ? Source::reduced : Source::full;
    decision.chunk_step = 0;
    decision.flow_steps = flows() ? units : 0;
    decision.candidates = policy_.method().acting.denoises() ? units : sampler_.options().num_candidates;
  }
}

Decision TimedPolicy::act(std::span<const float> observation, const DecisionMoment& moment,
                          Clock::time_point deadline, std::span<const float> safe_action, bool values,
                          LastChunk& last, std::span<float> out) {
  const Clock::time_point begin = Clock::now();
  Pace pace;
  times_[values].tell(pace);
  pace.deadline = deadline;
  Decision decision;
  decide(observation, std::span(&moment, 1), values, &pace, chunk_, std::span(&decision, 1));
  const std::int64_t ahead = moment.step - last.at.step;
  const auto action = static_cast<std::int64_t>(action_length());
  if (decision.source != Source::none) {
    last.planned = true;
    last.at = moment;
    last.chunk = chunk_;
    std::copy_n(chunk_.begin(), out.size(), out.begin());
  } else if (last.planned && moment.seed == last.at.seed && moment.episode == last.at.episode && ahead >= 1 &&
             ahead < static_cast<std::int64_t>(last.chunk.size()) / action) {
    decision.source = Source::chunk;
    decision.chunk_step = static_cast<int>(ahead);
    std::copy_n(last.chunk.begin() + ahead * action, out.size(), out.begin());
  } else {
    decision.source = Source::safe_action;
    std::copy_n(safe_action.begin(), out.size(), out.begin());
  }
  times_[values].learn(pace.given_up ? 0 : std::min(pace.done.load(), sampler_.units()),
                       Clock::now() - begin);
  return decision;
}

Decision TimedPolicy::judge(std::span<const float> observation, const DecisionMoment& moment,
                            std::span<const float> chunk) {
  Decision decision = nothing_known(moment);
  const bool given = !chunk.empty();
  std::fill(chunk_.begin(), chunk_.end(), 0.0f);  // for V, any chunk will do
  const auto q = [&](float& value) { return given ? std::span(&value, 1) : std::span<float>(); };
  sampler_.score(observation, given ? chunk : std::span<const float>(chunk_), q(decision.q_reward),
                 q(decision.q_cost), std::span(&decision.v_reward, 1), std::span(&decision.v_cost, 1),
                 std::isnan(moment.spent) ? std::span<const double>() : std::span(&moment.spent, 1),
                 std::span(&moment.step, 1));
  judge_state(decision);
  return decision;
}

/// The least time of some decisions with all units, and with one; on one thread without what other processes
/// take meanwhile, which may have ended when the robot starts.
DecisionTimes TimedPolicy::measured_times(bool values) {
  std::vector<float> observation(observation_length());
  for (std::size_t j = 0; j < observation.size(); ++j) observation[j] = policy_.normalization().unseen(j, 0);
  const bool alone = device_->pool() != nullptr && device_->pool()->threads() == 1;
  const auto least_time_of = [&](int units) {
    Pace::Seconds least = Pace::Seconds::max();
    for (int i = 0; i < 3; ++i) {
      Pace pace;
      pace.most = units;
      DecisionMoment moment;
      Decision decision;
      const Pace::Seconds begin = time_of(alone);
      decide(observation, std::span(&moment, 1), values, &pace, chunk_, std::span(&decision, 1));
      least = std::min(least, time_of(alone) - begin);
    }
    return least;
  };
  const int units = sampler_.units();
  const Pace::Seconds all = least_time_of(units), one = units > 1 ? least_time_of(1) : all;
  DecisionTimes times;
  times.unit = units > 1 ? std::max(all - one, Pace::Seconds(0)) / (units - 1) : all;
  times.rest = std::max(one - times.unit, Pace::Seconds(0));
  return times;
}

}  // namespace r2pac
