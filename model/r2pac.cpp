// R2PAC (PAPER.md, Algorithm 3). Its critics learn reward and cost by chunked implicit Q-learning; for a
// chunk that leaves the safe region, a penalty replaces the return. Its actor is a flow that imitates the
// chunks that are worth imitating.
#include "model/flow_actor.h"
#include "model/gaussian_actor.h"
#include "model/iql.h"
#include "model/method.h"
#include "model/one_step_actor.h"
#include "model/region.h"

namespace r2pac {
namespace {

/// Eq. 11 to 16: l comes from the batch, targets from l, and critics and values learn the targets.
template <class T>
void learn_critics(Recorder<T>& r) {
  const auto [reward, cost] = learning_estimates(r);
  const Tensor<T> l = updated_region_end(r, cost.v);
  const Targets<T> target = penalized_targets(r, reward.v_next, cost.v_next, l);
  learn(r, kReward, reward, target.reward);
  learn(r, kCost, cost, target.cost);
  trace_learning(r);
}

/// Eq. 18 and 19: the flow imitates chunks under their label.
template <class T>
void learn_actor(Recorder<T>& r) {
  learn_labelled_flow<T>(r, optimality_label<T>);
}

/// Eq. 40: a Gaussian learns the chunks by regression, each weighted by its advantage.
template <class T>
void learn_gaussian_actor(Recorder<T>& r) {
  learn_gaussian(r, r.per_window("weight", advantage_weight<T>));
}

/// Eq. 41: a flow without labels learns the chunks, weighted in the same way.
template <class T>
void learn_weighted_flow(Recorder<T>& r) {
  const Tensor<T> weight = r.per_window("weight", advantage_weight<T>);
  learn_flow(r, r.per_window("label", {}, false), weight);
  r.mean("weight", weight);
  r.trace("weight", weight);
}

}  // namespace

template <class T>
Method<T> r2pac_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>& facts) {
  Method<T> method;
  method.name = "r2pac";
  method.networks.networks = iql_networks(settings, dimensions);
  const bool gaussian = settings.actor == ActorKind::gaussian;
  if (gaussian)
    declare_gaussian_actor(settings, dimensions, method.networks);
  else
    declare_flow_actor(settings, dimensions, method.networks);
  method.scalars = {region_end(settings, facts)};
  method.stages = {critics_stage<T>(learn_critics<T>),
                   actor_stage<T>(gaussian ? kMean : kVelocity, gaussian ? learn_gaussian_actor<T>
                                                                : settings.actor == ActorKind::weighted_flow
                                                                    ? learn_weighted_flow<T>
                                                                    : learn_actor<T>)};
  method.inspect = inspect_region<T>;
  method.acting = judging_networks();
  if (gaussian)
    method.acting.mean = kMean;
  else
    method.acting.velocity = kVelocity, method.acting.label_table = kLabelTable;
  if (settings.actor == ActorKind::one_step) act_in_one_step(method, settings, dimensions);
  return method;
}

template Method<float> r2pac_method(const Settings&, Dimensions, const DataFacts<float>&);
template Method<double> r2pac_method(const Settings&, Dimensions, const DataFacts<double>&);

}  // namespace r2pac
