// How networks see observations: learned from the data before the first step.
#pragma once

#include <vector>

#include "acting/normalization.h"
#include "data/dataset.h"
#include "settings/settings.h"

namespace r2pac {

/// The normalisation that the settings ask for, over the states of `episodes` in which an action was taken.
///
/// Normal scores: a number is replaced by z with Phi(z) = its rank among the column's numbers / their count.
/// The map is linear between the column's quantiles of Phi(-4.2), Phi(-4.1), ..., Phi(4.2); equal quantiles
/// become one point with the mean of their z. So the rare ends of a column take as much room as its middle: a
/// lidar whose reading crosses a hazard's edge within a hundredth of its range crosses half a deviation.
/// `normal_scores=tied` maps columns in which a tenth of the rows or more hold the same number, as sensors do
/// that see nothing or are at their limit; `all` maps each. A column with one number has no map. Then, with
/// `normalize_observations`: mean and 1 / (standard deviation + 0.001) of the scores.
template <class T>
Normalization<T> fit_normalization(const Dataset& dataset, const std::vector<Episode>& episodes,
                                   const Settings& settings);

}  // namespace r2pac
