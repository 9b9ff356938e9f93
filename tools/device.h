// Where to compute: the flags --device, --threads and --precision.
#pragma once

#include <memory>
#include <string>

#include "engine/device.h"

namespace CLI {
class App;
}

namespace r2pac {

struct DeviceFlags {
  std::string device = "cpu";  ///< auto, cpu, cuda, cuda:N or cuda-host
  int threads = 0;             ///< of the CPU; 0: thread_count()
  Precision precision = Precision::fp32;
};

void add_device_flags(CLI::App& verb, DeviceFlags& flags);

/// The device they name; a remark about the choice goes to standard error. Throws Error: usage, device.
std::shared_ptr<Device> open_device(const DeviceFlags& flags);

}  // namespace r2pac
