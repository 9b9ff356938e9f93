// CUDA devices.
#pragma once

#include <memory>
#include <string>

#include "engine/device.h"

namespace r2pac {

/// Device number `ordinal`, tried with a small product and a kernel of ours.
/// Throws Error(device) with the reason: no driver, no such device, unsupported architecture, ...
std::shared_ptr<Device> cuda_device(int ordinal, Precision precision);

}  // namespace r2pac
