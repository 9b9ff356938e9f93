// A network that says a Gaussian for each row: a trunk, and on its features two heads, the mean and the
// logarithm of the deviation.
#pragma once

#include <vector>

#include "acting/policy_sampler.h"
#include "engine/sampling.h"
#include "model/recorder.h"

namespace r2pac {

/// The names of its parts.
struct GaussianNetwork {
  const char *trunk, *mean, *log_deviation;
};

/// The actor of the published actor-critic methods, and where they clamp its logarithms of deviations.
inline constexpr GaussianNetwork kActor{"trunk", "mean", "log_deviation"};
template <class T>
constexpr DeviationRange<T> kActorRange{-20, 2};

/// A policy that acts by tanh of the network's mean.
inline void act_by_mean(const GaussianNetwork& names, ActingNetworks& acting) {
  acting.trunk = names.trunk;
  acting.mean = names.mean;
}

/// Declares it with `hidden` layers, of which the trunk's output is the last, all with the activation of the
/// settings, and heads of `outputs` columns. rate: learning rate as a share of the run's.
inline void declare_gaussian_network(const Settings& settings, const GaussianNetwork& names,
                                     const std::vector<Columns>& inputs, std::vector<int> hidden, int outputs,
                                     double rate, Declaration& declaration) {
  Network trunk;
  trunk.name = names.trunk;
  trunk.inputs = inputs;
  trunk.outputs = hidden.back();
  trunk.features = true;
  hidden.pop_back();
  trunk.hidden = hidden;
  trunk.activation = settings.activation;
  trunk.rate = rate;
  Network head = trunk;
  head.features = false;
  head.inputs = {{"features", trunk.outputs}};
  head.outputs = outputs;
  head.hidden.clear();
  declaration.networks.push_back(trunk);
  for (const char* name : {names.mean, names.log_deviation}) {
    head.name = name;
    declaration.networks.push_back(head);
  }
}

template <class T>
struct GaussianHeads {
  Tensor<T> mean, log_deviation;  // [1, B, C], the latter not clamped
};

/// What the network says of x [1, B, inputs]. dropout: factors of the features, or null.
template <class T>
GaussianHeads<T> gaussian_heads(Recorder<T>& r, const GaussianNetwork& names, Weights weights, Tensor<T> x,
                                Tensor<T> dropout = nullptr) {
  Tensor<T> features =
      activate(r.tape(), r.apply({{names.trunk, weights, x}}).front(), r.settings().activation);
  if (dropout != nullptr) features = drop_out(r.tape(), features, dropout);
  const auto heads = r.apply({{names.mean, weights, features}, {names.log_deviation, weights, features}});
  return {heads[0], heads[1]};
}

}  // namespace r2pac
