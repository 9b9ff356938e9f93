#include "kernels/memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/memory.h"

namespace r2pac {
namespace {

class HostMemory final : public Memory {
 public:
  std::shared_ptr<std::byte> allocate(std::size_t bytes) override {
    constexpr std::size_t huge_page = std::size_t{1} << 21;
    if (bytes < huge_page) {
      const std::size_t size = (bytes + 64) / 64 * 64;
      void* memory = std::aligned_alloc(64, size);
      if (memory == nullptr) throw std::bad_alloc();
      std::memset(memory, 0, size);
      return {static_cast<std::byte*>(memory), std::free};
    }
    // Pages come zeroed from the system when they are first touched, by the thread that will use them.
    const std::size_t size = (bytes + huge_page - 1) / huge_page * huge_page;
    const auto claim = std::make_shared<MemoryClaim>(size);
    void* memory =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    madvise(memory, size, MADV_HUGEPAGE);
    return {static_cast<std::byte*>(memory), [size, claim](std::byte* block) { munmap(block, size); }};
  }

  void copy_in(void* device, const void* host, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(device, host, bytes);
  }
  void copy_out(void* host, const void* device, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(host, device, bytes);
  }
};

}  // namespace

Memory& host_memory() {
  static HostMemory memory;
  return memory;
}

}  // namespace r2pac
