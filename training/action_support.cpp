#include "training/action_support.h"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "base/error.h"
#include "base/philox.h"
#include "training/moments.h"

namespace r2pac {
namespace {

constexpr std::size_t kStates = 500, kCompared = 10000, kNeighbours = 10;

/// The greatest share of a deviation that counts as zero: such a column never changes.
constexpr double kLeastDeviation = 1e-3;

std::vector<double> scales_of(const Moments& moments) {
  std::vector<double> scales;
  for (const double deviation : moments.deviation) scales.push_back(1 / (deviation + kLeastDeviation));
  return scales;
}

/// The squared distance of two rows of arrays of scales.size() columns.
double distance(const float* a, const float* b, const std::vector<double>& scales) {
  double sum = 0;
  for (std::size_t j = 0; j < scales.size(); ++j) {
    const double d = scales[j] * (static_cast<double>(a[j]) - static_cast<double>(b[j]));
    sum += d * d;
  }
  return sum;
}

}  // namespace

double far_action_share(const Dataset& data, std::span<const float> actions, std::uint64_t seed) {
  if (data.episodes.size() < 2) throw InvalidArgument("far_action_share: needs two episodes or more");
  const auto s = static_cast<std::size_t>(data.observation_dim),
             a = static_cast<std::size_t>(data.action_dim);
  const std::vector<double> state_scales = scales_of(
                                moments_of(s, data.episodes,
                                           [&](std::size_t i, std::size_t) { return data.observations[i]; })),
                            action_scales =
                                scales_of(moments_of(a, data.episodes, [&](std::size_t i, std::size_t) {
                                  return data.actions[i];
                                }));
  const std::vector<std::uint32_t> rows = window_starts(data, 1);
  const std::vector<std::size_t> episode_of = window_episodes(data, rows);
  const auto draw = [&](std::size_t set, std::size_t count) {  // all where there are no more
    std::vector<std::size_t> chosen(std::min(count, rows.size()));
    for (std::uint32_t i = 0; i < chosen.size(); ++i)
      chosen[i] = rows.size() <= count ? i
                                       : random_below(seed, Purpose::calibration, set, i,
                                                      static_cast<std::uint32_t>(rows.size()));
    return chosen;
  };
  const std::vector<std::size_t> states = draw(1, kStates), compared = draw(2, kCompared);
  std::vector<double> own, recorded;
  for (const std::size_t at : states) {
    std::vector<std::pair<double, std::size_t>> near;  // distance of states, row
    for (const std::size_t other : compared)
      if (episode_of[other] != episode_of[at])
        near.emplace_back(
            distance(&data.observations[rows[at] * s], &data.observations[rows[other] * s], state_scales),
            rows[other]);
    if (near.empty()) continue;
    const auto last = near.begin() + static_cast<std::ptrdiff_t>(std::min(near.size(), kNeighbours));
    std::partial_sort(near.begin(), last, near.end());
    const auto nearest = [&](const float* action) {
      double least = std::numeric_limits<double>::infinity();
      for (auto other = near.begin(); other != last; ++other)
        least = std::min(least, distance(action, &data.actions[other->second * a], action_scales));
      return least;
    };
    own.push_back(nearest(&actions[rows[at] * a]));
    recorded.push_back(nearest(&data.actions[rows[at] * a]));
  }
  std::ranges::sort(recorded);
  const double usual =
      recorded[static_cast<std::size_t>(kUsualShare * static_cast<double>(recorded.size() - 1))];
  return static_cast<double>(std::ranges::count_if(own, [&](double d) { return d > usual; })) /
         static_cast<double>(own.size());
}

}  // namespace r2pac
