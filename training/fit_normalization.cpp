#include "training/fit_normalization.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "training/moments.h"

namespace r2pac {
namespace {

constexpr double kTiedShare = 0.1;

double normal_score(std::size_t point) {
  return 0.1 * (static_cast<double>(point) - static_cast<double>(kScorePoints - 1) / 2);
}

double normal_distribution(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

/// Rows that hold the column's commonest number.
std::size_t ties(const std::vector<float>& sorted) {
  std::size_t most = 0;
  for (auto first = sorted.begin(); first != sorted.end();) {
    const auto last = std::upper_bound(first, sorted.end(), *first);
    most = std::max(most, static_cast<std::size_t>(last - first));
    first = last;
  }
  return most;
}

/// Writes the points of a column's map: distinct quantiles with rising scores, the last one repeated.
template <class T>
void write_map(const std::vector<float>& sorted, T* values, T* scores) {
  std::size_t points = 0;
  for (std::size_t k = 0; k < kScorePoints;) {
    const auto quantile = [&](std::size_t point) {
      const double rank = normal_distribution(normal_score(point)) * static_cast<double>(sorted.size());
      return sorted[std::min(static_cast<std::size_t>(rank), sorted.size() - 1)];
    };
    double sum = 0;
    std::size_t equal = 0;
    for (const float value = quantile(k); k < kScorePoints && quantile(k) == value; ++k, ++equal)
      sum += normal_score(k);
    values[points] = static_cast<T>(quantile(k - 1));
    scores[points++] = static_cast<T>(sum / static_cast<double>(equal));
  }
  std::fill(values + points, values + kScorePoints, values[points - 1]);
  std::fill(scores + points, scores + kScorePoints, scores[points - 1]);
}

template <class T>
void fit_scores(const Dataset& dataset, const std::vector<Episode>& episodes, NormalScores columns,
                Normalization<T>& result) {
  const std::size_t s = result.mean.size();
  result.values.assign(s * kScorePoints, T(0));
  result.scores.assign(s * kScorePoints, T(0));
  std::vector<float> sorted;
  for (std::size_t j = 0; j < s; ++j) {
    sorted.clear();
    for (const Episode& episode : episodes)
      for (std::int64_t row = episode.first; row < episode.first + episode.length; ++row)
        sorted.push_back(dataset.observations[static_cast<std::size_t>(row) * s + j]);
    std::sort(sorted.begin(), sorted.end());
    const bool mapped = columns == NormalScores::all ||
                        static_cast<double>(ties(sorted)) >= kTiedShare * static_cast<double>(sorted.size());
    if (mapped && sorted.front() < sorted.back())
      write_map(sorted, &result.values[j * kScorePoints], &result.scores[j * kScorePoints]);
  }
}

}  // namespace

template <class T>
Normalization<T> fit_normalization(const Dataset& dataset, const std::vector<Episode>& episodes,
                                   const Settings& settings) {
  const auto s = static_cast<std::size_t>(dataset.observation_dim);
  Normalization<T> result{std::vector<T>(s, T(0)), std::vector<T>(s, T(1))};
  if (settings.normal_scores != NormalScores::none)
    fit_scores(dataset, episodes, settings.normal_scores, result);
  if (!settings.normalize_observations) return result;
  const Moments scores = moments_of(s, episodes, [&](std::size_t i, std::size_t j) {
    return result.score(j, static_cast<T>(dataset.observations[i]));
  });
  for (std::size_t j = 0; j < s; ++j) {
    result.mean[j] = static_cast<T>(scores.mean[j]);
    result.scale[j] = static_cast<T>(1 / (scores.deviation[j] + 1e-3));
  }
  return result;
}

template Normalization<float> fit_normalization(const Dataset&, const std::vector<Episode>&, const Settings&);
template Normalization<double> fit_normalization(const Dataset&, const std::vector<Episode>&,
                                                 const Settings&);

}  // namespace r2pac
