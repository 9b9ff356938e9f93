// `r2pac demo`: data, training, scores and pictures on the built-in robot.
#pragma once

#include <string>

#include "tools/device.h"

namespace r2pac {

struct DemoOptions {
  std::string out = "demo";  ///< folder for data, runs and pictures
  DeviceFlags device;
};

/// Makes data, trains R2PAC, safe chunks and two clones, scores them, and writes reach-avoid.hdf5, the run
/// folders, results.json, reach-avoid.png and reach-avoid.gif. A second call continues where the first one stopped. Returns 0.
int run_demo(const DemoOptions& options);

}  // namespace r2pac
