// Memory that kernels work on. Above this folder its contents are never touched through a pointer, only
// copied in and out, so that it may as well lie on another device.
#pragma once

#include <cstddef>
#include <memory>

namespace r2pac {

/// Zeroed memory for `bytes` bytes, aligned to 64, freed with the last owner.
/// Large blocks are asked for in huge pages, which saves most address-translation misses.
std::shared_ptr<std::byte> allocate_memory(std::size_t bytes);

/// device <- host and host <- device.
void copy_in(void* device, const void* host, std::size_t bytes);
void copy_out(void* host, const void* device, std::size_t bytes);

/// A typed, owning, fixed-size block of kernel memory.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size) : memory_(allocate_memory(size * sizeof(T))), size_(size) {}

  T* data() const { return reinterpret_cast<T*>(memory_.get()); }
  std::size_t size() const { return size_; }
  void copy_in(const T* host, std::size_t count, std::size_t offset = 0) {
    r2pac::copy_in(data() + offset, host, count * sizeof(T));
  }
  void copy_out(T* host, std::size_t count, std::size_t offset = 0) const {
    r2pac::copy_out(host, data() + offset, count * sizeof(T));
  }

 private:
  std::shared_ptr<std::byte> memory_;
  std::size_t size_ = 0;
};

}  // namespace r2pac
