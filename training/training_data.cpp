#include "training/training_data.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "settings/text_value.h"
#include "training/fit_normalization.h"
#include "training/moments.h"

namespace r2pac {
namespace {

template <class T>
Buffer<T> upload(Device& device, const std::vector<float>& values, double scale = 1) {
  std::vector<T> converted(values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    converted[i] = static_cast<T>(static_cast<double>(values[i]) * scale);
  Buffer<T> buffer(converted.size(), device.memory());
  buffer.copy_in(converted.data(), converted.size());
  return buffer;
}

/// Of all stored rows; closing rows hold zeros, which every range of values includes anyway.
template <class T>
Range<T> range_of(const std::vector<float>& values, double scale) {
  const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
  return {static_cast<T>(static_cast<double>(*least) * scale),
          static_cast<T>(static_cast<double>(*greatest) * scale)};
}

template <class T>
Buffer<T> converted(Device& device, const std::vector<double>& values) {
  const std::vector<T> result(values.begin(), values.end());
  Buffer<T> buffer(result.size(), device.memory());
  buffer.copy_in(result.data(), result.size());
  return buffer;
}

}  // namespace

template <class T>
TrainingData<T>::TrainingData(const Dataset& dataset, const Settings& settings, Device& device,
                              const Normalization<T>* given)
    : actions_(upload<T>(device, dataset.actions)),
      rewards_(upload<T>(device, dataset.rewards, settings.reward_scale)),
      costs_(upload<T>(device, dataset.costs, settings.cost_scale)),
      fingerprint_(dataset.fingerprint),
      facts_{range_of<T>(dataset.rewards, settings.reward_scale),
             range_of<T>(dataset.costs, settings.cost_scale), 0} {
  const std::vector<Episode> episodes = training_episodes(dataset, settings);
  facts_.longest_episode = longest_episode(dataset.episodes);
  const auto s = static_cast<std::size_t>(dataset.observation_dim);
  normalization_ = given != nullptr ? *given : fit_normalization<T>(dataset, episodes, settings);
  std::vector<T> observations(dataset.observations.size());
  for (std::size_t i = 0; i < observations.size(); ++i)
    observations[i] = normalization_.seen(i % s, static_cast<T>(dataset.observations[i]));
  const auto deviation_of = [&](const auto& values, std::size_t columns) {
    const auto number = [&](std::size_t i, std::size_t) { return values[i]; };
    return converted<T>(device, moments_of(columns, episodes, number).deviation);
  };
  observation_deviation_ = deviation_of(observations, s);
  action_deviation_ = deviation_of(dataset.actions, static_cast<std::size_t>(dataset.action_dim));
  observations_ = Buffer<T>(observations.size(), device.memory());
  observations_.copy_in(observations.data(), observations.size());

  std::vector<T> continues(dataset.terminals.size());
  std::transform(dataset.terminals.begin(), dataset.terminals.end(), continues.begin(),
                 [](std::uint8_t terminal) { return terminal != 0 ? T(0) : T(1); });
  if (settings.timeouts == Timeouts::terminal)
    for (const Episode& episode : dataset.episodes)
      continues[static_cast<std::size_t>(episode.first + episode.length - 1)] = T(0);
  continues_ = Buffer<T>(continues.size(), device.memory());
  continues_.copy_in(continues.data(), continues.size());

  std::vector<double> initial(dataset.terminals.size());
  std::int64_t rows = 0;
  for (const Episode& episode : episodes) {
    initial[static_cast<std::size_t>(episode.first)] = 1;
    rows += episode.length;
  }
  initial_ = converted<T>(device, initial);
  facts_.initial_share = static_cast<double>(episodes.size()) / static_cast<double>(rows);

  const std::vector<std::uint32_t> starts =
      window_starts(dataset, episodes, settings.chunk_length, settings.pad_terminals);
  starts_ = Buffer<std::uint32_t>(starts.size(), device.memory());
  starts_.copy_in(starts.data(), starts.size());

  source_ = {observations_.data(),
             actions_.data(),
             rewards_.data(),
             costs_.data(),
             continues_.data(),
             starts_.data(),
             static_cast<std::uint32_t>(starts.size()),
             dataset.observation_dim,
             dataset.action_dim,
             settings.chunk_length,
             static_cast<T>(settings.discount),
             initial_.data(),
             observation_deviation_.data(),
             action_deviation_.data()};
}

template <class T>
std::vector<T> TrainingData<T>::first_observation() const {
  std::uint32_t start;
  starts_.copy_out(&start, 1);
  std::vector<T> observation(normalization_.mean.size());
  observations_.copy_out(observation.data(), observation.size(), start * observation.size());
  for (std::size_t i = 0; i < observation.size(); ++i)
    observation[i] = normalization_.unseen(i, observation[i]);
  return observation;
}

std::vector<double> realized_sums(const Dataset& dataset, std::span<const float> values, double discount) {
  std::vector<double> realized(values.size(), 0.0);
  for (const Episode& episode : dataset.episodes) {
    double rest = 0;
    for (std::int64_t row = episode.first + episode.length - 1; row >= episode.first; --row) {
      const auto i = static_cast<std::size_t>(row);
      realized[i] = rest = static_cast<double>(values[i]) + discount * rest;
    }
  }
  return realized;
}

std::vector<double> realized_costs(const Dataset& dataset, const Settings& settings) {
  std::vector<double> realized = realized_sums(dataset, dataset.costs, settings.discount);
  for (double& cost : realized) cost *= settings.cost_scale;
  return realized;
}

std::vector<Episode> training_episodes(const Dataset& dataset, const Settings& settings) {
  const std::vector<bool> held = held_out_episodes(dataset.episodes.size(), settings.hold_out);
  std::vector<Episode> kept;
  for (std::size_t e = 0; e < held.size(); ++e)
    if (!held[e]) kept.push_back(dataset.episodes[e]);
  if (settings.episodes == Episodes::all) return kept;
  double least = std::numeric_limits<double>::infinity();
  std::erase_if(kept, [&](const Episode& episode) {
    const auto first = dataset.costs.begin() + episode.first;
    const double cost = std::accumulate(first, first + episode.length, 0.0);
    least = std::min(least, cost);
    return cost > settings.cost_limit;
  });
  if (kept.empty())
    throw Error(ExitCode::data,
                "no episode's cost is within the limit of " + format_number(settings.cost_limit) +
                    "; the least is " + format_number(least),
                dataset.path, "raise cost_limit, or train on all episodes (episodes=all)");
  return kept;
}

int closing_rows(const Settings& settings) { return settings.pad_terminals ? settings.chunk_length : 1; }

Dataset load_training_dataset(const std::string& path, const Settings& settings) {
  return load_dataset(path, closing_rows(settings));
}

template class TrainingData<float>;
template class TrainingData<double>;

}  // namespace r2pac
