#include "kernels/memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace r2pac {

std::shared_ptr<std::byte> allocate_memory(std::size_t bytes) {
  constexpr std::size_t page = std::size_t{1} << 21;
  const std::size_t alignment = bytes >= page ? page : 64;
  const std::size_t size = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, size == 0 ? alignment : size);
  if (memory == nullptr) throw std::bad_alloc();
  if (alignment == page) madvise(memory, size, MADV_HUGEPAGE);
  std::memset(memory, 0, size);
  return {static_cast<std::byte*>(memory), std::free};
}

void copy_in(void* device, const void* host, std::size_t bytes) {
  if (bytes > 0) std::memcpy(device, host, bytes);
}

void copy_out(void* host, const void* device, std::size_t bytes) {
  if (bytes > 0) std::memcpy(host, device, bytes);
}

}  // namespace r2pac
