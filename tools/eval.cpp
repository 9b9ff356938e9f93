#include "tools/eval.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/nearest.h"
#include "envs/reach_avoid.h"
#include "model/tasks.h"
#include "tools/verbs.h"

namespace r2pac {

BatchPolicy acting_policy(Sampler<float>& sampler, const Dimensions& dimensions, std::uint64_t seed) {
  const auto chunk = static_cast<std::size_t>(dimensions.chunk()),
             a = static_cast<std::size_t>(dimensions.action);
  const std::size_t noise_size = static_cast<std::size_t>(sampler.candidates()) * chunk;
  return [=, &sampler, noise = std::vector<float>(), chunks = std::vector<float>()](
             std::span<const float> observations, std::span<const std::int64_t> episode,
             std::span<const int> step, std::span<float> actions) mutable {
    const std::size_t n = episode.size();
    noise.resize(n * noise_size);
    chunks.resize(n * chunk);
    for (std::size_t i = 0; i < n; ++i)
      sampler.draw_noise(seed, static_cast<std::uint64_t>(step[i]), static_cast<std::uint32_t>(episode[i]),
                         std::span(noise).subspan(i * noise_size, noise_size));
    sampler.sample(observations, noise, {chunks, {}, {}, {}});
    for (std::size_t i = 0; i < n; ++i)
      std::copy_n(chunks.begin() + static_cast<std::ptrdiff_t>(i * chunk), a,
                  actions.begin() + static_cast<std::ptrdiff_t>(i * a));
  };
}

EvaluationResult evaluate_reach_avoid(Sampler<float>& sampler, const Dimensions& dimensions, int episodes,
                                      std::uint64_t seed, bool record) {
  constexpr int kMostAtOnce = 64;
  ReachAvoid environment(std::min(episodes, kMostAtOnce));
  return evaluate(environment, episodes, seed, acting_policy(sampler, dimensions, seed), record);
}

double share_within(const EvaluationResult& result, double cost_limit) {
  const auto safe = std::count_if(result.episodes.begin(), result.episodes.end(),
                                  [&](const EpisodeResult& e) { return e.episode_cost <= cost_limit; });
  return static_cast<double>(safe) / static_cast<double>(result.episodes.size());
}

int run_eval(const EvalOptions& options) {
  if (options.env != "reach-avoid")
    throw Error(ExitCode::usage, "unknown environment `" + options.env + "`", "--env",
                did_you_mean(options.env, {"reach-avoid"}));
  const Policy policy = Policy::load(options.policy, open_device(options.device));
  if (const std::string& trained = policy.settings().task;
      !trained.empty() && trained != find_task(ReachAvoidTask::name).alias)
    throw Error(ExitCode::usage, "the policy was trained for " + trained, options.policy,
                "give a policy that was trained on `r2pac data make " + options.env + "`");
  if (policy.dimensions().observation != ReachAvoidTask::observation_dim ||
      policy.dimensions().action != ReachAvoidTask::action_dim)
    throw Error(ExitCode::usage,
                "the policy takes observations of " + std::to_string(policy.dimensions().observation) +
                    " numbers and the environment gives " + std::to_string(ReachAvoidTask::observation_dim),
                options.policy, "give a policy that was trained on `r2pac data make " + options.env + "`");
  SamplerOptions sampling = policy.sampler_options();
  sampling.num_candidates = options.candidates.value_or(sampling.num_candidates);
  sampling.flow.flow_steps = options.flow_steps.value_or(sampling.flow.flow_steps);
  sampling.flow.guidance_scale = options.guidance.value_or(sampling.flow.guidance_scale);
  if (options.label == "null") sampling.flow.label = kLabelNull;
  Sampler<float> sampler(policy.networks(), sampling, policy.device());
  const EvaluationResult scores =
      evaluate_reach_avoid(sampler, policy.dimensions(), options.episodes, options.seed);
  const Task& task = find_task(ReachAvoidTask::name);
  const double return_score = normalized_return(task, scores.return_mean),
               cost_score = normalized_cost(scores.cost_mean, task.cost_limit);

  if (options.json) {
    const nlohmann::ordered_json json = {{"return_mean", scores.return_mean},
                                         {"return_std", scores.return_std},
                                         {"cost_mean", scores.cost_mean},
                                         {"cost_std", scores.cost_std},
                                         {"normalized_return", return_score},
                                         {"normalized_cost", cost_score},
                                         {"cost_limit", task.cost_limit},
                                         {"share_within_limit", share_within(scores, task.cost_limit)},
                                         {"episodes", options.episodes},
                                         {"seed", options.seed},
                                         {"env", options.env},
                                         {"candidates", sampling.num_candidates},
                                         {"flow_steps", sampling.flow.flow_steps},
                                         {"guidance", sampling.flow.guidance_scale},
                                         {"label", options.label}};
    std::printf("%s\n", json.dump().c_str());
    return 0;
  }
  std::printf(
      "%s  return %.3f +- %.3f (normalised %.3f)  cost %.2f +- %.2f (normalised %.2f, limit %g, within it "
      "%.0f %%)\n"
      "%d episodes, seed %llu, %d candidates, %d flow steps, guidance %g, label %s\n",
      options.env.c_str(), scores.return_mean, scores.return_std, return_score, scores.cost_mean,
      scores.cost_std, cost_score, task.cost_limit, 100 * share_within(scores, task.cost_limit),
      options.episodes, static_cast<unsigned long long>(options.seed), sampling.num_candidates,
      sampling.flow.flow_steps, sampling.flow.guidance_scale, options.label.c_str());
  return 0;
}

}  // namespace r2pac
