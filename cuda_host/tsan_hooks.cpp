// The functions that -fsanitize=thread and -fsanitize=array-bounds call, in place of the compiler's runtimes.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cuda_host/fault.h"
#include "cuda_host/shadow_access.h"

using r2pac::cuda_host::shadow::AccessKind;
using r2pac::cuda_host::shadow::check_access;

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

#define R2PAC_CALLER __builtin_return_address(0)
#define R2PAC_HOOKS(bytes)                                                                               \
  void __tsan_read##bytes(void* p) { check_access(p, bytes, AccessKind::read, R2PAC_CALLER); }           \
  void __tsan_write##bytes(void* p) { check_access(p, bytes, AccessKind::write, R2PAC_CALLER); }         \
  void __tsan_unaligned_read##bytes(void* p) { check_access(p, bytes, AccessKind::read, R2PAC_CALLER); } \
  void __tsan_unaligned_write##bytes(void* p) { check_access(p, bytes, AccessKind::write, R2PAC_CALLER); }
R2PAC_HOOKS(1)
R2PAC_HOOKS(2)
R2PAC_HOOKS(4)
R2PAC_HOOKS(8)
R2PAC_HOOKS(16)

void __tsan_read_range(void* p, std::size_t bytes) { check_access(p, bytes, AccessKind::read, R2PAC_CALLER); }
void __tsan_write_range(void* p, std::size_t bytes) {
  check_access(p, bytes, AccessKind::write, R2PAC_CALLER);
}
void* __tsan_memcpy(void* to, const void* from, std::size_t bytes) {
  check_access(from, bytes, AccessKind::read, R2PAC_CALLER);
  check_access(to, bytes, AccessKind::write, R2PAC_CALLER);
  return std::memcpy(to, from, bytes);
}
void* __tsan_memmove(void* to, const void* from, std::size_t bytes) {
  check_access(from, bytes, AccessKind::read, R2PAC_CALLER);
  check_access(to, bytes, AccessKind::write, R2PAC_CALLER);
  return std::memmove(to, from, bytes);
}
void* __tsan_memset(void* to, int value, std::size_t bytes) {
  check_access(to, bytes, AccessKind::write, R2PAC_CALLER);
  return std::memset(to, value, bytes);
}

// C++ atomics occur in the host code beside kernels (shared pointers, guards of static objects).
#define R2PAC_ATOMIC_HOOKS(bits, T)                                                                       \
  T __tsan_atomic##bits##_load(const volatile T* p, int) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); } \
  void __tsan_atomic##bits##_store(volatile T* p, T v, int) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); } \
  T __tsan_atomic##bits##_exchange(volatile T* p, T v, int) {                                             \
    return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                                   \
  }                                                                                                       \
  T __tsan_atomic##bits##_fetch_add(volatile T* p, T v, int) {                                            \
    return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);                                                    \
  }                                                                                                       \
  T __tsan_atomic##bits##_fetch_sub(volatile T* p, T v, int) {                                            \
    return __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST);                                                    \
  }                                                                                                       \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile T* p, T* expected, T v, int, int) {          \
    return __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);        \
  }
R2PAC_ATOMIC_HOOKS(8, std::uint8_t)
R2PAC_ATOMIC_HOOKS(32, std::uint32_t)
R2PAC_ATOMIC_HOOKS(64, std::uint64_t)

/// What the compiler passes about an access.
struct SourcePlace {
  const char* file;
  std::uint32_t line;
  std::uint32_t column;
};
void __ubsan_handle_out_of_bounds_abort(const SourcePlace* place, std::uintptr_t index) {
  r2pac::cuda_host::fault("index %td is out of bounds of its array at %s:%u",
                          static_cast<std::ptrdiff_t>(index), place->file, place->line);
}

}  // extern "C"
