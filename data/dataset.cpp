#include "data/dataset.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/philox.h"
#include "data/episodes.h"
#include "data/findings.h"
#include "data/load.h"

namespace r2pac {
namespace {

/// Copies the rows of each episode to their stored place; the closing rows stay zero.
template <class T>
std::vector<T> with_closing_rows(std::span<const T> source, std::int64_t width, const Dataset& dataset) {
  std::vector<T> stored(static_cast<std::size_t>(dataset.stored_rows * width));
  auto from = source.begin();
  for (const Episode& episode : dataset.episodes) {
    std::copy_n(from, episode.length * width, stored.begin() + episode.first * width);
    from += episode.length * width;
  }
  return stored;
}

/// Calls `visit` with each closing row and the file's row that ended its episode.
template <class Visit>
void for_closing_rows(const Dataset& dataset, Visit visit) {
  std::int64_t end = 0;
  for (const Episode& episode : dataset.episodes) {
    end += episode.length;
    for (int k = 0; k < dataset.closing_rows; ++k) visit(episode.first + episode.length + k, end - 1);
  }
}

/// `done(i)` is called when array i of kArrays is needed no more.
template <class Done>
Dataset build(const DsrlView& view, std::string path, int closing_rows, Done done) {
  if (closing_rows < 1)
    throw InvalidArgument("make_dataset: closing_rows is " + std::to_string(closing_rows) +
                          ", expected 1 or more");
  require_finite(view, path);

  Dataset d;
  d.name = std::filesystem::path(path).stem().string();
  d.path = std::move(path);
  d.fingerprint = fingerprint_of(view);
  d.rows = view.shape.rows;
  d.observation_dim = view.shape.observation_dim;
  d.action_dim = view.shape.action_dim;
  d.closing_rows = closing_rows;
  d.episodes = split_episodes(view);
  d.stored_rows = d.rows + std::ssize(d.episodes) * closing_rows;
  for (std::size_t e = 0; e < d.episodes.size(); ++e)
    d.episodes[e].first += static_cast<std::int64_t>(e) * closing_rows;

  for (const Fault& fault : find_faults(view)) {
    if (fault.refused) throw Error(ExitCode::data, fault.what, d.path, fault.todo);
    d.warnings.push_back(sentence(fault));
  }
  d.observations = with_closing_rows(view.observations, d.observation_dim, d);
  done(0);
  for_closing_rows(d, [&](std::int64_t closing, std::int64_t last) {
    std::copy_n(view.next_observations.begin() + last * d.observation_dim, d.observation_dim,
                d.observations.begin() + closing * d.observation_dim);
  });
  done(1);
  d.actions = with_closing_rows(view.actions, d.action_dim, d);
  for (float& action : d.actions) action = std::clamp(action, -1.0f, 1.0f);
  done(2);
  d.rewards = with_closing_rows(view.rewards, 1, d);
  d.costs = with_closing_rows(view.costs, 1, d);
  d.terminals = with_closing_rows(view.terminals, 1, d);
  for_closing_rows(d, [&](std::int64_t closing, std::int64_t last) {
    d.terminals[static_cast<std::size_t>(closing)] = view.terminals[static_cast<std::size_t>(last)];
  });
  return d;
}

}  // namespace

Dataset make_dataset(const DsrlColumns& columns, std::string path, int closing_rows) {
  return build(view_of(columns), std::move(path), closing_rows, [](std::size_t) {});
}

Dataset load_dataset(const std::string& path, int closing_rows, const ReadLimits& limits) {
  LoadedFile loaded = load_columns(path, limits);
  return build(loaded.view, path, closing_rows, [&](std::size_t index) { loaded.release(index); });
}

std::int64_t longest_episode(std::span<const Episode> episodes) {
  std::int64_t longest = 0;
  for (const Episode& episode : episodes) longest = std::max(longest, episode.length);
  return longest;
}

std::vector<bool> held_out_episodes(std::size_t episodes, double share) {
  std::vector<bool> held(episodes, false);
  if (share <= 0 || episodes < 2) return held;
  const auto wanted =
      std::max(std::size_t{1}, static_cast<std::size_t>(std::lround(share * static_cast<double>(episodes))));
  std::vector<std::pair<float, std::size_t>> order(episodes);
  for (std::size_t e = 0; e < episodes; ++e)
    order[e] = {random_uniform(0, Purpose::hold_out, 0, static_cast<std::uint32_t>(e), 0), e};
  std::sort(order.begin(), order.end());
  for (std::size_t i = 0; i < wanted; ++i) held[order[i].second] = true;
  return held;
}

std::vector<std::uint32_t> window_starts(const Dataset& dataset, int chunk_length, bool pad_terminals) {
  return window_starts(dataset, dataset.episodes, chunk_length, pad_terminals);
}

std::vector<std::uint32_t> window_starts(const Dataset& dataset, std::span<const Episode> episodes,
                                         int chunk_length, bool pad_terminals) {
  if (chunk_length < 1)
    throw InvalidArgument("window_starts: chunk_length is " + std::to_string(chunk_length) +
                          ", expected 1 or more");
  if (pad_terminals && dataset.closing_rows < chunk_length)
    throw InvalidArgument("window_starts: padding needs closing_rows >= chunk_length, they are " +
                          std::to_string(dataset.closing_rows) + " and " + std::to_string(chunk_length));
  if (dataset.stored_rows >= std::int64_t{1} << 32)
    throw InvalidArgument("window_starts: 2^32 stored rows or more");
  std::vector<std::uint32_t> starts;
  for (const Episode& episode : episodes) {
    const std::int64_t count =
        pad_terminals && episode.terminal ? episode.length : episode.length - chunk_length + 1;
    for (std::int64_t t = 0; t < count; ++t) starts.push_back(static_cast<std::uint32_t>(episode.first + t));
  }
  if (starts.empty())
    throw Error(ExitCode::data, no_windows(episodes, chunk_length), dataset.path,
                "choose a chunk length no longer than the longest episode");
  return starts;
}

std::vector<std::size_t> window_episodes(const Dataset& dataset, std::span<const std::uint32_t> starts) {
  std::vector<std::size_t> episodes(starts.size());
  std::size_t episode = 0;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    while (episode + 1 < dataset.episodes.size() && dataset.episodes[episode + 1].first <= starts[i])
      ++episode;
    episodes[i] = episode;
  }
  return episodes;
}

}  // namespace r2pac
