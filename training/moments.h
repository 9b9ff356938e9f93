// Mean and deviation of each column of an array, over the rows in which an action was taken.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "data/dataset.h"

namespace r2pac {

struct Moments {
  std::vector<double> mean, deviation;  ///< [columns]
};

/// Of the rows of `episodes`; number(i, j) is entry i of an array [rows, columns], which lies in column j.
template <class Number>
Moments moments_of(std::size_t columns, const std::vector<Episode>& episodes, const Number& number) {
  std::vector<double> sum(columns), squares(columns);
  double n = 0;
  for (const Episode& episode : episodes) {
    n += static_cast<double>(episode.length);
    for (std::int64_t row = episode.first; row < episode.first + episode.length; ++row)
      for (std::size_t j = 0; j < columns; ++j) {
        const auto x = static_cast<double>(number(static_cast<std::size_t>(row) * columns + j, j));
        sum[j] += x;
        squares[j] += x * x;
      }
  }
  Moments moments;
  for (std::size_t j = 0; j < columns; ++j) {
    const double mean = sum[j] / n;
    moments.mean.push_back(mean);
    moments.deviation.push_back(std::sqrt(std::max(0.0, squares[j] / n - mean * mean)));
  }
  return moments;
}

}  // namespace r2pac
