#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "data/check.h"
#include "data/episodes.h"

namespace r2pac {
namespace {

Quartiles quartiles(std::vector<double> values) {
  if (values.empty()) return {};
  if (std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); })) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    return {nan, nan, nan, nan, nan, nan};
  }
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    const double place = share * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    return std::lerp(values[below], values[above], place - static_cast<double>(below));
  };
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return {at(0), at(0.25), at(0.5), at(0.75), at(1), sum / static_cast<double>(values.size())};
}

ArrayRange range_of(const ArraySpec& spec, const ColumnShape& shape, std::span<const float> array) {
  const double infinity = std::numeric_limits<double>::infinity();
  ArrayRange range{spec.name, width_of(spec, shape), 0, infinity, -infinity, 0};
  double sum = 0;
  for (const float value : array) {
    if (!std::isfinite(value)) {
      ++range.not_finite;
      continue;
    }
    range.min = std::min(range.min, double{value});
    range.max = std::max(range.max, double{value});
    sum += value;
  }
  const auto finite = std::ssize(array) - range.not_finite;
  range.mean = sum / static_cast<double>(finite);
  if (finite == 0) range.min = range.max = range.mean;
  return range;
}

}  // namespace

DataSummary summarize(const DsrlColumns& columns, double cost_limit, int chunk_length) {
  const DsrlView view = view_of(columns);
  const std::vector<Episode> episodes = split_episodes(view);
  DataSummary s;
  s.rows = view.shape.rows;
  s.episodes = std::ssize(episodes);
  s.windows = count_windows(episodes, chunk_length);
  s.observation_dim = view.shape.observation_dim;
  s.action_dim = view.shape.action_dim;
  s.chunk_length = chunk_length;
  const std::span<const float> numbers[] = {view.observations, view.next_observations, view.actions,
                                            view.rewards, view.costs};
  for (std::size_t i = 0; i < s.ranges.size(); ++i)
    s.ranges[i] = range_of(kArrays[i], view.shape, numbers[i]);

  std::vector<double> lengths;
  for (const Episode& episode : episodes) {
    s.terminal_episodes += episode.terminal;
    s.timeout_episodes += episode.finished && !episode.terminal;
    s.unfinished = !episode.finished;
    lengths.push_back(static_cast<double>(episode.length));
  }
  const std::vector<double> costs = episode_sums(episodes, view.costs);
  const auto within = std::ranges::count_if(costs, [&](double cost) { return cost <= cost_limit; });
  s.length = quartiles(lengths);
  s.episode_return = quartiles(episode_sums(episodes, view.rewards));
  s.episode_cost = quartiles(costs);
  s.cost_limit = cost_limit;
  s.share_within_limit =
      episodes.empty() ? 0 : static_cast<double>(within) / static_cast<double>(episodes.size());
  s.fingerprint = fingerprint_of(view);
  return s;
}

}  // namespace r2pac
