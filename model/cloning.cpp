// Behaviour cloning: a flow without critics, which imitates all chunks of the data alike.
#include "model/flow_actor.h"
#include "model/iql.h"
#include "model/method.h"

namespace r2pac {

template <class T>
Method<T> cloning_method(const Settings& settings, Dimensions dimensions) {
  Method<T> method;
  method.name = "cloning";
  // The flow starts from the same weights as R2PAC's flow, so that the two can be compared.
  method.networks.networks = iql_networks(settings, dimensions);
  for (Network& network : method.networks.networks) network.absent = true;
  declare_flow_actor(settings, dimensions, method.networks);
  method.stages = {
      actor_stage<T>(kVelocity, [](Recorder<T>& r) { learn_flow(r, r.per_window("label", {}, false)); })};
  method.acting = {.velocity = kVelocity, .label_table = kLabelTable};
  return method;
}

template Method<float> cloning_method(const Settings&, Dimensions);
template Method<double> cloning_method(const Settings&, Dimensions);

}  // namespace r2pac
