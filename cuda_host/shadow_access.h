// One access of a kernel, as the race check sees it.
#pragma once

#include <cstddef>

namespace r2pac::cuda_host::shadow {

enum class AccessKind { read, write, atomic };

/// Faults if the running CUDA thread must not do this. Accesses of host code and of a thread to its own stack
/// are always right. `code` is the address of the instruction.
void check_access(const void* pointer, std::size_t bytes, AccessKind kind, const void* code);

}  // namespace r2pac::cuda_host::shadow
