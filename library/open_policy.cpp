#include "library/open_policy.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>

#include "base/error.h"
#include "base/processors.h"
#include "base/version.h"
#include "settings/text_value.h"

namespace r2pac {
namespace {

static_assert(static_cast<int>(Source::full) == R2PAC_FULL &&
              static_cast<int>(Source::reduced) == R2PAC_REDUCED &&
              static_cast<int>(Source::chunk) == R2PAC_CHUNK &&
              static_cast<int>(Source::safe_action) == R2PAC_SAFE_ACTION);

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

DecisionMoment moment_of(const r2pac_moment& moment) {
  return {moment.seed, moment.step, moment.episode, moment.spent};
}

r2pac_answer answer_of(const Decision& decision, Pace::Clock::time_point begin) {
  r2pac_answer answer = R2PAC_ANSWER;
  tell(decision, answer);
  answer.seconds = Pace::Seconds(Pace::Clock::now() - begin).count();
  return answer;
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
    if (!policy_.acts_by_limit() && !acting_->sampler().reads_spent())
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

/// Another way of acting, ready: what a first decision makes was made.
void OpenPolicy::renew(const Settings& settings, int threads, Precision precision) {
  acting_ = std::make_unique<TimedPolicy>(policy_, settings, cpu_device(threads, precision));
  settings_ = settings;
  threads_ = threads;
  precision_ = precision;
  chunk_.resize(chunk_length());
  last_.chunk.resize(chunk_length());
  last_.planned = false;
}

r2pac_facts OpenPolicy::facts() const {
  const Dimensions& dim = policy_.dimensions();
  const SamplerOptions& options = acting_->sampler().options();
  r2pac_facts facts = R2PAC_FACTS;
  facts.observation_length = dim.observation;
  facts.action_length = dim.action;
  facts.chunk_length = dim.chunk_length;
  facts.candidates = options.num_candidates;
  facts.flow_steps = acting_->flow_steps();
  facts.threads = threads_;
  facts.has_critics = policy_.has_critics();
  facts.reads_spent = acting_->sampler().reads_spent();
  facts.cost_limit = options.budget.limit;
  facts.region_end = policy_.region_end().value_or(std::numeric_limits<double>::quiet_NaN());
  facts.trained_steps = policy_.step();
  copy_text(settings_.method, facts.method);
  copy_text(settings_.task, facts.task);
  copy_text(acting_->sampler().actor().description(), facts.computes);
  copy_text(policy_.checksum(), facts.checksum);
  copy_text(kVersion, facts.version);
  return facts;
}

r2pac_answer OpenPolicy::decide_alone(std::span<const float> observation, const r2pac_moment& moment,
                                      bool values, std::span<float> out) {
  const Pace::Clock::time_point begin = Pace::Clock::now();
  const DecisionMoment at = moment_of(moment);
  Decision decision;
  acting_->decide(observation, std::span(&at, 1), values, chunk_, std::span(&decision, 1));
  std::copy_n(chunk_.begin(), out.size(), out.begin());
  return answer_of(decision, begin);
}

r2pac_answer OpenPolicy::act(std::span<const float> observation, const r2pac_moment& moment,
                             const r2pac_deadline* deadline, bool values, std::span<float> out) {
  const Pace::Clock::time_point begin = Pace::Clock::now();
  Pace::Clock::time_point end = TimedPolicy::kNoDeadline;
  std::span<const float> safe_action;
  if (deadline != nullptr) {
    end = TimedPolicy::deadline_after(begin, deadline->seconds);
    safe_action = {deadline->safe_action, action_length()};
  }
  return answer_of(acting_->act(observation, moment_of(moment), end, safe_action, values, last_, out), begin);
}

r2pac_answer OpenPolicy::judge(std::span<const float> observation, const r2pac_moment& moment,
                               std::span<const float> chunk) {
  const Pace::Clock::time_point begin = Pace::Clock::now();
  return answer_of(acting_->judge(observation, moment_of(moment), chunk), begin);
}

}  // namespace r2pac
