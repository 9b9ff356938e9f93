// Safe chunks (SAFE_CHUNKS.md): the value of reward is learned from allowed chunks alone, those whose own
// cost stays within the limit, instead of charging a penalty for the others; a flow imitates the best of
// them.
#include "model/flow_actor.h"
#include "model/iql.h"
#include "model/method.h"
#include "model/one_step_actor.h"
#include "model/region.h"

namespace r2pac {
namespace {

/// Chunks' values by plain targets; V_r follows the best of what is allowed, V_c the least of what is there.
template <class T>
void learn_critics(Recorder<T>& r) {
  learn_from_allowed(r, updated_region_end(r, learning_estimates(r).cost.v));
}

/// The flow imitates chunks under their label.
template <class T>
void learn_actor(Recorder<T>& r) {
  learn_labelled_flow<T>(r, optimality_label<T>);
}

}  // namespace

template <class T>
Method<T> safe_chunks_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>& facts) {
  Method<T> method;
  method.name = "safe-chunks";
  method.networks.networks = iql_networks(settings, dimensions);
  declare_flow_actor(settings, dimensions, method.networks);
  method.scalars = {region_end(settings, facts)};
  method.stages = {critics_stage<T>(learn_critics<T>), actor_stage<T>(kVelocity, learn_actor<T>)};
  method.inspect = inspect_region<T>;
  method.acting = judging_networks();
  method.acting.velocity = kVelocity, method.acting.label_table = kLabelTable;
  if (settings.actor == ActorKind::one_step) act_in_one_step(method, settings, dimensions);
  return method;
}

template Method<float> safe_chunks_method(const Settings&, Dimensions, const DataFacts<float>&);
template Method<double> safe_chunks_method(const Settings&, Dimensions, const DataFacts<double>&);

}  // namespace r2pac
