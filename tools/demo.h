// `r2pac demo`: data, training, scores and a picture on the built-in robot.
#pragma once

#include <string>

#include "tools/device.h"

namespace r2pac {

struct DemoOptions {
  std::string out = "demo";  ///< folder for data, runs and picture
  DeviceFlags device;
};

/// Makes data, trains R2PAC and a clone, scores both, and writes reach-avoid.hdf5, the run folders,
/// results.json and reach-avoid.png. A second call continues where the first one stopped. Returns 0.
int run_demo(const DemoOptions& options);

}  // namespace r2pac
