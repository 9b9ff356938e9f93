#include "model/sampler.h"

#include <algorithm>

#include "base/error.h"
#include "base/philox.h"

namespace r2pac {
namespace {

constexpr std::size_t size(int n) { return static_cast<std::size_t>(n); }

void require_length(const char* argument, std::size_t expected, std::size_t actual) {
  if (expected != actual)
    throw InvalidArgument(std::string("Sampler::sample: `") + argument + "` must hold " +
                          std::to_string(expected) + " values, not " + std::to_string(actual));
}

}  // namespace

template <class T>
Sampler<T>::Sampler(Networks<T>& networks, const SamplerOptions& options, std::shared_ptr<Device> device)
    : networks_(networks), options_(options), device_(std::move(device)) {
  if (options.num_candidates < 1) throw InvalidArgument("Sampler: num_candidates must be at least 1");
  if (options.flow.flow_steps < 1) throw InvalidArgument("Sampler: flow_steps must be at least 1");
  Parameters<T>& online = networks.online;
  const Dimensions& dim = networks.dimensions();
  const Mlp& velocity = networks.velocity;
  const int first = velocity.layers.front().weight, labels = online.entry(networks.label_table).shape.cols;
  FlowWeights<T>& flow = weights_.flow;
  flow.observation_dim = dim.observation;
  flow.label_dim = labels;
  flow.chunk_dim = dim.chunk();
  flow.first_width = velocity.layers.front().out;
  const auto rows = [&](int first_row, int count) -> const T* {
    const auto* pack = online.pack(first, first_row, count, false);
    return pack != nullptr ? pack->net(0) : online.value(first) + size(first_row) * size(flow.first_width);
  };
  flow.observation = rows(0, dim.observation);
  flow.label = rows(dim.observation, labels);
  flow.chunk = rows(dim.observation + labels, dim.chunk());
  flow.time = online.value(first) + size(dim.observation + labels + dim.chunk()) * size(flow.first_width);
  flow.bias = online.value(velocity.layers.front().bias);
  flow.label_table = online.value(networks.label_table);
  flow.rest = weights(online, velocity, 0);
  flow.rest.layers.erase(flow.rest.layers.begin());
  for (int k = 0; k < networks.critics_per_side(); ++k)
    weights_.cost_critics.push_back(
        weights(networks.target, networks.critic, networks.critics_per_side() + k));
  weights_.v_reward = weights(online, networks.value, 0);
  weights_.v_cost = weights(online, networks.value, 1);
  actor_ = device_->make_actor(ActorSpec<T>{weights_, options.flow, options.num_candidates});
  version_ = online.version() + networks.target.version();
}

template <class T>
MlpWeights<T> Sampler<T>::weights(Parameters<T>& parameters, const Mlp& mlp, int net) const {
  MlpWeights<T> result;
  result.activation = mlp.activation;
  for (std::size_t i = 0; i < mlp.layers.size(); ++i) {
    const DenseLayer& layer = mlp.layers[i];
    LayerWeights<T> w;
    w.in = layer.in;
    w.out = layer.out;
    w.weight = parameters.value(layer.weight, net);
    w.bias = parameters.value(layer.bias, net);
    if (const auto* pack = layer.out > 1 ? parameters.pack(layer.weight, 0, layer.in, false) : nullptr)
      w.packed = pack->net(net);
    if (i < mlp.norms.size()) {
      w.gain = parameters.value(mlp.norms[i].gain, net);
      w.norm_bias = parameters.value(mlp.norms[i].bias, net);
    }
    result.layers.push_back(w);
  }
  return result;
}

template <class T>
void Sampler<T>::draw_noise(std::uint64_t seed, std::uint64_t step, std::uint32_t row,
                            std::span<T> noise) const {
  for (std::size_t i = 0; i < noise.size(); ++i)
    noise[i] = static_cast<T>(
        random_normal(seed, Purpose::candidate_noise, step, row, static_cast<std::uint32_t>(i)));
}

template <class T>
double Sampler<T>::multiply_adds() const {
  double total = flow_multiply_adds(weights_.flow, options_.flow, options_.num_candidates);
  if (options_.num_candidates > 1)
    for (const MlpWeights<T>& critic : weights_.cost_critics)
      for (const LayerWeights<T>& layer : critic.layers)
        total += static_cast<double>(options_.num_candidates) * layer.in * layer.out;
  return total;
}

template <class T>
void Sampler<T>::reserve(std::size_t rows) {
  const std::size_t s = size(weights_.flow.observation_dim), chunk = size(weights_.flow.chunk_dim),
                    many = size(options_.num_candidates);
  if (observations_.size() >= rows * s) return;
  Memory& memory = device_->memory();
  normalized_.resize(rows * s);
  observations_ = Buffer<T>(rows * s, memory);
  candidates_ = Buffer<T>(rows * many * chunk, memory);
  costs_ = Buffer<T>(rows * many, memory);
  chosen_ = Buffer<T>(rows * chunk, memory);
  chosen_cost_ = Buffer<T>(rows, memory);
  values_r_ = Buffer<T>(rows, memory);
  values_c_ = Buffer<T>(rows, memory);
}

template <class T>
void Sampler<T>::sample(std::span<const T> observations, std::span<const T> noise,
                        const SampleOutputs<T>& out) {
  const std::size_t s = size(weights_.flow.observation_dim), chunk = size(weights_.flow.chunk_dim),
                    n = observations.size() / s;
  require_length("observations", n * s, observations.size());
  require_length("noise", n * size(options_.num_candidates) * chunk, noise.size());
  require_length("chunk", n * chunk, out.chunk.size());
  if (!out.cost.empty()) require_length("cost", n, out.cost.size());
  for (const auto& values : {out.v_reward, out.v_cost})
    if (!out.v_reward.empty() || !out.v_cost.empty()) require_length("v_reward, v_cost", n, values.size());
  if (n == 0) return;
  reserve(n);
  for (std::size_t i = 0; i < n * s; ++i)
    normalized_[i] =
        (observations[i] - networks_.observation_mean[i % s]) * networks_.observation_scale[i % s];
  observations_.copy_in(normalized_.data(), n * s);
  candidates_.copy_in(noise.data(), noise.size());

  if (const std::uint64_t version = networks_.online.version() + networks_.target.version();
      version != version_) {
    actor_->renew_weights();
    version_ = version;
  }
  const bool score = options_.num_candidates > 1 || !out.cost.empty(), values = !out.v_cost.empty();
  actor_->act({observations_.data(), candidates_.data(), costs_.data(), chosen_.data(), chosen_cost_.data(),
               values_r_.data(), values_c_.data()},
              {static_cast<int>(n), score, values});

  chosen_.copy_out(out.chunk.data(), n * chunk);
  if (!out.cost.empty()) chosen_cost_.copy_out(out.cost.data(), n);
  if (!values) return;
  values_r_.copy_out(out.v_reward.data(), n);
  values_c_.copy_out(out.v_cost.data(), n);
}

template class Sampler<float>;
template class Sampler<double>;

}  // namespace r2pac
