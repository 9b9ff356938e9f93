// What jobs will take, from the size of networks and data.
#pragma once

#include <cstdint>

#include "model/method.h"
#include "settings/settings.h"

namespace r2pac {

/// A machine, as far as estimates need it.
struct Machine {
  double peak_gflops = 100;  ///< of one thread
  bool gpu = false;
};

/// Minutes of a training.
double training_minutes(const Settings& settings, const Method<float>& method, const Machine& machine);

/// Minutes of scoring so many steps of a simulator.
double scoring_minutes(const Settings& acting, const Method<float>& method, const Machine& machine,
                       double steps);

/// Memory of a training on one thread, in MB. rows  of the data
std::int64_t training_memory_mb(const Settings& settings, const Method<float>& method, Dimensions dimensions,
                                std::int64_t rows);

}  // namespace r2pac
