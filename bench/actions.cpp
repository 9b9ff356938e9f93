#include "bench/suites.h"
#include "model/sampler.h"

namespace r2pac {
namespace {

BenchRow action_row(const std::string& name, int observations, SamplerOptions options,
                    const std::shared_ptr<Device>& device) {
  const Settings settings;
  Networks<float> nets(settings, {72, 2, 5}, *device);
  Sampler<float> sampler(nets, options, device);
  const auto n = static_cast<std::size_t>(observations);
  const std::size_t noise_size = static_cast<std::size_t>(options.num_candidates) * 10;
  std::vector<float> states(n * 72, 0.3f), noise(n * noise_size), chunks(n * 10);
  for (std::size_t i = 0; i < n; ++i)
    sampler.draw_noise(1, 0, static_cast<std::uint32_t>(i),
                       std::span(noise).subspan(i * noise_size, noise_size));
  BenchRow row;
  row.name = name;
  row.shape = std::to_string(observations) + " obs, " + std::to_string(options.num_candidates) +
              " candidates, " + std::to_string(options.flow.flow_steps) + " flow steps, 4 x 512";
  describe(row, *device, sampler.actor().launches());
  row.gflop = 2 * sampler.multiply_adds() * observations / 1e9;
  return measure(row, [&] { sampler.sample(states, noise, {chunks, {}, {}, {}}); });
}

}  // namespace

void bench_actions(const std::shared_ptr<Device>& device, const RowSink& sink) {
  SamplerOptions options;
  sink(action_row("action", 1, options, device));
  sink(action_row("action", 8, options, device));
  options.flow.flow_steps = 8;
  sink(action_row("action, 8 flow steps", 1, options, device));
}

}  // namespace r2pac
