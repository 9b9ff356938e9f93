#include "cuda_host/memory.h"

#include <cuda_runtime_api.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include "cuda_host/fault.h"
#include "cuda_host/shadow.h"
#include "cuda_host/stream.h"

namespace r2pac::cuda_host {
namespace {

constexpr std::size_t kAlignment = 256;
constexpr std::size_t kDefaultDeviceBytes = std::size_t{8} << 30;

struct Allocation {
  std::size_t bytes = 0;
  bool device = true;  // false: pinned host memory, which a kernel may use too
  bool freed = false;
  int ordinal = 0;  // of the device
};

struct Table {
  std::recursive_mutex mutex;
  std::map<std::uintptr_t, Allocation> allocations;
  MemoryInUse in_use;
};

Table& table() {
  static Table& the_table = *new Table;  // outlives every static object that frees device memory
  return the_table;
}

std::uintptr_t number(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

/// The allocation with the largest start at or below the address, or end().
std::map<std::uintptr_t, Allocation>::iterator at_or_below(std::uintptr_t address) {
  auto& allocations = table().allocations;
  auto above = allocations.upper_bound(address);
  return above == allocations.begin() ? allocations.end() : std::prev(above);
}

/// The bytes from `address` to the end of its live allocation, at most one past the end; -1 if in none.
std::ptrdiff_t bytes_left(std::uintptr_t address) {
  const auto found = at_or_below(address);
  if (found == table().allocations.end() || found->second.freed) return -1;
  const std::uintptr_t end = found->first + found->second.bytes;
  return address <= end ? static_cast<std::ptrdiff_t>(end - address) : -1;
}

#ifdef R2PAC_CUDA_HOST_ASAN
// Each allocation is one of malloc's, so AddressSanitizer sees its bounds and its end.
std::byte* take_memory(std::size_t bytes) {
  void* memory = nullptr;
  return posix_memalign(&memory, kAlignment, bytes) ? nullptr : static_cast<std::byte*>(memory);
}
void drop_memory(std::byte* memory, std::size_t) { std::free(memory); }
bool may_be_device_address(std::uintptr_t address) {
  const auto below = at_or_below(address);
  return below != table().allocations.end() && address - below->first <= below->second.bytes + kAlignment;
}
#else
// Addresses are cut from one reserved range and never used twice, so a late use of freed memory is always
// known as such, and no host object is near. After an allocation lies at least one page that nothing may
// touch.
constexpr std::size_t kReservedBytes = std::size_t{1} << 40;
constexpr std::size_t kPage = 4096;

struct Arena {
  std::byte* begin;
  std::size_t used = 0;
  Arena() {
    void* const range =
        mmap(nullptr, kReservedBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) fault("no address space for device memory");
    begin = static_cast<std::byte*>(range);
  }
};
Arena& arena() {
  static Arena the_arena;
  return the_arena;
}
std::size_t whole_pages(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

/// The end lies as near to the untouchable page as the alignment allows.
std::byte* take_memory(std::size_t bytes) {
  const std::size_t pages = whole_pages(bytes);
  if (bytes > kReservedBytes || kReservedBytes - arena().used < pages + kPage) return nullptr;
  std::byte* const first = arena().begin + arena().used;
  if (mprotect(first, pages, PROT_READ | PROT_WRITE) != 0) return nullptr;
  arena().used += pages + kPage;
  return first + pages - (bytes + kAlignment - 1) / kAlignment * kAlignment;
}
void drop_memory(std::byte* memory, std::size_t bytes) {
  std::byte* const first = memory - reinterpret_cast<std::uintptr_t>(memory) % kPage;
  mmap(first, whole_pages(bytes), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}
bool may_be_device_address(std::uintptr_t address) {
  return address - number(arena().begin) < kReservedBytes;
}
#endif

std::size_t device_bytes() {
  const char* const text = std::getenv("R2PAC_CUDA_HOST_MEMORY");
  return text ? std::strtoull(text, nullptr, 10) : kDefaultDeviceBytes;
}

/// Freed allocations whose place is taken again are known no more.
void forget_freed(std::uintptr_t begin, std::uintptr_t end) {
  auto& allocations = table().allocations;
  auto first = at_or_below(begin);
  if (first == allocations.end() || first->first + first->second.bytes <= begin)
    first = allocations.lower_bound(begin);
  allocations.erase(first, allocations.lower_bound(end));
}

cudaError_t allocate(void** pointer, std::size_t bytes, bool device) {
  if (!pointer) return record_error(cudaErrorInvalidValue);
  *pointer = nullptr;
  if (const cudaError_t status = forbidden_in_capture()) return record_error(status);
  if (bytes == 0) return cudaSuccess;
  const std::lock_guard lock(table().mutex);
  if (device && bytes > device_bytes() - std::min(device_bytes(), table().in_use.bytes)) {
    return record_error(cudaErrorMemoryAllocation);
  }
  *pointer = take_memory(bytes);
  if (!*pointer) return record_error(cudaErrorMemoryAllocation);
  std::memset(*pointer, 0xff, bytes);  // NaN: what nobody has written must show
  forget_freed(number(*pointer), number(*pointer) + bytes);
  table().allocations[number(*pointer)] = {bytes, device, false, current_device()};
  if (device) {
    table().in_use.bytes += bytes;
    ++table().in_use.allocations;
  }
  shadow::allocated(*pointer, bytes);
  if (!device) shadow::written(*pointer, bytes);
  return cudaSuccess;
}

cudaError_t release(void* pointer, bool device) {
  if (!pointer) return cudaSuccess;
  if (const cudaError_t status = forbidden_in_capture()) return record_error(status);
  finish_streams();
  const std::lock_guard lock(table().mutex);
  const auto found = table().allocations.find(number(pointer));
  if (found == table().allocations.end() || found->second.device != device) {
    return record_error(cudaErrorInvalidValue);
  }
  if (found->second.freed) fault("%p is freed a second time", pointer);
  found->second.freed = true;
  if (device) {
    table().in_use.bytes -= found->second.bytes;
    --table().in_use.allocations;
  }
  shadow::freed(pointer);
  drop_memory(static_cast<std::byte*>(pointer), found->second.bytes);
  return cudaSuccess;
}

}  // namespace

MemoryInUse memory_in_use() {
  const std::lock_guard lock(table().mutex);
  return table().in_use;
}

bool in_device_memory(const void* address) {
  const std::lock_guard lock(table().mutex);
  return bytes_left(number(address)) > 0;
}

void require_device_memory(const void* address, std::size_t bytes, const char* what) {
  if (bytes == 0) return;
  const std::lock_guard lock(table().mutex);
  const std::ptrdiff_t left = bytes_left(number(address));
  if (left <= 0) fault("%s: %s", what, describe_address(address).c_str());
  if (static_cast<std::size_t>(left) < bytes) {
    fault("%s: %zu bytes at %p are out of bounds: the device allocation ends after %td", what, bytes, address,
          left);
  }
}

void check_kernel_pointer(const void* pointer, std::size_t position) {
  if (!pointer) return;
  const std::lock_guard lock(table().mutex);
  if (bytes_left(number(pointer)) >= 0) {
    const Allocation& allocation = at_or_below(number(pointer))->second;
    if (allocation.device && allocation.ordinal != current_device())
      fault("argument %zu of the kernel: %p is memory of device %d, and the kernel runs on device %d",
            position, pointer, allocation.ordinal, current_device());
    return;
  }
  fault("argument %zu of the kernel: %s", position, describe_address(pointer).c_str());
}

std::string describe_address(const void* address) {
  const std::lock_guard lock(table().mutex);
  const auto& allocations = table().allocations;
  char text[160];
  const auto say = [&](const char* format, auto... values) {
    std::snprintf(text, sizeof text, format, address, values...);
    return std::string(text);
  };
  if (number(address) < 4096) return say("%p is a null pointer");
  if (may_be_device_address(number(address))) {
    const auto below = at_or_below(number(address));
    const auto above = allocations.upper_bound(number(address));
    if (below != allocations.end()) {
      const std::uintptr_t offset = number(address) - below->first;
      if (offset < below->second.bytes && below->second.freed) {
        return say("use after free: %p is byte %zu of a freed device allocation of %zu bytes", offset,
                   below->second.bytes);
      }
      if (offset < below->second.bytes) {
        return say("%p is byte %zu of a device allocation of %zu bytes", offset, below->second.bytes);
      }
      const std::uintptr_t past = offset - below->second.bytes;
      if (above == allocations.end() || past <= above->first - number(address)) {
        return say("%p is out of bounds: %zu bytes past the end of a device allocation of %zu bytes", past,
                   below->second.bytes);
      }
    }
    if (above != allocations.end()) {
      return say("%p is out of bounds: %zu bytes before a device allocation of %zu bytes",
                 above->first - number(address), above->second.bytes);
    }
  }
  return say("%p is a host pointer: no device allocation is there");
}

}  // namespace r2pac::cuda_host

using namespace r2pac::cuda_host;

extern "C" {

cudaError_t cudaMalloc(void** pointer, std::size_t bytes) { return allocate(pointer, bytes, true); }
cudaError_t cudaFree(void* pointer) { return release(pointer, true); }
cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) { return allocate(pointer, bytes, false); }
cudaError_t cudaHostAlloc(void** pointer, std::size_t bytes, unsigned) {
  return allocate(pointer, bytes, false);
}
cudaError_t cudaFreeHost(void* pointer) { return release(pointer, false); }

cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total_bytes) {
  *total_bytes = device_bytes();
  *free_bytes = *total_bytes - std::min(*total_bytes, memory_in_use().bytes);
  return cudaSuccess;
}

}  // extern "C"
