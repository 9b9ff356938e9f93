#include "data/episodes.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/counted.h"
#include "base/error.h"

namespace r2pac {
namespace {

std::span<const float> row_of(std::span<const float> array, std::int64_t row, int width) {
  return array.subspan(static_cast<std::size_t>(row * width), static_cast<std::size_t>(width));
}

/// Rows of a float array in which any number satisfies `bad`. NaN must be bad, if only as !(good).
template <class Predicate>
Finding find_rows(std::span<const float> array, int width, Predicate bad) {
  Finding found;
  const std::int64_t rows = std::ssize(array) / width;
  for (std::int64_t row = 0; row < rows; ++row) {
    bool any = false;  // without an early exit, so that the loop is vectorised
    for (const float value : row_of(array, row, width)) any |= bad(value);
    if (any) found.add(row);
  }
  return found;
}

/// Equal up to rounding: a float32 that went through text or another precision and back is off by less
/// than a hundredth of this.
bool same_number(float a, float b) {
  return std::abs(a - b) <= 1e-5f * (1.0f + std::abs(b)) || (std::isnan(a) && std::isnan(b));
}

}  // namespace

std::vector<Episode> split_episodes(const DsrlView& view) {
  std::vector<Episode> episodes;
  std::int64_t first = 0;
  for (std::int64_t row = 0; row < view.shape.rows; ++row) {
    const auto r = static_cast<std::size_t>(row);
    const bool ended = view.terminals[r] || view.timeouts[r];
    if (!ended && row + 1 < view.shape.rows) continue;
    episodes.push_back({first, row + 1 - first, view.terminals[r] != 0, ended});
    first = row + 1;
  }
  return episodes;
}

std::vector<Episode> split_episodes(const DsrlColumns& columns) { return split_episodes(view_of(columns)); }

std::vector<double> episode_sums(const std::vector<Episode>& episodes, std::span<const float> values) {
  std::vector<double> sums;
  for (const Episode& episode : episodes) {
    const auto rows =
        values.subspan(static_cast<std::size_t>(episode.first), static_cast<std::size_t>(episode.length));
    sums.push_back(std::accumulate(rows.begin(), rows.end(), 0.0));
  }
  return sums;
}

std::int64_t count_windows(const std::vector<Episode>& episodes, int chunk_length) {
  std::int64_t count = 0;
  for (const Episode& episode : episodes)
    count += std::max<std::int64_t>(0, episode.length - chunk_length + 1);
  return count;
}

std::string no_windows(std::span<const Episode> episodes, int chunk_length) {
  return "zero valid windows: the longest episode has " + std::to_string(longest_episode(episodes)) +
         " rows, the chunk length is " + std::to_string(chunk_length);
}

Finding find_non_finite(const DsrlView& view, std::size_t index) {
  const auto bytes = view.bytes(index);
  return find_rows({reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)},
                   static_cast<int>(width_of(kArrays[index], view.shape)),
                   [](float x) { return !std::isfinite(x); });
}

std::string rows_text(const Finding& found) {
  return counted(found.rows, "row") + " (first: " + std::to_string(found.first_row) + ")";
}

void require_finite(const DsrlView& view, const std::string& path) {
  for (std::size_t i = 0; i < 5; ++i)
    if (const Finding bad = find_non_finite(view, i); bad.rows > 0)
      throw Error(ExitCode::data,
                  std::string("array `") + kArrays[i].name + "` holds NaN or infinity in " + rows_text(bad),
                  path, "run `r2pac data check` on it and make the data set again without these rows");
}

Finding find_unbounded_actions(const DsrlView& view) {
  constexpr float kOne = 1.0f + 1e-6f;  // some units in the last place more, as scaling leaves them
  return find_rows(view.actions, view.shape.action_dim, [](float x) { return !(std::abs(x) <= kOne); });
}

bool next_row_follows(const DsrlView& view, std::int64_t row) {
  const auto next = row_of(view.next_observations, row, view.shape.observation_dim),
             observed = row_of(view.observations, row + 1, view.shape.observation_dim);
  return std::equal(next.begin(), next.end(), observed.begin(), same_number);
}

}  // namespace r2pac
