// The Gaussian actor: one diagonal Gaussian over the whole chunk, learned by weighted regression (PAPER.md,
// AWR).
#pragma once

#include <algorithm>

#include "engine/losses.h"
#include "model/recorder.h"

namespace r2pac {

inline constexpr char kMean[] = "mean", kLogDeviation[] = "log_deviation";

/// Declares the network of the mean, with at most three hidden layers, and the deviations, which do not
/// depend on the state.
inline void declare_gaussian_actor(const Settings& settings, Dimensions dimensions,
                                   Declaration& declaration) {
  constexpr std::size_t kLayers = 3;
  Network mean;
  mean.name = kMean;
  mean.inputs = {{"observation", dimensions.observation}};
  mean.outputs = dimensions.chunk();
  mean.hidden = settings.resolved_actor_hidden();
  mean.hidden.resize(std::min(kLayers, mean.hidden.size()));
  mean.activation = settings.activation;
  declaration.networks.push_back(mean);
  declaration.tables.push_back({kLogDeviation, kMean, 1, dimensions.chunk(), TableStart::zero});
}

/// Records the negative log-likelihood of the batch's chunks as a loss, each times its `weight` [1, B, 1].
template <class T>
void learn_gaussian(Recorder<T>& r, Tensor<T> weight) {
  const Batch<T> batch = r.batch();
  Networks<T>& networks = r.networks();
  const Tensor<T> mean =
      activate(r.tape(), r.apply({{kMean, Weights::learning, batch.observations}}).front(), Activation::tanh);
  const Tensor<T> log_deviation =
      free_vector(r.tape(), networks.online, networks.table(kLogDeviation), batch.observations->shape.rows);
  r.loss("actor", gaussian_loss(r.tape(), "loss actor", mean, log_deviation, batch.actions, weight));
  r.mean("weight", weight);
  for (const auto& [name, value] : {std::pair{"observations", batch.observations},
                                    {"actions", batch.actions},
                                    {"weight", weight},
                                    {"mean", mean}})
    r.trace(name, value);
}

}  // namespace r2pac
