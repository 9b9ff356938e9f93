#include "training/fitted_q.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "acting/budget.h"
#include "base/error.h"
#include "base/philox.h"
#include "engine/losses.h"
#include "model/region.h"
#include "training/step.h"
#include "training/training_data.h"
#include "training/window_values.h"

namespace r2pac {
namespace {

constexpr std::int64_t kStepsBetweenChecks = 50;
constexpr std::int64_t kRecordedPart = 5;  // of the steps the first of so many parts learns the recorded sums

std::string member(const char* signal, int k) { return std::string(signal) + "." + std::to_string(k); }

/// Scaled so that the sums from each row on have a root mean square of one.
double scale_of(const Dataset& dataset, std::span<const float> values, double discount) {
  const std::vector<double> sums = realized_sums(dataset, values, discount);
  const double squares = std::inner_product(sums.begin(), sums.end(), sums.begin(), 0.0);
  double rows = 0;
  for (const Episode& episode : dataset.episodes) rows += static_cast<double>(episode.length);
  return squares > 0 ? std::sqrt(rows / squares) : 1;
}

Settings settings_of(const Dataset& dataset, const FittedQOptions& options) {
  Settings s;
  s.seed = static_cast<std::int64_t>(options.seed);
  s.hidden = options.hidden;
  s.batch = options.batch;
  s.chunk_length = 1;
  s.discount = options.discount;
  s.reward_scale = scale_of(dataset, dataset.rewards, options.discount);
  s.cost_scale = scale_of(dataset, dataset.costs, options.discount);
  s.normalize_observations = true;
  s.activation = Activation::relu;
  s.layer_norm = true;
  s.learning_rate = options.learning_rate;
  s.rate_decay = RateDecay::cosine;
  s.polyak = options.polyak;
  return s;
}

/// The data set whose observations are what Q reads: state, step, perhaps the cost so far, and an action.
Dataset with_pairs(const Dataset& dataset, std::int64_t horizon, std::span<const double> spent,
                   std::span<const float> actions) {
  Dataset pairs = dataset;
  const auto s = static_cast<std::size_t>(dataset.observation_dim),
             a = static_cast<std::size_t>(dataset.action_dim), rows = dataset.rewards.size();
  const std::size_t width = s + 1 + (spent.empty() ? 0 : 1) + a;
  pairs.observation_dim = static_cast<int>(width);
  pairs.observations.assign(rows * width, 0.0f);
  std::vector<float> shares(rows);
  for (const Episode& episode : dataset.episodes)
    for (std::int64_t t = 0; t <= episode.length; ++t)
      shares[static_cast<std::size_t>(episode.first + t)] =
          static_cast<float>(t) / static_cast<float>(horizon);
  for (std::size_t row = 0; row < rows; ++row) {
    auto place = pairs.observations.begin() + static_cast<std::ptrdiff_t>(row * width);
    place = std::copy_n(dataset.observations.begin() + static_cast<std::ptrdiff_t>(row * s), s, place);
    *place++ = shares[row];
    if (!spent.empty()) *place++ = static_cast<float>(spent[row]);
    std::copy_n(actions.begin() + static_cast<std::ptrdiff_t>(row * a), a, place);
  }
  return pairs;
}

/// How often each episode is in each member's resample, [members][episodes].
std::vector<std::vector<float>> resamples(std::size_t episodes, const FittedQOptions& options) {
  const auto n = static_cast<std::uint32_t>(episodes);
  std::vector<std::vector<float>> counts(static_cast<std::size_t>(options.members),
                                         std::vector<float>(episodes, 0.0f));
  for (std::size_t k = 0; k < counts.size(); ++k)
    for (std::uint32_t i = 0; i < n; ++i)
      ++counts[k][random_below(options.seed, Purpose::resampling, k, i, n)];
  return counts;
}

Buffer<float> on(Device& device, const std::vector<float>& values) {
  Buffer<float> buffer(values.size(), device.memory());
  buffer.copy_in(values.data(), values.size());
  return buffer;
}

/// Of all members the networks of both signals, equal so that they are computed together.
Declaration networks_of(const Settings& settings, int inputs, int members) {
  Network q;
  q.inputs = {{"pair", inputs}};
  q.hidden = settings.hidden;
  q.activation = settings.activation;
  q.layer_norm = settings.layer_norm;
  q.followed = true;
  Declaration declaration;
  for (const Signal& signal : {kReward, kCost})
    for (int k = 0; k < members; ++k) {
      q.name = member(signal.q, k);
      declaration.networks.push_back(q);
    }
  return declaration;
}

/// What sums over at most `horizon` steps can be, of steps within a range.
Range<float> sums_of(const Range<float>& steps, double discount, std::int64_t horizon) {
  const auto n = static_cast<double>(horizon);
  const auto greatest = static_cast<float>(spread_as_value(n, discount, n));
  return {std::min(steps.least, 0.0f) * greatest, std::max(steps.greatest, 0.0f) * greatest};
}

/// The outputs of all networks for the pairs: those of reward, then those of cost.
std::vector<Tensor<float>> values_of(Recorder<float>& r, Weights weights, Tensor<float> pairs) {
  std::vector<Application<float>> all;
  for (const Network& network : r.networks().declaration().networks)
    all.push_back({network.name, weights, pairs});
  return r.apply(all);
}

/// The estimate of one signal from the members' values of the first states, [members][episodes].
ValueEstimate estimate(const std::vector<std::vector<double>>& values,
                       const std::vector<std::vector<float>>& counts, const Range<float>& possible,
                       double scale) {
  std::vector<double> plain, resampled;
  for (std::size_t k = 0; k < values.size(); ++k) {
    const auto n = static_cast<double>(values[k].size());
    plain.push_back(mean(values[k]) / scale);
    resampled.push_back(std::inner_product(values[k].begin(), values[k].end(), counts[k].begin(), 0.0) / n /
                        scale);
  }
  const double center = mean(plain),
               half = student_quantile(static_cast<double>(plain.size()) - 1) * standard_deviation(resampled);
  return {
      center,
      {std::max(center - half, possible.least / scale), std::min(center + half, possible.greatest / scale)}};
}

}  // namespace

Dataset with_horizon(Dataset dataset, std::int64_t steps) {
  if (dataset.episodes.size() < 2)
    throw Error(ExitCode::data,
                "there is one episode, and how far episodes differ is what makes an estimate honest",
                dataset.path, "give data of two or more episodes");
  for (Episode& episode : dataset.episodes) {
    if (episode.length < steps) continue;
    episode.length = steps;
    episode.terminal = true;
    dataset.terminals[static_cast<std::size_t>(episode.first + steps - 1)] = 1;
  }
  return dataset;
}

SignalEstimates recorded_estimates(const Dataset& dataset, const FittedQOptions& options) {
  const auto of = [&](const std::vector<float>& values) {
    const std::vector<double> sums = realized_sums(dataset, values, options.discount);
    std::vector<double> first;
    for (const Episode& episode : dataset.episodes)
      first.push_back(sums[static_cast<std::size_t>(episode.first)]);
    return ValueEstimate{mean(first), bootstrap_interval(first, options.seed)};
  };
  return {of(dataset.rewards), of(dataset.costs)};
}

std::optional<SignalEstimates> fitted_q(const Dataset& data, std::int64_t horizon,
                                        std::span<const float> actions, std::span<const double> spent,
                                        const FittedQOptions& options, std::shared_ptr<Device> device,
                                        const std::function<bool(std::int64_t)>& watch) {
  if (actions.size() != data.actions.size() || (!spent.empty() && spent.size() != data.rewards.size()) ||
      options.members < 2)
    throw InvalidArgument(
        "fitted_q: needs an action, and a cost so far or none, for each stored row, and members");
  const Settings settings = settings_of(data, options);
  const auto done_data = std::make_unique<TrainingData<float>>(with_pairs(data, horizon, spent, data.actions),
                                                               settings, *device);
  const auto wanted_data = std::make_unique<TrainingData<float>>(
      with_pairs(data, horizon, spent, actions), settings, *device, &done_data->normalization());
  const WindowSource<float> wanted = wanted_data->source();
  Networks<float> networks(networks_of(settings, wanted.observation_dim, options.members), Initializer::torch,
                           options.seed, *device);
  const auto members = static_cast<std::size_t>(options.members);

  // The weight of each transition for each member.
  const std::vector<std::vector<float>> counts = resamples(data.episodes.size(), options);
  const std::vector<std::uint32_t> starts = window_starts(data, 1);
  const std::vector<std::size_t> episode_of = window_episodes(data, starts);
  std::vector<Buffer<float>> weights;
  for (const std::vector<float>& count : counts) {
    std::vector<float> column;
    for (const std::size_t episode : episode_of) column.push_back(count[episode]);
    weights.push_back(on(*device, column));
  }

  const auto recorded_column = [&](const std::vector<float>& values, double scale) {
    const std::vector<double> sums = realized_sums(data, values, options.discount);
    std::vector<float> column;
    for (const std::uint32_t start : starts) column.push_back(static_cast<float>(sums[start] * scale));
    return on(*device, column);
  };

  const DataFacts<float> facts = done_data->facts();
  const TargetConstants<float> constants{static_cast<float>(options.discount),
                                         static_cast<float>(options.discount),
                                         0,
                                         PenaltyReading::none,
                                         sums_of(facts.rewards, options.discount, horizon),
                                         sums_of(facts.costs, options.discount, horizon)};
  Buffer<StepState> state(1, device->memory());
  Buffer<float> no_end = on(*device, {std::numeric_limits<float>::max()});
  RecorderInputs<float> inputs;
  inputs.settings = &settings;
  inputs.networks = &networks;
  inputs.source = done_data->source();
  inputs.facts = facts;
  inputs.state = state.data();
  inputs.steps = static_cast<unsigned long long>(options.steps);
  inputs.scalars = {{kRegionEnd, no_end.data()}};
  std::vector<std::string> names;
  for (const Network& network : networks.declaration().networks) names.push_back(network.name);
  const auto drawn = [&](Recorder<float>& r, const Buffer<float>& column) {
    return drawn_column(r.tape(), "column", column.data(), wanted.windows, settings.batch, r.seed(),
                        r.state());
  };
  using RecordTargets = std::function<Targets<float>(Recorder<float>&, std::size_t member)>;
  const auto step_towards = [&](const std::function<RecordTargets(Recorder<float>&)>& begin) {
    const auto record = [&](Recorder<float>& r) {
      const RecordTargets targets = begin(r);
      const auto learn = values_of(r, Weights::learning, r.batch().observations);
      for (std::size_t k = 0; k < members; ++k) {
        const Targets<float> target = targets(r, k);
        const Tensor<float> weight = drawn(r, weights[k]);
        for (const auto& [i, y] : {std::pair{k, target.reward}, {members + k, target.cost}})
          r.loss(names[i], squared_error_loss(r.tape(), "loss", learn[i], y, weight));
      }
    };
    return Step<float>({{.name = "fit", .trains = names, .steps = {}, .record = record}}, inputs, device);
  };
  const Buffer<float> reward_sums = recorded_column(data.rewards, settings.reward_scale),
                      cost_sums = recorded_column(data.costs, settings.cost_scale);
  Step<float> to_records = step_towards([&](Recorder<float>& r) -> RecordTargets {
    const Targets<float> sums{drawn(r, reward_sums), drawn(r, cost_sums), nullptr};
    return [sums](Recorder<float>&, std::size_t) { return sums; };
  });
  Step<float> to_policy = step_towards([&](Recorder<float>& r) -> RecordTargets {
    const Batch<float> next = draw_batch(r.tape(), wanted, settings.batch, r.seed(), r.state());
    const auto follow = values_of(r, Weights::follower, next.next_observations);
    return [&, follow](Recorder<float>& same, std::size_t k) {
      return critic_targets(same.tape(), same.batch(), follow[k], follow[members + k],
                            same.scalar(kRegionEnd), constants);
    };
  });
  for (std::int64_t i = 0; i < options.steps; ++i) {
    if (watch && watch(i)) return std::nullopt;
    Step<float>& step = i < options.steps / kRecordedPart ? to_records : to_policy;
    step.run();
    if ((i + 1) % kStepsBetweenChecks != 0 && i + 1 != options.steps) continue;
    for (const auto& [name, loss] : step.losses())
      if (!std::isfinite(loss))
        throw Error(ExitCode::diverged,
                    "the loss of " + name + " is not finite at step " + std::to_string(i + 1), data.path,
                    "look for far too great rewards or costs with `r2pac data info`");
  }

  std::vector<std::uint32_t> first_rows;
  for (const Episode& episode : data.episodes)
    first_rows.push_back(static_cast<std::uint32_t>(episode.first));
  Buffer<std::uint32_t> first_starts(first_rows.size(), device->memory());
  first_starts.copy_in(first_rows.data(), first_rows.size());
  inputs.source = wanted;
  inputs.source.starts = first_starts.data();
  inputs.source.windows = static_cast<std::uint32_t>(first_rows.size());
  const WindowColumns<float> columns = evaluate_windows<float>(inputs, device, [&](Recorder<float>& r) {
    std::vector<std::pair<std::string, Tensor<float>>> named;
    const auto values = values_of(r, Weights::follower, r.batch().observations);
    for (std::size_t i = 0; i < values.size(); ++i) named.emplace_back(names[i], values[i]);
    return named;
  });
  std::vector<std::vector<double>> reward, cost;
  for (std::size_t i = 0; i < columns.size(); ++i)
    (i < members ? reward : cost).emplace_back(columns[i].second.begin(), columns[i].second.end());
  return SignalEstimates{estimate(reward, counts, constants.reward_values, settings.reward_scale),
                         estimate(cost, counts, constants.cost_values, settings.cost_scale)};
}

}  // namespace r2pac
