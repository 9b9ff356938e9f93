#include "model/one_step_actor.h"

#include "engine/losses.h"
#include "model/flow_actor.h"
#include "model/iql.h"
#include "model/region.h"

namespace r2pac {
namespace {

Network one_step_network(const Settings& settings, Dimensions dimensions) {
  Network network;
  network.name = kOneStep;
  network.inputs = {{"observation", dimensions.observation}, {kBoundInput, 1}};
  network.outputs = dimensions.chunk();
  network.hidden = settings.resolved_actor_hidden();
  network.activation = settings.activation;
  network.after_tables = true;  // so that the flow is the one of a method without it
  return network;
}

/// The network's chunk is near one that the flow makes, and climbs the reward critics as far as the gate lets
/// it.
template <class T>
void learn_one_step(Recorder<T>& r) {
  Tape<T>& tape = r.tape();
  const Tensor<T> observations = r.batch().observations;
  const auto [noise, share] = draw_flow(r);  // the time's number, which is uniform, too
  const Tensor<T> wanted = flow_chunks(r, noise, r.settings().distill_flow_steps);
  const Tensor<T> seen = concatenate<T>(tape, {observations, share});
  const Tensor<T> chunk =
      activate(tape, r.apply({{kOneStep, Weights::learning, seen}}).front(), Activation::tanh);
  r.loss("imitation", squared_error_loss(tape, "loss imitation", chunk, wanted));

  const Tensor<T> pairs = concatenate<T>(tape, {observations, chunk});
  const auto q = r.apply({{kReward.q, Weights::judging, pairs}, {kCost.q, Weights::judging, pairs}});
  const Tensor<T> q_reward = believed(r, kReward, q[0]), q_cost = believed(r, kCost, q[1]);
  const auto [reward, cost] = believed_estimates(r);
  const Gate<T> gate{cost.v,
                     share,
                     r.scalar(kRegionEnd),
                     mean_square(tape, "reward_square", reward.v, reward.believed),
                     mean_square(tape, "cost_square", cost.v, cost.believed),
                     r.settings().gate_weight};
  const Tensor<T> passed = gate_passed(tape, q_reward, q_cost, gate);
  r.loss("gate", gate_loss(tape, "loss gate", q_reward, q_cost, gate));
  r.mean("passed", passed);
  for (const auto& [name, value] : {std::pair{"observations", observations},
                                    {"actions", r.batch().actions},
                                    {"noise", noise},
                                    {"share", share},
                                    {"flow_chunk", wanted},
                                    {"one_step_chunk", chunk},
                                    {"passed", passed}})
    r.trace(name, value);
}

}  // namespace

template <class T>
void act_in_one_step(Method<T>& method, const Settings& settings, Dimensions dimensions) {
  method.networks.networks.push_back(one_step_network(settings, dimensions));
  method.stages.push_back({"one-step",
                           {kOneStep},
                           [](const Settings& s) { return s.resolved_distill_steps(); },
                           learn_one_step<T>});
  method.acting.mean = kOneStep;
}

template void act_in_one_step(Method<float>&, const Settings&, Dimensions);
template void act_in_one_step(Method<double>&, const Settings&, Dimensions);

}  // namespace r2pac
