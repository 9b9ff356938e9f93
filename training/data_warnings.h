// What is odd about data for a run.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "settings/settings.h"

namespace r2pac {

/// The warnings of a data set, and widths that are not those of the settings' task.
std::vector<std::string> data_warnings(const Dataset& dataset, const Settings& settings);

}  // namespace r2pac
