// Means, spreads, and how sure of them one can be.
#pragma once

#include <cstdint>
#include <span>

namespace r2pac {

/// 0 for no values.
double mean(std::span<const double> values);

/// Sample standard deviation (divisor n - 1); 0 for fewer than two values.
double standard_deviation(std::span<const double> values);

/// Pearson's correlation of two series of equal length; 0 where one does not vary.
double correlation(std::span<const double> a, std::span<const double> b);

/// The number that Student's t of so many degrees of freedom >= 3 exceeds with a probability of 2.5 %, by the
/// expansion 26.7.5 of Abramowitz and Stegun: within 0.2 % from 3 degrees on.
double student_quantile(double degrees);

struct ConfidenceInterval {
  double low = 0, high = 0;
};

/// Percentile bootstrap interval of the mean: `resamples` means of n values drawn with replacement, by
/// numbers that depend on the seed alone; the ends are quantiles with linear interpolation. Where all values
/// are equal every resample is, too, and the interval would be a point. If they are shares (all 0 or all 1),
/// the exact bound of Clopper and Pearson stands for it: n successes in n trials have a probability of at
/// least ((1 - confidence) / 2)^(1/n), none has at most one minus that. values  finite, at least one
/// (InvalidArgument); confidence in (0, 1)
ConfidenceInterval bootstrap_interval(std::span<const double> values, std::uint64_t seed,
                                      double confidence = 0.95, int resamples = 10000);

}  // namespace r2pac
