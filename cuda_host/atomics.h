// Atomic operations. One CUDA thread runs at a time, so plain reads and writes do; the race check is told.
#pragma once

#include <type_traits>

#include "cuda_host/shadow.h"

namespace r2pac::cuda_host {

#ifdef R2PAC_CUDA_HOST_CHECK
#define R2PAC_UNWATCHED __attribute__((no_sanitize("thread"), noinline))
inline void note_atomic(const void* address, std::size_t bytes, const void* code) {
  shadow::atomic_access(address, bytes, code);
}
#else
#define R2PAC_UNWATCHED
inline void note_atomic(const void*, std::size_t, const void*) {}
#endif

template <class T>
R2PAC_UNWATCHED T read_for_atomic(const T* address) {
  note_atomic(address, sizeof(T), __builtin_return_address(0));
  return *address;
}
template <class T>
R2PAC_UNWATCHED void write_for_atomic(T* address, T value) {
  *address = value;
}
#undef R2PAC_UNWATCHED

/// Replaces *address by update(*address) and returns what was there.
template <class T, class Update>
T update(T* address, Update next) {
  const T before = read_for_atomic(address);
  write_for_atomic(address, static_cast<T>(next(before)));
  return before;
}

template <class T>
using Value = std::type_identity_t<T>;

}  // namespace r2pac::cuda_host

// For int, unsigned, unsigned long long, float and double, as far as CUDA has them.
#define R2PAC_ATOMIC(name, constraint, expression)                                     \
  template <class T>                                                                   \
  requires(constraint) T name(T* address, ::r2pac::cuda_host::Value<T> value) {        \
    return ::r2pac::cuda_host::update(address, [value](T old) { return expression; }); \
  }
R2PAC_ATOMIC(atomicAdd, std::is_arithmetic_v<T>, static_cast<T>(old + value))
R2PAC_ATOMIC(atomicSub, std::is_integral_v<T>, static_cast<T>(old - value))
R2PAC_ATOMIC(atomicMin, std::is_integral_v<T>, value < old ? value : old)
R2PAC_ATOMIC(atomicMax, std::is_integral_v<T>, old < value ? value : old)
R2PAC_ATOMIC(atomicAnd, std::is_integral_v<T>, static_cast<T>(old& value))
R2PAC_ATOMIC(atomicOr, std::is_integral_v<T>, static_cast<T>(old | value))
R2PAC_ATOMIC(atomicXor, std::is_integral_v<T>, static_cast<T>(old ^ value))
R2PAC_ATOMIC(atomicExch, std::is_arithmetic_v<T>, (static_cast<void>(old), value))
#undef R2PAC_ATOMIC

template <class T>
requires std::is_integral_v<T> T atomicCAS(T* address, ::r2pac::cuda_host::Value<T> expected,
                                           ::r2pac::cuda_host::Value<T> value) {
  return ::r2pac::cuda_host::update(address, [=](T old) { return old == expected ? value : old; });
}

inline void __threadfence() {}
inline void __threadfence_block() {}
