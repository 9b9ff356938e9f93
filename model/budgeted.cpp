// Budgeted chunks (BUDGETED.md): safe chunks whose limit is an input. Each step draws for each window what
// the rest of the episode may cost; the critics of reward and the flow see it, so that one training serves
// every limit.
#include "model/budget.h"
#include "model/flow_actor.h"
#include "model/iql.h"
#include "model/method.h"
#include "model/region.h"

namespace r2pac {
namespace {

/// V_r follows the best of what each window's budget allows, and the target what is left of it afterwards.
template <class T>
void learn_critics(Recorder<T>& r) {
  learn_from_allowed(r, next_budgets(r));
}

/// The flow imitates chunks under their label. A window's label changes with its budget, so that each step
/// asks the critics anew, even finished ones.
template <class T>
void learn_actor(Recorder<T>& r) {
  learn_flow(r, optimality_label(r));
}

}  // namespace

template <class T>
Method<T> budgeted_method(const Settings& settings, Dimensions dimensions, const DataFacts<T>& facts) {
  Method<T> method;
  method.name = "budgeted";
  method.networks.networks = iql_networks(settings, dimensions);
  declare_flow_actor(settings, dimensions, method.networks);
  see_budgets(method.networks, {kReward.q, kReward.v, kVelocity});
  method.scalars = {region_end(settings, facts), greatest_budget(settings, facts)};
  method.stages = {critics_stage<T>(learn_critics<T>), actor_stage<T>(kVelocity, learn_actor<T>)};
  method.inspect = inspect_region<T>;
  method.acting = judging_networks();
  method.acting.velocity = kVelocity, method.acting.label_table = kLabelTable;
  return method;
}

template Method<float> budgeted_method(const Settings&, Dimensions, const DataFacts<float>&);
template Method<double> budgeted_method(const Settings&, Dimensions, const DataFacts<double>&);

}  // namespace r2pac
