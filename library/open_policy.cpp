#include "library/open_policy.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>

#include "base/error.h"
#include "base/processors.h"
#include "base/version.h"
#include "settings/text_value.h"

namespace r2pac {
namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

Precision precision_of(const std::string& text) {
  for (const Precision precision : {Precision::fp32, Precision::bf16})
    if (text == precision_name(precision)) return precision;
  throw Error(ExitCode::settings, "`precision` cannot be `" + text.substr(0, 100) + "`", "precision",
              "allowed: fp32 or bf16");
}

int threads_of(const std::string& text) {
  const auto threads = parse_number<int>(text);
  if (!threads || *threads < 1 || *threads > kMostThreads)
    throw Error(ExitCode::settings, "`threads` cannot be `" + text.substr(0, 100) + "`", "threads",
                "allowed: whole numbers from 1 to " + std::to_string(kMostThreads));
  return *threads;
}

/// Time that passes only while this thread runs, or also while others do.
Pace::Seconds time_of(bool this_thread) {
  timespec time{};
  clock_gettime(this_thread ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

double cost_limit_of(const std::string& text) {
  constexpr double kMost = 1e12;  // as of `r2pac eval --cost-limit`
  const auto limit = parse_number<double>(text);
  if (!limit || !(*limit >= 0 && *limit <= kMost))
    throw Error(ExitCode::settings, "`cost_limit` cannot be `" + text.substr(0, 100) + "`", "cost_limit",
                "allowed: numbers from 0 to 1e12");
  return *limit;
}

template <std::size_t N>
void copy_text(const std::string& text, char (&to)[N]) {
  std::snprintf(to, N, "%s", text.c_str());
}

}  // namespace

OpenPolicy::OpenPolicy(const std::filesystem::path& path)
    : policy_(Policy::load(path, cpu_device(1))), settings_(policy_.settings()) {
  renew(settings_, threads_, precision_);
}

void OpenPolicy::set_option(const std::string& name, const std::string& value) {
  if (name == "threads") return renew(settings_, threads_of(value), precision_);
  if (name == "precision") return renew(settings_, threads_, precision_of(value));
  Settings settings = settings_;
  if (name == "cost_limit") {
    if (!policy_.acts_by_limit() && !sampler_->reads_spent())
      throw Error(ExitCode::settings, "the policy does not know the limit: it acts alike at each", name,
                  "train one of `--method budgeted`, or set `region_bound`");
    settings.cost_limit = cost_limit_of(value);
    return renew(settings, threads_, precision_);
  }
  change_acting(settings, name, value, name, ExitCode::settings);
  const std::vector<std::string_view> unread = policy_.unread_settings(settings);
  if (std::ranges::find(unread, name) != unread.end())
    throw Error(ExitCode::settings,
                "`" + name + "` changes nothing: the actor of this policy, of method " + settings.method +
                    ", does not read it",
                name, "leave it out");
  renew(settings, threads_, precision_);
}

/// Another sampler, ready: what a first decision makes was made.
void OpenPolicy::renew(const Settings& settings, int threads, Precision precision) {
  auto sampler =
      std::make_unique<Sampler<float>>(policy_.networks(), policy_.method().acting, policy_.normalization(),
                                       policy_.sampler_options(settings), cpu_device(threads, precision));
  sampler_.swap(sampler);
  try {
    noise_.resize(sampler_->noise_size());
    chunk_.resize(chunk_length());
    plan_.resize(chunk_length());
    measure_times(threads);
  } catch (...) {
    sampler_.swap(sampler);
    noise_.resize(sampler_ != nullptr ? sampler_->noise_size() : 0);
    throw;
  }
  settings_ = settings;
  threads_ = threads;
  precision_ = precision;
  planned_ = false;
}

/// Whether a flow acts, and no denoiser or deterministic actor.
bool OpenPolicy::flows() const {
  const ActingNetworks& acting = policy_.method().acting;
  return !acting.velocity.empty() && (acting.mean.empty() || sampler_->options().by_flow);
}

r2pac_facts OpenPolicy::facts() const {
  const Dimensions& dim = policy_.dimensions();
  const SamplerOptions& options = sampler_->options();
  r2pac_facts facts = R2PAC_FACTS;
  facts.observation_length = dim.observation;
  facts.action_length = dim.action;
  facts.chunk_length = dim.chunk_length;
  facts.candidates = options.num_candidates;
  facts.flow_steps = flows() ? options.flow.flow_steps : 0;
  facts.threads = threads_;
  facts.has_critics = policy_.has_critics();
  facts.reads_spent = sampler_->reads_spent();
  facts.cost_limit = options.budget.limit;
  facts.region_end = policy_.region_end().value_or(kUnknown);
  facts.trained_steps = policy_.step();
  copy_text(settings_.method, facts.method);
  copy_text(settings_.task, facts.task);
  copy_text(sampler_->actor().description(), facts.computes);
  copy_text(policy_.checksum(), facts.checksum);
  copy_text(kVersion, facts.version);
  return facts;
}

r2pac_answer OpenPolicy::nothing_known(const r2pac_moment& moment) const {
  const SamplerOptions& options = sampler_->options();
  r2pac_answer answer = R2PAC_ANSWER;
  answer.q_cost = answer.q_reward = answer.v_cost = answer.v_reward = kUnknown;
  answer.bound =
      policy_.has_critics()
          ? bound_within(options.budget, options.threshold,
                         std::isnan(moment.spent) ? std::nullopt : std::optional(moment.spent), moment.step)
          : static_cast<double>(kUnknown);
  return answer;
}

void OpenPolicy::judge_state(r2pac_answer& answer) const {
  if (const std::optional<double> end = policy_.region_end(); end && !std::isnan(answer.v_cost))
    answer.safe = static_cast<double>(answer.v_cost) <= *end;
}

/// A decision anew; its source is 0 if the pace gave up.
r2pac_answer OpenPolicy::decide(std::span<const float> observation, const r2pac_moment& moment, bool values,
                                Pace* pace, std::span<float> chunk) {
  r2pac_answer answer = nothing_known(moment);
  sampler_->draw_noise(moment.seed, static_cast<std::uint64_t>(moment.step), moment.episode, noise_);
  SampleOutputs<float> out;
  out.chunk = chunk;
  if (values && sampler_->has_critics()) {
    out.q_cost = std::span(&answer.q_cost, 1);
    out.q_reward = std::span(&answer.q_reward, 1);
    out.v_reward = std::span(&answer.v_reward, 1);
    out.v_cost = std::span(&answer.v_cost, 1);
  }
  sampler_->sample(observation, noise_, out,
                   std::isnan(moment.spent) ? std::span<const double>() : std::span(&moment.spent, 1),
                   std::span(&moment.step, 1), pace);
  if (pace != nullptr && pace->given_up) return answer;
  judge_state(answer);
  const SamplerOptions& options = sampler_->options();
  const int units = std::min(pace != nullptr ? pace->done.load() : sampler_->units(), sampler_->units());
  answer.source = units < sampler_->units() ? R2PAC_REDUCED : R2PAC_FULL;
  answer.chunk_step = 0;
  answer.flow_steps = flows() ? units : 0;
  answer.candidates = policy_.method().acting.denoises() ? units : options.num_candidates;
  return answer;
}

r2pac_answer OpenPolicy::decide_alone(std::span<const float> observation, const r2pac_moment& moment,
                                      bool values, std::span<float> out) {
  const Pace::Clock::time_point begin = Pace::Clock::now();
  r2pac_answer answer = decide(observation, moment, values, nullptr, chunk_);
  std::copy_n(chunk_.begin(), out.size(), out.begin());
  answer.seconds = Pace::Seconds(Pace::Clock::now() - begin).count();
  return answer;
}

r2pac_answer OpenPolicy::act(std::span<const float> observation, const r2pac_moment& moment,
                             const r2pac_deadline* deadline, bool values, std::span<float> out) {
  constexpr double kLongest = 1e6;  // seconds, which the clock can add up
  const Pace::Clock::time_point begin = Pace::Clock::now();
  Pace pace;
  times_[values].tell(pace);
  if (deadline != nullptr)
    pace.deadline = begin + std::chrono::duration_cast<Pace::Clock::duration>(
                                Pace::Seconds(std::min(deadline->seconds, kLongest)));
  r2pac_answer answer = decide(observation, moment, values, &pace, chunk_);
  const std::int64_t ahead = moment.step - planned_at_.step;
  if (answer.source != 0) {
    std::swap(plan_, chunk_);
    planned_ = true;
    planned_at_ = moment;
    std::copy_n(plan_.begin(), out.size(), out.begin());
  } else if (planned_ && moment.seed == planned_at_.seed && moment.episode == planned_at_.episode &&
             ahead >= 1 && ahead < policy_.dimensions().chunk_length) {
    answer.source = R2PAC_CHUNK;
    answer.chunk_step = static_cast<std::int32_t>(ahead);
    std::copy_n(plan_.begin() + ahead * policy_.dimensions().action, out.size(), out.begin());
  } else {
    answer.source = R2PAC_SAFE_ACTION;
    std::copy_n(deadline->safe_action, out.size(), out.begin());
  }
  const Pace::Seconds took = Pace::Clock::now() - begin;
  times_[values].learn(pace.given_up ? 0 : std::min(pace.done.load(), sampler_->units()), took);
  answer.seconds = took.count();
  return answer;
}

r2pac_answer OpenPolicy::judge(std::span<const float> observation, const r2pac_moment& moment,
                               std::span<const float> chunk) {
  const Pace::Clock::time_point begin = Pace::Clock::now();
  r2pac_answer answer = nothing_known(moment);
  const bool given = !chunk.empty();
  std::fill(chunk_.begin(), chunk_.end(), 0.0f);  // for V, any chunk will do
  const auto q = [&](float& value) { return given ? std::span(&value, 1) : std::span<float>(); };
  sampler_->score(observation, given ? chunk : std::span<const float>(chunk_), q(answer.q_reward),
                  q(answer.q_cost), std::span(&answer.v_reward, 1), std::span(&answer.v_cost, 1),
                  std::isnan(moment.spent) ? std::span<const double>() : std::span(&moment.spent, 1),
                  std::span(&moment.step, 1));
  judge_state(answer);
  answer.seconds = Pace::Seconds(Pace::Clock::now() - begin).count();
  return answer;
}

/// The least time of some decisions with all units, and with one; on one thread without what other processes
/// take meanwhile, which may have ended when the robot starts. They also make what a first decision makes.
void OpenPolicy::measure_times(int threads) {
  std::vector<float> observation(observation_length());
  for (std::size_t j = 0; j < observation.size(); ++j) observation[j] = policy_.normalization().unseen(j, 0);
  const auto least_time = [&](int units, bool values) {
    Pace::Seconds least = Pace::Seconds::max();
    for (int i = 0; i < 3; ++i) {
      Pace pace;
      pace.most = units;
      const Pace::Seconds begin = time_of(threads == 1);
      decide(observation, {}, values, &pace, chunk_);
      least = std::min(least, time_of(threads == 1) - begin);
    }
    return least;
  };
  if (sampler_->has_critics()) judge(observation, {}, {});
  DecisionTimes measured[2];
  for (const bool values : {false, true}) {
    const int units = sampler_->units();
    const Pace::Seconds all = least_time(units, values), one = units > 1 ? least_time(1, values) : all;
    measured[values].unit = units > 1 ? std::max(all - one, Pace::Seconds(0)) / (units - 1) : all;
    measured[values].rest = std::max(one - measured[values].unit, Pace::Seconds(0));
  }
  std::copy(measured, measured + 2, times_);
}

}  // namespace r2pac
