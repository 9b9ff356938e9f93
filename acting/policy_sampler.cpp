#include "acting/policy_sampler.h"

#include <algorithm>
#include <cmath>

#include "acting/denoiser.h"
#include "base/error.h"
#include "base/philox.h"
#include "kernels/budget.h"

namespace r2pac {
namespace {

constexpr char kState[] = "observation", kBudget[] = "budget";  // the inputs that states are made of

constexpr std::size_t size(int n) { return static_cast<std::size_t>(n); }

void require_length(const char* argument, std::size_t expected, std::size_t actual) {
  if (expected != actual)
    throw InvalidArgument(std::string("Sampler: `") + argument + "` must hold " + std::to_string(expected) +
                          " values, not " + std::to_string(actual));
}
void require_length_or_none(const char* argument, std::size_t expected, std::size_t actual) {
  if (actual != 0) require_length(argument, expected, actual);
}

void require_spent(std::size_t rows, std::span<const double> spent) {
  require_length_or_none("spent", rows, spent.size());
  for (const double cost : spent)
    if (!std::isfinite(cost)) throw InvalidArgument("Sampler: `spent` holds a number that is not finite");
}

/// Nothing where nobody asked for it.
template <class T>
void copy_if_wanted(const Buffer<T>& from, std::span<T> to) {
  if (!to.empty()) from.copy_out(to.data(), to.size());
}

}  // namespace

template <class T>
Sampler<T>::Sampler(Networks<T>& networks, const ActingNetworks& acting, Normalization<T> normalization,
                    const SamplerOptions& options, std::shared_ptr<Device> device)
    : networks_(networks),
      acting_(acting),
      normalization_(std::move(normalization)),
      options_(options),
      device_(std::move(device)) {
  if (options.num_candidates < 1) throw InvalidArgument("Sampler: num_candidates must be at least 1");
  if (std::isnan(options.threshold)) throw InvalidArgument("Sampler: the threshold is not a number");
  if (options.flow.flow_steps < 1) throw InvalidArgument("Sampler: flow_steps must be at least 1");
  if (options.num_candidates > 1 && !acting.has_critics())
    throw InvalidArgument("Sampler: num_candidates must be 1 where no critics choose");
  if (options.by_flow) acting_.mean.clear();
  if (!acting_.mean.empty() && options.num_candidates != said_chunks(networks, acting_))
    throw InvalidArgument("Sampler: num_candidates must be " +
                          std::to_string(said_chunks(networks, acting_)) + " for a deterministic actor");
  if (acting_.denoises())
    take_denoiser();
  else if (acting_.mean.empty())
    weights_.flow = flow_weights();
  else
    take_mean();
  if (acting.has_critics()) {
    weights_.q_reward = critics(acting.q_reward);
    weights_.q_cost = critics(acting.q_cost);
    weights_.v_reward = weights(networks.online, acting.v_reward, 0);
    weights_.v_cost = weights(networks.online, acting.v_cost, 0);
  }
  if (options.num_candidates == 1) options_.selection = Selection::least_cost;  // there is nothing to choose
  weights_.by_surplus = acting.by_surplus();
  if (sees_budget() && !(options.greatest_budget > 0))
    throw InvalidArgument("Sampler: the greatest budget must be above 0");
  actor_ = make_actor<T>(*device_, {weights_, options.flow, options.num_candidates, options_.selection});
  version_ = networks.online.version() + networks.follower.version();
}

/// The velocity field, its first layer taken apart by what its rows meet: the state, which is the observation
/// and a budget after it if there is one, and the rest.
template <class T>
FlowWeights<T> Sampler<T>::flow_weights() {
  Parameters<T>& online = networks_.online;
  const Network& velocity = networks_.declared(acting_.velocity);
  const DenseLayer& first = networks_.members(acting_.velocity).group->layers.front();
  FlowWeights<T> flow;
  flow.first_width = first.out;
  const auto width_of = [&](std::string_view input) {
    for (const Columns& columns : velocity.inputs)
      if (columns.name == input) return columns.width;
    return 0;
  };
  const auto rows = [&](std::string_view input, int& width) -> const T* {
    const int first_row = velocity.column(input);
    width = width_of(input);
    if (input == kState) width += width_of(kBudget);
    const auto* pack = online.pack(first, first_row, width, PackLayout::plain, device_->precision());
    return pack != nullptr ? pack->net(0)
                           : online.value(first.weight) + size(first_row) * size(flow.first_width);
  };
  flow.observation = rows(kState, flow.observation_dim);
  flow.label = rows("label", flow.label_dim);
  flow.chunk = rows("chunk", flow.chunk_dim);
  flow.time = online.value(first.weight) + size(velocity.column("time")) * size(flow.first_width);
  flow.bias = online.value(first.bias);
  flow.label_table = online.value(networks_.table(acting_.label_table));
  flow.rest = weights(online, acting_.velocity, 0);
  flow.rest.layers.erase(flow.rest.layers.begin());
  return flow;
}

/// A deterministic actor's networks, which read observations, perhaps the bound after them, and say a chunk
/// each. They may have their first layers in common.
template <class T>
void Sampler<T>::take_mean() {
  take_mean(acting_.trunk, acting_.mean);
  if (!acting_.safe_mean.empty()) take_mean(acting_.safe_trunk, acting_.safe_mean);
  const Network& first = networks_.declared(acting_.trunk.empty() ? acting_.mean : acting_.trunk);
  mean_inputs_ = first.input_width();
  weights_.flow.observation_dim = acting_.by_surplus() ? mean_inputs_ : first.inputs.front().width;
  weights_.flow.chunk_dim = networks_.declared(acting_.mean).outputs;
}

/// Adds the networks of an actor. trunk: empty where they have none in common.
template <class T>
void Sampler<T>::take_mean(const std::string& trunk, const std::string& mean) {
  for (int k = 0; k < networks_.declared(mean).count; ++k) {
    MlpWeights<T>& own = weights_.means.emplace_back(weights(networks_.online, mean, k));
    if (!trunk.empty()) {
      const std::vector<LayerWeights<T>> shared = weights(networks_.online, trunk, 0).layers;
      own.layers.insert(own.layers.begin(), shared.begin(), shared.end());
    }
    own.output = Activation::tanh;
  }
}

/// The followers of a denoiser's networks.
template <class T>
void Sampler<T>::take_denoiser() {
  const DenoiserNames& names = acting_.denoiser;
  Parameters<T>& followers = networks_.follower;
  const int frequencies = networks_.table_follower(names.frequencies);
  DenoiserWeights<T>& denoiser = weights_.denoiser;
  denoiser.frequencies = followers.value(frequencies);
  denoiser.frequency_count = followers.entry(frequencies).shape.cols;
  denoiser.time = weights(followers, names.time, 0);
  denoiser.entrance = weights(followers, names.entrance, 0);
  denoiser.exit = weights(followers, names.exit, 0);
  for (const std::string& name : names.blocks) {
    const auto members = networks_.members(name);
    const NormLayer& norm = *members.follower->input_norm;
    denoiser.blocks.push_back({followers.value(norm.gain, members.first),
                               followers.value(norm.bias, members.first), static_cast<T>(norm.epsilon),
                               weights(followers, name, 0)});
  }
  const Network& entrance = networks_.declared(names.entrance);
  weights_.diffusion = acting_.diffusion;
  weights_.flow.chunk_dim = entrance.inputs[0].width;
  weights_.flow.observation_dim = entrance.inputs[1].width;
}

template <class T>
std::vector<MlpWeights<T>> Sampler<T>::critics(const std::string& network) const {
  std::vector<MlpWeights<T>> all;
  for (int k = 0; k < networks_.declared(network).count; ++k)
    all.push_back(weights(acting_.online_critics ? networks_.online : networks_.follower, network, k));
  return all;
}

template <class T>
MlpWeights<T> Sampler<T>::weights(Parameters<T>& parameters, const std::string& network, int member) const {
  const auto members = networks_.members(network);
  const Mlp& mlp = &parameters == &networks_.follower ? *members.follower : *members.group;
  const int net = members.first + member;
  MlpWeights<T> result;
  result.activation = mlp.activation;
  result.norm_first = mlp.norm_first;
  for (std::size_t i = 0; i < mlp.layers.size(); ++i) {
    const DenseLayer& layer = mlp.layers[i];
    LayerWeights<T> w;
    w.in = layer.in;
    w.out = layer.out;
    w.weight = parameters.value(layer.weight, net);
    w.bias = parameters.value(layer.bias, net);
    if (const auto* pack = parameters.pack(layer, 0, layer.in, PackLayout::plain, device_->precision())) {
      w.products = pack->products;
      w.packed = pack->net(net);
    }
    if (i < mlp.norms.size()) {
      w.gain = parameters.value(mlp.norms[i].gain, net);
      w.norm_bias = parameters.value(mlp.norms[i].bias, net);
      w.epsilon = static_cast<T>(mlp.norms[i].epsilon);
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
std::size_t Sampler<T>::noise_size() const {
  return size(acting_.noise_parts()) * size(options_.num_candidates) * size(weights_.flow.chunk_dim);
}

template <class T>
double Sampler<T>::multiply_adds() const {
  double total = acting_.denoises()
                     ? denoiser_multiply_adds(weights_.denoiser, weights_.diffusion, options_.num_candidates)
                 : acting_.mean.empty()
                     ? flow_multiply_adds(weights_.flow, options_.flow, options_.num_candidates)
                     : 0;
  const auto add = [&total](const MlpWeights<T>& net, int rows) {
    for (const LayerWeights<T>& layer : net.layers) total += static_cast<double>(rows) * layer.in * layer.out;
  };
  for (const MlpWeights<T>& mean : weights_.means) add(mean, 1);
  if (options_.num_candidates > 1 && needs_cost(options_.selection))
    for (const MlpWeights<T>& critic : weights_.q_cost) add(critic, options_.num_candidates);
  if (needs_reward(options_.selection))
    for (const MlpWeights<T>& critic : weights_.q_reward) add(critic, options_.num_candidates);
  if (options_.selection == Selection::region || weights_.by_surplus) add(weights_.v_cost, 1);
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
  bounds_ = Buffer<T>(rows, memory);
  if (mean_reads_bound()) {
    mean_inputs_on_host_.resize(rows * size(mean_inputs_));
    mean_inputs_buffer_ = Buffer<T>(rows * size(mean_inputs_), memory);
  }
  bounds_on_host_.clear();
  candidates_ = Buffer<T>(rows * many * chunk, memory);
  step_noise_ = Buffer<T>(rows * (noise_size() - many * chunk), memory);
  q_cost_ = Buffer<T>(rows * many, memory);
  q_reward_ = Buffer<T>(rows * many, memory);
  chosen_ = Buffer<T>(rows * chunk, memory);
  chosen_q_cost_ = Buffer<T>(rows, memory);
  chosen_q_reward_ = Buffer<T>(rows, memory);
  v_reward_ = Buffer<T>(rows, memory);
  v_cost_ = Buffer<T>(rows, memory);
}

/// Makes room for the observations and gives them to the device, normalised and with what networks see of
/// the rows' budgets.
template <class T>
void Sampler<T>::load(std::span<const T> observations, std::span<const double> spent,
                      std::span<const std::int64_t> steps) {
  const std::size_t s = observation_dim(), width = size(weights_.flow.observation_dim),
                    n = observations.size() / s;
  reserve(n);
  load_bounds(n, spent, steps);
  for (std::size_t i = 0; i < observations.size(); ++i)
    normalized_[i / s * width + i % s] = normalization_.seen(i % s, observations[i]);
  if (sees_budget())
    for (std::size_t i = 0; i < n; ++i)
      normalized_[i * width + s] =
          formula::budget_input(bounds_on_host_[i], static_cast<T>(options_.greatest_budget),
                                static_cast<T>(options_.budget.cost_scale));
  observations_.copy_in(normalized_.data(), n * width);
}

/// Gives the device what each row's choice calls safe, where that has changed.
template <class T>
void Sampler<T>::load_bounds(std::size_t rows, std::span<const double> spent,
                             std::span<const std::int64_t> steps) {
  if (!reads_bound()) return;
  bool changed = bounds_on_host_.size() < rows;
  if (changed) bounds_on_host_.resize(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    auto bound = static_cast<T>(bound_within(options_.budget, options_.threshold,
                                             spent.empty() ? std::nullopt : std::optional(spent[i]),
                                             steps.empty() ? 0 : steps[i]));
    if (weights_.by_surplus) bound = std::min(bound, static_cast<T>(options_.greatest_budget));
    changed |= bound != bounds_on_host_[i];
    bounds_on_host_[i] = bound;
  }
  if (changed) bounds_.copy_in(bounds_on_host_.data(), rows);
}

/// Gives the device what a deterministic actor reads: the loaded observations, each with its bound's share.
template <class T>
void Sampler<T>::load_mean_inputs(std::size_t rows) {
  if (!mean_reads_bound()) return;
  const std::size_t s = size(weights_.flow.observation_dim), width = size(mean_inputs_);
  const auto unit = static_cast<T>(options_.bound_unit);
  for (std::size_t i = 0; i < rows; ++i) {
    T* const row = mean_inputs_on_host_.data() + i * width;
    std::copy_n(normalized_.data() + i * s, s, row);
    row[s] = unit > 0 ? std::clamp(bounds_on_host_[i] / unit, T(0), T(1)) : T(0);
  }
  mean_inputs_buffer_.copy_in(mean_inputs_on_host_.data(), rows * width);
}

/// Gives the device the noise of rows: what they begin with, and what the steps of a denoiser add.
template <class T>
void Sampler<T>::load_noise(std::span<const T> noise) {
  if (!acting_.denoises()) return candidates_.copy_in(noise.data(), noise.size());
  const std::size_t per_row = noise_size(), first = per_row / size(weights_.diffusion.steps);
  const auto load_part = [&](std::size_t begin, std::size_t end, Buffer<T>& to) {
    noise_on_host_.clear();
    for (std::size_t row = 0; row < noise.size(); row += per_row)
      noise_on_host_.insert(noise_on_host_.end(), noise.begin() + static_cast<std::ptrdiff_t>(row + begin),
                            noise.begin() + static_cast<std::ptrdiff_t>(row + end));
    if (!noise_on_host_.empty()) to.copy_in(noise_on_host_.data(), noise_on_host_.size());
  };
  load_part(0, first, candidates_);
  load_part(first, per_row, step_noise_);
}

template <class T>
void Sampler<T>::act(Actor<T>& actor, const ActionRequest& request) {
  if (const std::uint64_t version = networks_.online.version() + networks_.follower.version();
      version != version_) {
    actor_->renew_weights();
    if (scorer_ != nullptr) scorer_->renew_weights();
    version_ = version;
  }
  actor.act({.observations = observations_.data(),
             .mean_inputs = mean_reads_bound() ? mean_inputs_buffer_.data() : observations_.data(),
             .bounds = bounds_.data(),
             .step_noise = step_noise_.data(),
             .candidates = candidates_.data(),
             .q_cost = q_cost_.data(),
             .q_reward = q_reward_.data(),
             .chosen = chosen_.data(),
             .chosen_q_cost = chosen_q_cost_.data(),
             .chosen_q_reward = chosen_q_reward_.data(),
             .v_reward = v_reward_.data(),
             .v_cost = v_cost_.data()},
            request);
}

template <class T>
void Sampler<T>::require_critics(bool wanted) const {
  if (wanted && !acting_.has_critics()) throw InvalidArgument("Sampler: these networks have no critics");
}

template <class T>
void Sampler<T>::sample(std::span<const T> observations, std::span<const T> noise,
                        const SampleOutputs<T>& out, std::span<const double> spent,
                        std::span<const std::int64_t> steps, Pace* pace) {
  const std::size_t s = observation_dim(), chunk = size(weights_.flow.chunk_dim), n = observations.size() / s,
                    many = n * size(options_.num_candidates);
  require_length("observations", n * s, observations.size());
  require_length("noise", n * noise_size(), noise.size());
  require_spent(n, spent);
  require_length_or_none("steps", n, steps.size());
  require_length("chunk", n * chunk, out.chunk.size());
  require_length_or_none("q_cost", n, out.q_cost.size());
  for (const auto& values : {out.v_reward, out.v_cost})
    if (!out.v_reward.empty() || !out.v_cost.empty()) require_length("v_reward, v_cost", n, values.size());
  require_length_or_none("q_reward", n, out.q_reward.size());
  require_length_or_none("candidates", many * chunk, out.candidates.size());
  require_length_or_none("candidate_q_cost", many, out.candidate_q_cost.size());
  require_length_or_none("candidate_q_reward", many, out.candidate_q_reward.size());
  require_critics(!out.q_cost.empty() || !out.v_cost.empty() || !out.q_reward.empty() ||
                  !out.candidate_q_cost.empty() || !out.candidate_q_reward.empty());
  if (n == 0) return;
  load(observations, spent, steps);
  load_mean_inputs(n);
  load_noise(noise);
  ActionRequest request;
  request.rows = static_cast<int>(n);
  request.values = !out.v_cost.empty();
  request.q_reward =
      needs_reward(options_.selection) || !out.q_reward.empty() || !out.candidate_q_reward.empty();
  request.score = (options_.num_candidates > 1 && needs_cost(options_.selection)) || !out.q_cost.empty() ||
                  !out.candidate_q_cost.empty() || (request.q_reward && weights_.by_surplus);
  request.pace = pace;
  act(*actor_, request);
  if (pace != nullptr && pace->given_up) return;

  chosen_.copy_out(out.chunk.data(), n * chunk);
  if (!std::ranges::all_of(out.chunk, [](T value) { return std::isfinite(value); }))
    throw Error(ExitCode::diverged, "the policy answers an observation with a number that is not finite", "",
                "give less guidance, check the observation's units, or use another policy");
  copy_if_wanted(chosen_q_cost_, out.q_cost);
  copy_if_wanted(chosen_q_reward_, out.q_reward);
  copy_if_wanted(v_reward_, out.v_reward);
  copy_if_wanted(v_cost_, out.v_cost);
  copy_if_wanted(candidates_, out.candidates);
  copy_if_wanted(q_cost_, out.candidate_q_cost);
  copy_if_wanted(q_reward_, out.candidate_q_reward);
}

template <class T>
void Sampler<T>::score(std::span<const T> observations, std::span<const T> chunks, std::span<T> q_reward,
                       std::span<T> q_cost, std::span<T> v_reward, std::span<T> v_cost,
                       std::span<const double> spent, std::span<const std::int64_t> steps) {
  const std::size_t s = observation_dim(), n = observations.size() / s;
  require_length("observations", n * s, observations.size());
  require_length("chunks", n * size(weights_.flow.chunk_dim), chunks.size());
  require_length_or_none("q_reward", n, q_reward.size());
  require_length_or_none("q_cost", n, q_cost.size());
  require_length_or_none("v_reward", n, v_reward.size());
  require_length_or_none("v_cost", n, v_cost.size());
  require_spent(n, spent);
  require_length_or_none("steps", n, steps.size());
  require_critics(true);
  if (n == 0) return;
  if (scorer_ == nullptr) {
    ActorSpec<T> scorer{weights_, {}, 1};
    scorer.chunks_are_given = true;
    scorer_ = make_actor<T>(*device_, scorer);
  }
  load(observations, spent, steps);
  candidates_.copy_in(chunks.data(), chunks.size());
  ActionRequest request;
  request.rows = static_cast<int>(n);
  request.values = !v_reward.empty() || !v_cost.empty();
  request.q_reward = !q_reward.empty();
  request.score = !q_cost.empty() || (request.q_reward && weights_.by_surplus);
  act(*scorer_, request);
  copy_if_wanted(chosen_q_reward_, q_reward);
  copy_if_wanted(chosen_q_cost_, q_cost);
  copy_if_wanted(v_reward_, v_reward);
  copy_if_wanted(v_cost_, v_cost);
}

template class Sampler<float>;
template class Sampler<double>;

}  // namespace r2pac
