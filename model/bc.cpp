// Behaviour cloning of single actions (docs/methods.md): one network, by squared error. `bc-safe` differs in
// its data alone (the setting `episodes`).
#include "engine/losses.h"
#include "model/gaussian_actor.h"
#include "model/method.h"

namespace r2pac {
namespace {

/// tanh of the network is near the action, in the mean of squares over rows and columns.
template <class T>
void imitate(Recorder<T>& r) {
  const Batch<T> batch = r.batch();
  const Tensor<T> action =
      activate(r.tape(), r.apply({{kMean, Weights::learning, batch.observations}}).front(), Activation::tanh);
  r.loss("actor", squared_error_loss(r.tape(), "loss actor", action, batch.actions));
  for (const auto& [name, value] :
       {std::pair{"observations", batch.observations}, {"actions", batch.actions}, {"mean", action}})
    r.trace(name, value);
}

}  // namespace

template <class T>
Method<T> bc_method(const Settings& settings, Dimensions dimensions) {
  Method<T> method;
  method.name = settings.method;
  Network mean;
  mean.name = kMean;
  mean.inputs = {{"observation", dimensions.observation}};
  mean.outputs = dimensions.chunk();
  mean.hidden = settings.resolved_actor_hidden();
  mean.activation = settings.activation;
  method.networks.networks = {mean};
  method.stages = {actor_stage<T>(kMean, imitate<T>)};
  method.acting.mean = kMean;
  return method;
}

template Method<float> bc_method(const Settings&, Dimensions);
template Method<double> bc_method(const Settings&, Dimensions);

}  // namespace r2pac
