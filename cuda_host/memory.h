// The table of device allocations, and the checks of addresses against it.
#pragma once

#include <cstddef>
#include <string>

namespace r2pac::cuda_host {

/// Bytes and number of device allocations that are not freed.
struct MemoryInUse {
  std::size_t bytes = 0;
  std::size_t allocations = 0;
};
MemoryInUse memory_in_use();

/// Faults unless [address, address + bytes) lies in one live allocation. `what` names the access.
void require_device_memory(const void* address, std::size_t bytes, const char* what);

/// Whether the address lies in a live allocation.
bool in_device_memory(const void* address);

/// Faults unless a pointer given to a kernel is null or points into, or to the end of, a live allocation of
/// the thread's device. `position` counts the kernel's arguments from 1.
void check_kernel_pointer(const void* pointer, std::size_t position);

/// What an address is, for reports: in an allocation, freed, beside an allocation, or of the host.
std::string describe_address(const void* address);

}  // namespace r2pac::cuda_host
