// What networks see of an observation, number by number.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace r2pac {

/// Points of a score map, the same number for every column: enough for the normal scores from -4.2 to 4.2 in
/// steps of a tenth. A score of 4.2 is that of the greatest of 75,000 values.
inline constexpr std::size_t kScorePoints = 85;

/// Linear between the points (from[k], to[k]), constant outside of them. `from` does not fall.
template <class T>
T interpolated(T x, std::span<const T> from, std::span<const T> to) {
  const auto above = static_cast<std::size_t>(std::upper_bound(from.begin(), from.end(), x) - from.begin());
  if (above == 0) return to.front();
  if (above == from.size()) return to.back();
  const T share = (x - from[above - 1]) / (from[above] - from[above - 1]);
  return to[above - 1] + share * (to[above] - to[above - 1]);
}

/// Networks see (score(x) - mean) * scale of column j's number x, where score is a map of the column or, if
/// it has none, x itself.
template <class T>
struct Normalization {
  std::vector<T> mean, scale;  ///< [S]
  /// [S, kScorePoints], points of the maps; empty: no column has one.
  std::vector<T> values = {}, scores = {};

  /// A column without a map has equal values.
  bool maps(std::size_t column) const {
    return !values.empty() && points(values, column).front() < points(values, column).back();
  }
  T score(std::size_t column, T x) const {
    return maps(column) ? interpolated(x, points(values, column), points(scores, column)) : x;
  }
  T seen(std::size_t column, T x) const { return (score(column, x) - mean[column]) * scale[column]; }
  /// A number that is seen as `y`.
  T unseen(std::size_t column, T y) const {
    const T x = y / scale[column] + mean[column];
    return maps(column) ? interpolated(x, points(scores, column), points(values, column)) : x;
  }

 private:
  static std::span<const T> points(const std::vector<T>& of, std::size_t column) {
    return std::span(of).subspan(column * kScorePoints, kScorePoints);
  }
};

}  // namespace r2pac
