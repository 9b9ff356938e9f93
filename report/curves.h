// Curves of several training seeds as one band.
#pragma once

#include <string>
#include <vector>

#include "report/chart.h"
#include "report/input.h"

namespace r2pac {

/// What a band spans around the mean.
enum class Spread {
  deviation,  ///< mean - std to mean + std, the sample standard deviation
  range,      ///< from the least to the greatest
};

/// A curve (TrainingRun::curves) over the runs: mean and spread over the steps, in thousands, that all of
/// them have. Empty where a run does not have the curve.
Band band_over(const std::vector<const TrainingRun*>& runs, const std::string& curve, Spread spread);

}  // namespace r2pac
