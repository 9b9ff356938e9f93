#include "bench/suites.h"
#include "model/method.h"

namespace r2pac {
namespace {

BenchRow action_row(const std::string& name, int observations, SamplerOptions options,
                    const BenchTarget& target) {
  const std::shared_ptr<Device>& device = target.device;
  Settings settings;
  if (!target.timed()) settings.hidden = {16, 16, 16, 16};
  const Dimensions dimensions{72, 2, 5};
  const Method<float> method = make_method<float>(settings, dimensions);
  Networks<float> nets(method.networks, settings.initializer, 0, *device);
  const std::vector<float> zero(72, 0.0f), one(72, 1.0f);
  Sampler<float> sampler(nets, method.acting, {zero, one}, options, device);
  const auto n = static_cast<std::size_t>(observations);
  const std::size_t noise_size = static_cast<std::size_t>(options.num_candidates) * 10;
  std::vector<float> states(n * 72, 0.3f), noise(n * noise_size), chunks(n * 10);
  for (std::size_t i = 0; i < n; ++i)
    sampler.draw_noise(1, 0, static_cast<std::uint32_t>(i),
                       std::span(noise).subspan(i * noise_size, noise_size));
  BenchRow row;
  row.name = name;
  row.shape = std::to_string(observations) + " obs, " + std::to_string(options.num_candidates) +
              " candidates, " + std::to_string(options.flow.flow_steps) + " flow steps, " +
              std::to_string(settings.hidden.size()) + " x " + std::to_string(settings.hidden.front());
  row.gflop = 2 * sampler.multiply_adds() * observations / 1e9;
  const auto work = [&] { sampler.sample(states, noise, {chunks, {}, {}, {}}); };
  work();  // a graph is captured when it is first asked for
  row.launches = sampler.actor().launches();
  row.method = sampler.actor().description();
  return measure(row, target, work);
}

}  // namespace

void bench_actions(const BenchTarget& target, const RowSink& sink) {
  SamplerOptions options;
  if (!target.timed()) options.num_candidates = 2;
  sink(action_row("action", 1, options, target));
  if (target.timed()) sink(action_row("action", 8, options, target));
  if (target.on_cuda()) sink(action_row("action", target.timed() ? 132 : 2, options, target));
  options.flow.flow_steps = 8;
  sink(action_row("action, 8 flow steps", 1, options, target));
  if (target.on_cuda())
    return;  // where R2PAC_CUDA_SAMPLER may ask for the kernel, which cannot do what follows
  options.flow.flow_steps = SamplerOptions{}.flow.flow_steps;
  options.selection = Selection::region;
  sink(action_row("action, by region", 1, options, target));
}

}  // namespace r2pac
