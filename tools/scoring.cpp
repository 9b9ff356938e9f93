#include "tools/scoring.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "base/error.h"
#include "base/printable.h"
#include "envs/reach_avoid.h"

namespace r2pac {
namespace {

constexpr std::uint64_t kIntervalSeed = 0;

/// Variance with divisor n.
template <class Value>
double variance(std::size_t n, Value value) {
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < n; ++i) sum += value(i);
  for (std::size_t i = 0; i < n; ++i)
    squares += (value(i) - sum / static_cast<double>(n)) * (value(i) - sum / static_cast<double>(n));
  return squares / static_cast<double>(n);
}

void require_widths(const Policy& policy, const VectorEnvironment& environment, const std::string& name) {
  const Dimensions& dim = policy.dimensions();
  const auto require = [&](const char* what, int takes, int gives) {
    if (takes != gives)
      throw Error(ExitCode::usage,
                  "the policy has " + std::to_string(takes) + " numbers in " + what + " and `" + name +
                      "` has " + std::to_string(gives),
                  policy.path().string(), "give the environment that the policy's data come from with --env");
  };
  require("an observation", dim.observation, environment.observation_dim());
  require("an action", dim.action, environment.action_dim());
}

}  // namespace

void SpreadMeter::add(std::span<const float> candidates, std::span<const float> costs, std::size_t count,
                      std::size_t chunk, std::size_t action) {
  const std::size_t rows = costs.size() / count;
  for (std::size_t row = 0; row < rows; ++row) {
    double squares = 0;
    for (std::size_t a = 0; a < action; ++a)
      squares += variance(count, [&](std::size_t c) {
        return static_cast<double>(candidates[(row * count + c) * chunk + a]);
      });
    sum_.action += std::sqrt(squares / static_cast<double>(action));
    sum_.q_cost += std::sqrt(
        variance(count, [&](std::size_t c) { return static_cast<double>(costs[row * count + c]); }));
  }
  decisions_ += rows;
}

std::optional<CandidateSpread> SpreadMeter::mean() const {
  if (decisions_ == 0) return std::nullopt;
  const auto n = static_cast<double>(decisions_);
  return CandidateSpread{sum_.action / n, sum_.q_cost / n};
}

BatchPolicy acting_policy(Sampler<float>& sampler, const Dimensions& dimensions, std::uint64_t seed,
                          SpreadMeter* spread) {
  const auto chunk = static_cast<std::size_t>(dimensions.chunk()),
             a = static_cast<std::size_t>(dimensions.action);
  const auto count = static_cast<std::size_t>(sampler.candidates());
  const std::size_t noise_size = sampler.noise_size();
  const bool measure = spread != nullptr && count > 1;
  return [=, &sampler, noise = std::vector<float>(), chunks = std::vector<float>(),
          candidates = std::vector<float>(), costs = std::vector<float>(),
          steps = std::vector<std::int64_t>()](
             std::span<const float> observations, std::span<const std::int64_t> episode,
             std::span<const int> step, std::span<const double> spent, std::span<float> actions) mutable {
    const std::size_t n = episode.size();
    noise.resize(n * noise_size);
    chunks.resize(n * chunk);
    for (std::size_t i = 0; i < n; ++i)
      sampler.draw_noise(seed, static_cast<std::uint64_t>(step[i]), static_cast<std::uint32_t>(episode[i]),
                         std::span(noise).subspan(i * noise_size, noise_size));
    SampleOutputs<float> out;
    out.chunk = chunks;
    if (measure) {
      candidates.resize(n * count * chunk);
      costs.resize(n * count);
      out.candidates = candidates;
      out.candidate_q_cost = costs;
    }
    steps.assign(step.begin(), step.end());
    sampler.sample(observations, noise, out, spent, steps);
    if (measure) spread->add(candidates, costs, count, chunk, a);
    for (std::size_t i = 0; i < n; ++i)
      std::copy_n(chunks.begin() + static_cast<std::ptrdiff_t>(i * chunk), a,
                  actions.begin() + static_cast<std::ptrdiff_t>(i * a));
  };
}

Scores summarize(EvaluationResult result, const std::string& name, const Task* task, double cost_limit,
                 std::uint64_t seed, std::uint64_t step) {
  Scores scores;
  scores.result = std::move(result);
  if (scores.result.episodes.empty()) return scores;
  const EvaluationResult& r = scores.result;
  scores.cost_limit = cost_limit;
  std::vector<double> within;
  for (const EpisodeResult& e : r.episodes) within.push_back(e.episode_cost <= cost_limit ? 1 : 0);
  scores.share_interval = bootstrap_interval(within, kIntervalSeed);
  scores.normalized_cost_std = cost_limit > 0 ? r.cost_std / cost_limit : r.cost_std;
  Evaluation& e = scores.summary;
  e = {step,
       name,
       static_cast<int>(r.episodes.size()),
       seed,
       r.return_mean,
       r.return_std,
       r.cost_mean,
       r.cost_std,
       {},
       normalized_cost(r.cost_mean, cost_limit),
       mean(within),
       {}};
  if (task != nullptr) {
    e.normalized_return = normalized_return(*task, r.return_mean);
    scores.normalized_return_std = r.return_std / (task->max_return - task->min_return);
  }
  return scores;
}

Scores score_policy(const Policy& policy, const SamplerOptions& acting, VectorEnvironment& environment,
                    const std::string& name, const Task* task, double cost_limit, int episodes,
                    std::uint64_t seed, const EvaluationOptions& options) {
  require_widths(policy, environment, name);
  Sampler<float> sampler = policy.sampler(acting);
  SpreadMeter spread;
  const BatchPolicy act = acting_policy(sampler, policy.dimensions(), seed, &spread);
  Scores scores = summarize(evaluate(environment, episodes, seed, act, options), name, task, cost_limit, seed,
                            policy.step());
  if (scores.result.episodes.empty()) return scores;
  scores.sampler = sampler.actor().description();
  scores.summary.spread = spread.mean();
  return scores;
}

std::string scores_text(const Scores& s) {
  const Evaluation& e = s.summary;
  std::string text = printable(e.env);  // of any length: it may be a user's command
  const auto add = [&](const char* format, auto... values) {
    char part[256];
    std::snprintf(part, sizeof part, format, values...);
    text += part;
  };
  add("  return %.3f +- %.3f", e.return_mean, e.return_std);
  if (e.normalized_return) add(" (normalised %.3f +- %.3f)", *e.normalized_return, *s.normalized_return_std);
  add("  cost %.2f +- %.2f (normalised %.2f, kappa %g)", e.cost_mean, e.cost_std, e.normalized_cost,
      s.cost_limit);
  add("  P(cost <= kappa) %.2f [%.2f, %.2f]", e.share_within_limit, s.share_interval.low,
      s.share_interval.high);
  return text;
}

Scores score_reach_avoid(const Policy& policy, const SamplerOptions& options, int episodes,
                         std::uint64_t seed, bool record) {
  constexpr int kMostAtOnce = 64;
  ReachAvoid environment(std::min(episodes, kMostAtOnce));
  const Task& task = find_task(ReachAvoidTask::name);
  return score_policy(policy, options, environment, std::string(ReachAvoidTask::name), &task, task.cost_limit,
                      episodes, seed, {.record = record});
}

}  // namespace r2pac
