#include "base/statistics.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/philox.h"

namespace r2pac {
namespace {

/// Quantile with linear interpolation between the sorted values.
double quantile_of_sorted(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], place - static_cast<double>(below));
}

}  // namespace

double mean(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

double correlation(std::span<const double> a, std::span<const double> b) {
  const double mean_a = mean(a), mean_b = mean(b);
  double aa = 0, bb = 0, ab = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double x = a[i] - mean_a, y = b[i] - mean_b;
    aa += x * x, bb += y * y, ab += x * y;
  }
  return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 0;
}

double standard_deviation(std::span<const double> values) {
  if (values.size() < 2) return 0;
  const double center = mean(values);
  double squares = 0;
  for (const double value : values) squares += (value - center) * (value - center);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

double student_quantile(double degrees) {
  constexpr double z = 1.959964;                                 // of a normal distribution
  const auto odd = [&](std::initializer_list<double> factors) {  // f1 z + f3 z^3 + ...
    double sum = 0, power = z;
    for (const double factor : factors) sum += factor * power, power *= z * z;
    return sum;
  };
  return z + odd({1, 1}) / (4 * degrees) + odd({3, 16, 5}) / (96 * std::pow(degrees, 2)) +
         odd({-15, 17, 19, 3}) / (384 * std::pow(degrees, 3)) +
         odd({-945, -1920, 1482, 776, 79}) / (92160 * std::pow(degrees, 4));
}

ConfidenceInterval bootstrap_interval(std::span<const double> values, std::uint64_t seed, double confidence,
                                      int resamples) {
  if (values.empty() || !(confidence > 0 && confidence < 1) || resamples < 1)
    throw InvalidArgument("bootstrap_interval: needs values, a confidence inside (0, 1), and resamples");
  const auto n = static_cast<std::uint32_t>(values.size());
  const double tail = (1 - confidence) / 2;
  if (std::ranges::all_of(values, [&](double value) { return value == values[0]; })) {
    const double bound = std::pow(tail, 1.0 / n);
    if (values[0] == 1) return {bound, 1};
    if (values[0] == 0) return {0, 1 - bound};
    return {values[0], values[0]};
  }
  std::vector<double> means(static_cast<std::size_t>(resamples)), drawn(n);
  for (std::size_t r = 0; r < means.size(); ++r) {
    for (std::uint32_t i = 0; i < n; ++i) drawn[i] = values[random_below(seed, Purpose::resampling, r, i, n)];
    means[r] = mean(drawn);
  }
  std::ranges::sort(means);
  return {quantile_of_sorted(means, tail), quantile_of_sorted(means, 1 - tail)};
}

}  // namespace r2pac
