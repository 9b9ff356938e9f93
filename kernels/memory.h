// Memory that kernels work on. Above this folder its contents are never touched through a pointer, only
// copied in and out, so that it may as well lie on another device.
#pragma once

#include <cstddef>
#include <memory>

namespace r2pac {

/// The memory of one device.
class Memory {
 public:
  virtual ~Memory() = default;
  /// Zeroed memory for `bytes` bytes, aligned to 64 at least, freed with the last owner.
  /// Throws std::bad_alloc, or Error (device, settings) saying how much was needed.
  virtual std::shared_ptr<std::byte> allocate(std::size_t bytes) = 0;
  /// device <- host and host <- device, after all work given to the device before.
  virtual void copy_in(void* device, const void* host, std::size_t bytes) = 0;
  virtual void copy_out(void* host, const void* device, std::size_t bytes) = 0;
  /// The most bytes that were allocated at a time; 0 for the CPU, where the process has the number.
  virtual std::size_t peak_bytes() const { return 0; }
};

/// The CPU's. Large blocks are asked for in huge pages, which saves most address-translation misses.
Memory& host_memory();

/// A typed, owning, fixed-size block of kernel memory. The memory's device outlives it.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size, Memory& device = host_memory())
      : device_(&device), memory_(device.allocate(size * sizeof(T))), size_(size) {}

  T* data() const { return reinterpret_cast<T*>(memory_.get()); }
  std::size_t size() const { return size_; }
  void copy_in(const T* host, std::size_t count, std::size_t offset = 0) {
    device_->copy_in(data() + offset, host, count * sizeof(T));
  }
  void copy_out(T* host, std::size_t count, std::size_t offset = 0) const {
    device_->copy_out(host, data() + offset, count * sizeof(T));
  }

 private:
  Memory* device_ = nullptr;
  std::shared_ptr<std::byte> memory_;
  std::size_t size_ = 0;
};

}  // namespace r2pac
