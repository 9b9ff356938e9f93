// CUDA devices.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "engine/device.h"

namespace r2pac {

namespace cuda {
class Queue;
}

/// A CUDA device, for those who bring kernels of their own.
class CudaDevice : public Device {
 public:
  virtual cuda::Queue& queue() = 0;
  /// Bytes of shared memory that a block may have.
  virtual std::size_t shared_limit() const = 0;
};

/// Device number `ordinal`, tried with a small product and a kernel of ours.
/// Throws Error(device) with the reason: no driver, no such device, unsupported architecture, ...
std::shared_ptr<CudaDevice> cuda_device(int ordinal, Precision precision);

}  // namespace r2pac
