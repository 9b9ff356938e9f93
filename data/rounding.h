// What is lost when wide numbers become 32-bit ones. Internal to this folder, and for arrays of Python.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace r2pac {

/// The range of one column in its own precision, and the greatest error of rounding in it.
struct ColumnRounding {
  double least = std::numeric_limits<double>::infinity(), greatest = -least, error = 0;

  void add(double value) {
    least = std::min(least, value);
    greatest = std::max(greatest, value);
    error = std::max(error, std::abs(value - static_cast<double>(static_cast<float>(value))));
  }
  void add(const ColumnRounding& other) {
    least = std::min(least, other.least);
    greatest = std::max(greatest, other.greatest);
    error = std::max(error, other.error);
  }
  /// Whether rounding takes more than 1 part in 512 of what the column varies by, so that fewer than some 256
  /// steps are left: a clock that counts from 1970 stands still. A range of the size of the rounding errors
  /// of doubles is none.
  bool lost() const {
    const double range = greatest - least;
    return range > 1e-12 * std::max(std::abs(least), std::abs(greatest)) && 512 * error > range;
  }
};

/// The columns that are lost.
inline std::vector<std::int64_t> lost_columns(std::span<const ColumnRounding> columns) {
  std::vector<std::int64_t> lost;
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (columns[i].lost()) lost.push_back(static_cast<std::int64_t>(i));
  return lost;
}

}  // namespace r2pac
