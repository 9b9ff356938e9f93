#include "model/sampler.h"

#include <algorithm>

#include "base/error.h"
#include "base/philox.h"
#include "kernels/select.h"

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
Sampler<T>::Sampler(Networks<T>& networks, const SamplerOptions& options, std::shared_ptr<ThreadPool> pool)
    : networks_(networks), options_(options), pool_(std::move(pool)) {
  if (options.num_candidates < 1) throw InvalidArgument("Sampler: num_candidates must be at least 1");
  if (options.flow.flow_steps < 1) throw InvalidArgument("Sampler: flow_steps must be at least 1");
  Parameters<T>& online = networks.online;
  const Dimensions& dim = networks.dimensions();
  const Mlp& velocity = networks.velocity;
  const int first = velocity.layers.front().weight, labels = online.entry(networks.label_table).shape.cols;
  flow_.observation_dim = dim.observation;
  flow_.label_dim = labels;
  flow_.chunk_dim = dim.chunk();
  flow_.first_width = velocity.layers.front().out;
  flow_.observation = online.pack(first, 0, dim.observation, false)->net(0);
  flow_.label = online.pack(first, dim.observation, labels, false)->net(0);
  flow_.chunk = online.pack(first, dim.observation + labels, dim.chunk(), false)->net(0);
  flow_.time = online.value(first) + size(dim.observation + labels + dim.chunk()) * size(flow_.first_width);
  flow_.bias = online.value(velocity.layers.front().bias);
  flow_.label_table = online.value(networks.label_table);
  flow_.rest = weights(online, velocity, 0);
  flow_.rest.layers.erase(flow_.rest.layers.begin());
  for (int k = 0; k < networks.critics_per_side(); ++k)
    cost_critics_.push_back(weights(networks.target, networks.critic, networks.critics_per_side() + k));
  v_reward_ = weights(online, networks.value, 0);
  v_cost_ = weights(online, networks.value, 1);

  const int rows = options.num_candidates;
  const std::size_t scratch = std::max(
      {flow_scratch(flow_, rows), score_scratch(cost_critics_.front(), rows), 2 * size(v_cost_.width())});
  for (int t = 0; t < pool_->threads(); ++t) {
    scratch_.emplace_back(scratch);
    scratch_pointers_.push_back(reinterpret_cast<std::byte*>(scratch_.back().data()));
  }
  parts_phase_.run = [this](int task, std::byte* memory) { run_part(task, reinterpret_cast<T*>(memory)); };
  choice_phase_.run = [this](int task, std::byte* memory) {
    run_choice(size(task), reinterpret_cast<T*>(memory));
  };
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
    if (layer.out > 1) w.packed = parameters.pack(layer.weight, 0, layer.in, false)->net(net);
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
  double total = flow_multiply_adds(flow_, options_.flow, options_.num_candidates);
  if (options_.num_candidates > 1)
    for (const MlpWeights<T>& critic : cost_critics_)
      for (const LayerWeights<T>& layer : critic.layers)
        total += static_cast<double>(options_.num_candidates) * layer.in * layer.out;
  return total;
}

template <class T>
void Sampler<T>::reserve(std::size_t rows) {
  const std::size_t s = size(flow_.observation_dim), chunk = size(flow_.chunk_dim),
                    many = size(options_.num_candidates);
  if (observations_.size() >= rows * s) return;
  normalized_.resize(rows * s);
  observations_ = Buffer<T>(rows * s);
  candidates_ = Buffer<T>(rows * many * chunk);
  costs_ = Buffer<T>(rows * many);
  chosen_ = Buffer<T>(rows * chunk);
  chosen_cost_ = Buffer<T>(rows);
  values_r_ = Buffer<T>(rows);
  values_c_ = Buffer<T>(rows);
}

/// Some candidates of one observation: from noise to chunks and their costs.
template <class T>
void Sampler<T>::run_part(int task, T* scratch) const {
  const int first = task % job_.parts * job_.per_part,
            count = std::min(job_.per_part, options_.num_candidates - first);
  if (count <= 0) return;
  const std::size_t row = size(task / job_.parts),
                    candidate = row * size(options_.num_candidates) + size(first);
  const T* observation = observations_.data() + row * size(flow_.observation_dim);
  T* chunks = candidates_.data() + candidate * size(flow_.chunk_dim);
  integrate_flow(flow_, options_.flow, observation, count, chunks, scratch);
  if (job_.score)
    greatest_cost(cost_critics_, observation, flow_.observation_dim, chunks, flow_.chunk_dim, count,
                  costs_.data() + candidate, scratch);
}

/// The chosen candidate of one observation, and the observation's values.
template <class T>
void Sampler<T>::run_choice(std::size_t row, T* scratch) const {
  const std::size_t chunk = size(flow_.chunk_dim), many = size(options_.num_candidates);
  choose_least_cost(costs_.data() + row * many, candidates_.data() + row * many * chunk,
                    options_.num_candidates, flow_.chunk_dim, chosen_.data() + row * chunk,
                    chosen_cost_.data() + row);
  if (!job_.values) return;
  const T* observation = observations_.data() + row * size(flow_.observation_dim);
  mlp_forward(v_reward_, observation, 1, values_r_.data() + row, scratch);
  mlp_forward(v_cost_, observation, 1, values_c_.data() + row, scratch);
}

template <class T>
void Sampler<T>::sample(std::span<const T> observations, std::span<const T> noise,
                        const SampleOutputs<T>& out) {
  const std::size_t s = size(flow_.observation_dim), chunk = size(flow_.chunk_dim),
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

  const int threads = pool_->threads();
  job_.rows = n;
  job_.parts = n >= size(threads) ? 1 : std::min(options_.num_candidates, threads);
  job_.per_part = (options_.num_candidates + job_.parts - 1) / job_.parts;
  job_.score = options_.num_candidates > 1 || !out.cost.empty();
  job_.values = !out.v_cost.empty();
  parts_phase_.tasks = static_cast<int>(n) * job_.parts;
  choice_phase_.tasks = static_cast<int>(n);
  pool_->run(parts_phase_, scratch_pointers_);
  pool_->run(choice_phase_, scratch_pointers_);

  chosen_.copy_out(out.chunk.data(), n * chunk);
  if (!out.cost.empty()) chosen_cost_.copy_out(out.cost.data(), n);
  if (!job_.values) return;
  values_r_.copy_out(out.v_reward.data(), n);
  values_c_.copy_out(out.v_cost.data(), n);
}

template class Sampler<float>;
template class Sampler<double>;

}  // namespace r2pac
