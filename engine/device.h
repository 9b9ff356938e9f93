// Where a run computes.
//
// A device owns memory, offers a backend with every operation (kernels/backend.h), and replays
// recordings. The CPU takes rows in tiles, shared out among threads; a CUDA device takes whole batches and
// replays one graph.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/executor.h"
#include "kernels/backend.h"
#include "kernels/memory.h"
#include "kernels/precision.h"

namespace r2pac {

/// A recorded call as a device of whole batches sees it. Places are compared by address only.
struct WholeCall {
  std::string name;  ///< for errors
  std::vector<const void*> reads, writes;
  bool after_all = false;  ///< waits for every call before it, as every later call waits for it
  std::function<void()> run;
};

/// Calls that were turned into something a device replays at once.
class Recording {
 public:
  virtual ~Recording() = default;
  /// Starts a replay, after all work given to the device before; need not wait for it.
  virtual void run() = 0;
  /// Kernels and matrix products of one replay.
  virtual int launches() const = 0;
  /// Those of them that must follow each other.
  virtual int critical_path() const = 0;
};

class Device {
 public:
  virtual ~Device() = default;

  /// "cpu", "cuda:0" or "cuda-host", as --device names it.
  virtual std::string name() const = 0;
  /// For people and manifests: "NVIDIA H100 80GB HBM3, tf32".
  virtual std::string description() const = 0;
  virtual Memory& memory() = 0;

  virtual const Backend<float>& backend(float) const = 0;
  /// Throws InvalidArgument on a device without double precision.
  virtual const Backend<double>& backend(double) const = 0;
  template <class T>
  const Backend<T>& backend() const {
    return backend(T());
  }
  /// Of matrix products.
  virtual Precision precision() const = 0;

  /// The threads among which tiles of rows are shared out; null on a device of whole batches, which takes
  /// each call once, with all rows, wants networks of one input stacked, and no packed weights.
  virtual ThreadPool* pool() = 0;
  bool whole_batches() { return pool() == nullptr; }
  /// How many replays of a recording a device of whole batches takes as one, where later calls need not wait
  /// for earlier ones of another replay.
  virtual int replays_at_once() const { return 1; }
  /// Only on a device of whole batches.
  virtual std::unique_ptr<Recording> record(const std::vector<WholeCall>& calls) = 0;
  /// Waits for all work given to the device.
  virtual void synchronize() {}
  /// Steps between two looks at results that the device has to be waited for.
  virtual std::uint64_t check_interval() const = 0;
};

/// The CPU with `threads` threads, in [1, 1024]. With bf16 it rounds the operands of products between hidden
/// layers; sums, weights, moments, losses, first and last layers are fp32. Throws InvalidArgument for the
/// threads; Error: usage for tf32, device for bf16 without has_bf16_products().
std::shared_ptr<Device> cpu_device(int threads, Precision precision = Precision::fp32);

/// The device that --device names: auto, cpu, cuda, cuda:N or cuda-host. `threads` is for the CPU. Where auto
/// chooses the CPU, it computes in fp32, and `note` receives a sentence if this build knows CUDA. Throws
/// Error: usage for an unknown name, device with the reason where the device or the precision on it cannot be
/// used.
std::shared_ptr<Device> make_device(const std::string& name, int threads, Precision precision,
                                    const std::function<void(const std::string&)>& note);

}  // namespace r2pac
