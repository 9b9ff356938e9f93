#include "envs/evaluate.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/error.h"
#include "base/statistics.h"

namespace r2pac {

namespace {

// Rows of `from` [N, width] named by `rows`, side by side in `to`.
void gather_rows(std::span<const float> from, std::span<const std::size_t> rows, std::size_t width,
                 std::vector<float>& to) {
  to.clear();
  for (const std::size_t row : rows) {
    const auto part = from.subspan(row * width, width);
    to.insert(to.end(), part.begin(), part.end());
  }
}

// Runs one wave: the copies' episodes, of which the first `results.size()` are wanted. after_step  called so
template <class AfterStep>
void run_wave(VectorEnvironment& environment, std::span<EpisodeResult> results, const BatchPolicy& policy,
              const EvaluationOptions& options, const AfterStep& after_step) {
  const auto width = static_cast<std::size_t>(environment.observation_dim());
  const auto action_width = static_cast<std::size_t>(environment.action_dim());
  std::vector<std::size_t> running(results.size());
  for (std::size_t i = 0; i < running.size(); ++i) running[i] = i;

  std::vector<float> observations, chosen;
  std::vector<float> actions(static_cast<std::size_t>(environment.count()) * action_width);
  std::vector<std::int64_t> episode;
  std::vector<int> step;
  std::vector<double> spent;
  const auto keep = [&](std::size_t copy) {
    const auto seen = environment.observations().subspan(copy * width, width);
    results[copy].observations.insert(results[copy].observations.end(), seen.begin(), seen.end());
  };
  if (options.record) std::ranges::for_each(running, keep);

  while (!running.empty()) {
    if (options.stop && options.stop()) throw Interrupted();
    gather_rows(environment.observations(), running, width, observations);
    episode.clear();
    step.clear();
    spent.clear();
    for (const std::size_t copy : running) {
      episode.push_back(results[copy].episode);
      step.push_back(results[copy].length);
      spent.push_back(results[copy].episode_cost);
    }
    // A policy that forgets a row is found out by the NaN it leaves.
    chosen.assign(running.size() * action_width, std::numeric_limits<float>::quiet_NaN());
    policy(observations, episode, step, spent, chosen);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      if (!std::isfinite(chosen[i]))
        throw InvalidArgument("evaluate: the policy's action " + std::to_string(i % action_width) +
                              " in episode " + std::to_string(episode[i / action_width]) + " at step " +
                              std::to_string(step[i / action_width]) + " is not finite");
      actions[running[i / action_width] * action_width + i % action_width] = chosen[i];
    }
    environment.step(actions);
    for (const std::size_t copy : running) {
      EpisodeResult& result = results[copy];
      result.episode_return += environment.rewards()[copy];
      result.episode_cost += environment.costs()[copy];
      ++result.length;
      result.terminated = environment.terminals()[copy] != 0;
      result.ended = result.terminated || environment.timeouts()[copy] != 0;
      if (options.record) keep(copy);
    }
    std::erase_if(running, [&](std::size_t copy) { return results[copy].ended; });
    after_step();
  }
}

template <class Member>
std::vector<double> column(const std::vector<EpisodeResult>& episodes, Member member) {
  std::vector<double> values;
  for (const EpisodeResult& e : episodes) values.push_back(e.*member);
  return values;
}

}  // namespace

EvaluationResult evaluate(VectorEnvironment& environment, int episodes, std::uint64_t seed,
                          const BatchPolicy& policy, const EvaluationOptions& options) {
  if (episodes < 1)
    throw InvalidArgument("evaluate: episodes is " + std::to_string(episodes) + ", expected at least 1");
  EvaluationResult result;
  result.episodes.resize(static_cast<std::size_t>(episodes));
  for (int e = 0; e < episodes; ++e) result.episodes[static_cast<std::size_t>(e)].episode = e;
  const auto after_step = [&] {
    if (options.watch) options.watch(result.episodes);
  };
  try {
    for (int first = 0; first < episodes; first += environment.count()) {
      environment.reset(seed, first);
      const auto wanted = static_cast<std::size_t>(std::min(environment.count(), episodes - first));
      const auto wave = std::span(result.episodes).subspan(static_cast<std::size_t>(first), wanted);
      run_wave(environment, wave, policy, options, after_step);
    }
  } catch (const Interrupted&) {
    result.complete = false;
    std::erase_if(result.episodes, [](const EpisodeResult& e) { return !e.ended; });
    if (result.episodes.empty()) return result;
  }
  const std::vector<double> returns = column(result.episodes, &EpisodeResult::episode_return),
                            costs = column(result.episodes, &EpisodeResult::episode_cost);
  result.return_mean = mean(returns);
  result.return_std = standard_deviation(returns);
  result.cost_mean = mean(costs);
  result.cost_std = standard_deviation(costs);
  result.length_mean = mean(column(result.episodes, &EpisodeResult::length));
  return result;
}

}  // namespace r2pac
