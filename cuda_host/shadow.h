// What the race check must be told. Outside the check build nothing of it exists.
//
// Every 4-byte word of device memory has a shadow cell with its last writer and last reader: thread, time,
// bytes. The time counts barriers, so two accesses are ordered if a barrier that both threads passed lies
// between them.
#pragma once

#include <cstddef>

#include "cuda_host/block.h"
#include "cuda_host/branches.h"

namespace r2pac::cuda_host::shadow {

#ifdef R2PAC_CUDA_HOST_CHECK
inline constexpr bool kChecks = true;
void launch_begins(const Launch& launch);
void launch_ends();
void block_begins(const void* shared, std::size_t shared_bytes);
void block_synchronised();
/// __syncwarp of the lanes in `mask` of the warp whose lane 0 is thread `first`.
void lanes_synchronised(unsigned first, unsigned mask);
/// While paused, accesses are not looked at.
void pause(bool paused);

void allocated(const void* begin, std::size_t bytes);
void freed(const void* begin);
/// The host, a copy or a library has written to device memory, or read it.
void written(const void* begin, std::size_t bytes);
void read(const void* begin, std::size_t bytes);
/// A kernel's atomic access.
void atomic_access(const void* address, std::size_t bytes, const void* code);

/// What device memory is touched from the first call to the second.
void footprint_begins();
Footprint footprint_ends();
#else
inline constexpr bool kChecks = false;
inline void launch_begins(const Launch&) {}
inline void launch_ends() {}
inline void block_begins(const void*, std::size_t) {}
inline void block_synchronised() {}
inline void lanes_synchronised(unsigned, unsigned) {}
inline void pause(bool) {}
inline void allocated(const void*, std::size_t) {}
inline void freed(const void*) {}
inline void written(const void*, std::size_t) {}
inline void read(const void*, std::size_t) {}
inline void footprint_begins() {}
inline Footprint footprint_ends() { return {}; }
#endif

}  // namespace r2pac::cuda_host::shadow
