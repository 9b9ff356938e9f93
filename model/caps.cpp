// Constraint-adaptive policy switching (Chemingui et al., 2025) over implicit Q-learning, as published
// (docs/methods.md): critics of reward and cost by expectiles, and an actor of several heads, from the best
// return to the least cost. Acting switches between them by what is left of the limit.
#include <cmath>

#include "engine/losses.h"
#include "engine/sampling.h"
#include "model/gaussian_network.h"
#include "model/iql.h"
#include "model/method.h"
#include "model/region.h"

namespace r2pac {
namespace {

constexpr double kActorRateSteps = 1e6;  // of the published schedule of the actor's rate

/// Of head k of K >= 2: the first one earns, the last one saves, those between do both.
Shares shares_of(int k, int heads) {
  if (k == 0) return {1, 0};
  if (k == heads - 1) return {0, 1};
  return {1, 2.0 * k / (heads - 1)};
}

/// Critics follow V of the states after; V_r is an upper expectile of the lesser twin, V_c a lower one of the
/// greater. Everything is as the step found it, the followers included.
template <class T>
void learn_critics(Recorder<T>& r) {
  const Batch<T> batch = r.batch();
  const Estimates<T> estimates = learning_estimates(r);
  const Tensor<T> mean_of_q = mean_of_critics(r, estimates.reward.q);
  const auto learn_signal = [&](const Signal& signal, const Estimate<T>& estimate, const char* name,
                                Tensor<T> earned) {
    const Tensor<T> target = limited_backup(r.tape(), name, earned, batch.mask, estimate.v_next,
                                            std::pow(r.settings().discount, r.chunk_length()));
    learn<T>(r, signal, estimate, target, nullptr, mean_of_q);
    r.trace(name, target);
  };
  learn_signal(kReward, estimates.reward, "reward_target", batch.rewards);
  learn_signal(kCost, estimates.cost, "cost_target", batch.costs);
  trace_learning(r);
}

/// Each head imitates the data by its weights, as a Gaussian of deviation 1; the loss is the mean over heads.
template <class T>
void learn_actor(Recorder<T>& r) {
  Tape<T>& tape = r.tape();
  const Batch<T> batch = r.batch();
  const Tensor<T> features =
      activate(tape, r.apply({{kActor.trunk, Weights::learning, batch.observations}}).front(),
               r.settings().activation);
  const Tensor<T> means =
      activate(tape, r.apply({{kActor.mean, Weights::learning, features}}).front(), Activation::tanh);
  const Tensor<T> log_deviation = filled(tape, "log_deviation", batch.actions->shape, 0);
  const int heads = means->shape.nets;
  for (int k = 0; k < heads; ++k) {
    const Shares shares = shares_of(k, heads);
    const Tensor<T> weight =
        head_weight(r, believed_estimates(r), {shares.reward / heads, shares.cost / heads});
    const std::string name = "head." + std::to_string(k);
    r.loss(name, gaussian_loss(tape, "loss " + name, tape.members(means, k, 1), log_deviation, batch.actions,
                               weight));
  }
  r.trace("observations", batch.observations);
  r.trace("actions", batch.actions);
}

}  // namespace

template <class T>
Method<T> caps_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>& facts) {
  Method<T> method;
  method.name = "caps";
  method.networks.networks = iql_networks(settings, dimensions);
  Network trunk;
  trunk.name = kActor.trunk;
  trunk.inputs = {{"observation", dimensions.observation}};
  trunk.hidden = settings.resolved_actor_hidden();
  trunk.outputs = trunk.hidden.back();
  trunk.features = true;
  trunk.hidden.pop_back();
  trunk.activation = settings.activation;
  trunk.cosine_steps = kActorRateSteps;
  Network heads = trunk;
  heads.features = false;
  heads.name = kActor.mean;
  heads.inputs = {{"features", trunk.outputs}};
  heads.hidden.clear();
  heads.outputs = dimensions.chunk();
  heads.count = settings.heads;
  method.networks.networks.insert(method.networks.networks.end(), {trunk, heads});
  method.scalars = {region_end(settings, facts), episode_steps(facts)};
  method.stages = {critics_stage<T>(learn_critics<T>), actor_stage<T>(kActor.trunk, learn_actor<T>)};
  method.stages.back().trains.push_back(kActor.mean);
  method.inspect = inspect_values<T>;
  method.acting = judging_networks();
  act_by_mean(kActor, method.acting);
  method.acting.online_critics = true;
  method.acting.switch_by = Selection::within;
  return method;
}

template Method<float> caps_method(const Settings&, Dimensions, const DataFacts<float>&);
template Method<double> caps_method(const Settings&, Dimensions, const DataFacts<double>&);

}  // namespace r2pac
