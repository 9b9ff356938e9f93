// The device of tests that do not care.
#pragma once

#include "engine/device.h"

namespace r2pac {

/// The CPU with one thread, for as long as the program runs.
inline const std::shared_ptr<Device>& on_cpu() {
  static const std::shared_ptr<Device> device = cpu_device(1);
  return device;
}

}  // namespace r2pac
