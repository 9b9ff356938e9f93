#include "model/arithmetic.h"

#include <algorithm>

namespace r2pac {
namespace {

/// Multiply-adds of one row through all members of a network, forward, and through its first layer.
struct Count {
  double forward = 0, first = 0;
};

Count count(const Network& network) {
  std::vector<int> widths = {network.input_width()};
  widths.insert(widths.end(), network.hidden.begin(), network.hidden.end());
  widths.push_back(network.outputs);
  Count c;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i)
    c.forward += static_cast<double>(widths[i]) * widths[i + 1];
  c.first = static_cast<double>(widths[0]) * widths[1];
  return {network.count * c.forward, network.count * c.first};
}

/// Multiply-adds of one row through the network of a name; 0 where there is none.
double forward_of(const Method<float>& method, const std::string& name) {
  for (const Network& network : method.networks.networks)
    if (!name.empty() && network.name == name) return count(network).forward;
  return 0;
}

}  // namespace

double step_gflop(const Settings& settings, const Method<float>& method,
                  const std::vector<Stage<float>>& stages) {
  double per_row = 0;
  for (const Network& network : method.networks.networks)
    for (const Stage<float>& stage : stages) {
      if (std::ranges::find(stage.trains, network.name) == stage.trains.end()) continue;
      const Count c = count(network);
      per_row += stage.share * (3 * c.forward - c.first + (stage.name == "critics" ? c.forward : 0));
      for (const Columns& columns : network.inputs)
        if (columns.name == "label") per_row += static_cast<double>(columns.width) * network.hidden.front();
    }
  return 2 * per_row * settings.batch / 1e9;
}

double training_gflop(const Settings& settings, const Method<float>& method) {
  if (settings.schedule == Schedule::joint)
    return static_cast<double>(settings.steps) * step_gflop(settings, method, method.stages);
  double sum = 0;
  for (const Stage<float>& stage : method.stages)
    sum += static_cast<double>(stage.steps(settings)) * step_gflop(settings, method, {stage});
  return sum;
}

double action_gflop(const Settings& settings, const Method<float>& method) {
  const ActingNetworks& acting = method.acting;
  if (!acting.mean.empty()) {
    const double means = forward_of(method, acting.mean);
    if (acting.by_surplus())
      return 2 *
             (forward_of(method, acting.v_cost) + forward_of(method, acting.trunk) + means +
              forward_of(method, acting.safe_trunk) + forward_of(method, acting.safe_mean)) /
             1e9;
    const int heads = acting.switches() ? settings.heads : 1;  // each runs the trunk
    const double judged =
        acting.switches() ? heads * (forward_of(method, acting.q_cost) + forward_of(method, acting.q_reward))
                          : 0;
    return 2 * (heads * forward_of(method, acting.trunk) + means + judged) / 1e9;
  }
  const bool guided = settings.label == ActingLabel::good && settings.guidance_scale != 1;
  const double flow = forward_of(method, acting.velocity) * settings.flow_steps * (guided ? 2 : 1);
  const double judged = forward_of(method, acting.q_cost) +
                        (settings.selection == Selection::region ? forward_of(method, acting.q_reward) : 0);
  double denoiser = 0;
  for (const std::string& name : acting.denoiser.blocks) denoiser += forward_of(method, name);
  denoiser += forward_of(method, acting.denoiser.entrance) + forward_of(method, acting.denoiser.exit);
  const double drawn = acting.denoises() ? acting.diffusion.steps * denoiser : flow;
  return 2 * settings.num_candidates * (drawn + judged) / 1e9;
}

double trained_numbers(const Method<float>& method) {
  double sum = 0;
  for (const Network& network : method.networks.networks) sum += count(network).forward;
  return sum;
}

}  // namespace r2pac
