#include "bench/suites.h"
#include "model/method.h"

namespace r2pac {
namespace {

/// Decisions for `observations` states by a sampler of these options.
BenchRow action_row(const std::string& name, int observations, Sampler<float>& sampler, Dimensions dimensions,
                    const SamplerOptions& options, const Settings& settings, const BenchTarget& target) {
  const auto n = static_cast<std::size_t>(observations),
             chunk_size = static_cast<std::size_t>(dimensions.chunk()),
             noise_size = static_cast<std::size_t>(options.num_candidates) * chunk_size;
  std::vector<float> states(n * static_cast<std::size_t>(dimensions.observation), 0.3f),
      noise(n * noise_size), chunks(n * chunk_size);
  for (std::size_t i = 0; i < n; ++i)
    sampler.draw_noise(1, 0, static_cast<std::uint32_t>(i),
                       std::span(noise).subspan(i * noise_size, noise_size));
  const bool one_step = settings.actor == ActorKind::one_step && !options.by_flow;
  BenchRow row;
  row.name = name;
  row.shape = std::to_string(observations) + " obs, " +
              (one_step ? "one pass, "
                        : std::to_string(options.num_candidates) + " candidates, " +
                              std::to_string(options.flow.flow_steps) + " flow steps, ") +
              std::to_string(settings.resolved_actor_hidden().size()) + " x " +
              std::to_string(settings.resolved_actor_hidden().front());
  row.gflop = 2 * sampler.multiply_adds() * observations / 1e9;
  if (!target.wants(row)) return row;
  const auto work = [&] { sampler.sample(states, noise, {chunks, {}, {}, {}}); };
  work();  // a graph is captured when it is first asked for
  row.launches = sampler.actor().launches();
  row.method = sampler.actor().description();
  return measure(row, target, work);
}

/// The same of untrained networks.
BenchRow action_row(const std::string& name, int observations, Dimensions dimensions,
                    const Settings& settings, const SamplerOptions& options, const BenchTarget& target) {
  const Method<float> method = make_method<float>(settings, dimensions);
  Networks<float> nets(method.networks, settings.initializer, 0, *target.device);
  const auto width = static_cast<std::size_t>(dimensions.observation);
  const std::vector<float> zero(width, 0.0f), one(width, 1.0f);
  Sampler<float> sampler(nets, method.acting, {zero, one}, options, target.device);
  return action_row(name, observations, sampler, dimensions, options, settings, target);
}

/// The same of the full size.
BenchRow action_row(const std::string& name, int observations, const SamplerOptions& options,
                    const BenchTarget& target, ActorKind actor = ActorKind::flow) {
  Settings settings;
  settings.actor = actor;
  if (!target.timed()) settings.hidden = {16, 16, 16, 16};
  return action_row(name, observations, {72, 2, 5}, settings, options, target);
}

}  // namespace

void bench_actions(const BenchTarget& target, const RowSink& sink) {
  SamplerOptions options;
  if (!target.timed()) options.num_candidates = 2;
  sink(action_row("action", 1, options, target));
  if (target.timed()) sink(action_row("action, 8 observations", 8, options, target));
  if (target.on_cuda())
    sink(action_row("action, many observations", target.timed() ? 132 : 2, options, target));
  options.flow.flow_steps = 8;
  sink(action_row("action, 8 flow steps", 1, options, target));
  if (target.on_cuda())
    return;  // where R2PAC_CUDA_SAMPLER may ask for the kernel, which cannot do what follows
  options.flow.flow_steps = SamplerOptions{}.flow.flow_steps;
  options.selection = Selection::region;
  sink(action_row("action, by region", 1, options, target));
  options.num_candidates = 1;
  sink(action_row("action, one step", 1, options, target, ActorKind::one_step));
}

void bench_action_of(const Settings& settings, Dimensions dimensions, const BenchTarget& target,
                     const RowSink& sink) {
  SamplerOptions options;
  options.flow.flow_steps = settings.flow_steps;
  options.flow.guidance_scale = settings.guidance_scale;
  options.num_candidates = settings.num_candidates;
  options.selection = settings.selection;
  options.by_flow = settings.act_with == ActWith::flow;
  sink(action_row("action, as asked", 1, dimensions, settings, options, target));
}

void bench_policy(const Policy& policy, const Settings& settings, const BenchTarget& target,
                  const RowSink& sink) {
  const SamplerOptions options = policy.sampler_options(settings);
  Sampler<float> sampler = policy.sampler(options);
  sink(action_row("action of a policy", 1, sampler, policy.dimensions(), options, settings, target));
}

}  // namespace r2pac
