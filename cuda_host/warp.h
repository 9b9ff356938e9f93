// Barriers, and the operations of a warp with explicit masks. Every one knows its source line, by which
// threads that wait at different places are told apart.
#pragma once

#include <type_traits>

#include "cuda_host/block.h"

namespace r2pac::cuda_host {

template <class T>
struct Exchange {
  T value;
  int source;
};

template <class T>
void exchange(const Collective& lanes) {
  T taken[kWarpLanes];
  for (unsigned i = 0; i < kWarpLanes; ++i) {
    if (!(lanes.mask >> i & 1)) continue;
    const auto source = static_cast<unsigned>(static_cast<const Exchange<T>*>(lanes.slot[i])->source);
    if (!(lanes.mask >> source & 1)) {
      fault("%s at %s:%d: lane %u reads lane %u, which is not in the mask 0x%08x", lanes.name,
            lanes.site.file, lanes.site.line, i, source, lanes.mask);
    }
    taken[i] = static_cast<const Exchange<T>*>(lanes.slot[source])->value;
  }
  for (unsigned i = 0; i < kWarpLanes; ++i) {
    if (lanes.mask >> i & 1) static_cast<Exchange<T>*>(lanes.slot[i])->value = taken[i];
  }
}

template <class T>
T shuffle(const char* name, unsigned mask, T value, int source, Site site) {
  Exchange<T> slot{value, source};
  warp_collective(name, exchange<T>, mask, &slot, site);
  return slot.value;
}

/// Folds the lanes' values in lane order and gives every lane the result.
template <class T, class Fold>
T fold_lanes(const char* name, unsigned mask, T value, Site site, Fold) {
  warp_collective(
      name,
      [](const Collective& lanes) {
        T folded{};
        bool first = true;
        for (unsigned i = 0; i < kWarpLanes; ++i) {
          if (!(lanes.mask >> i & 1)) continue;
          const T& next = *static_cast<const T*>(lanes.slot[i]);
          folded = first ? next : Fold{}(folded, next);
          first = false;
        }
        for (unsigned i = 0; i < kWarpLanes; ++i) {
          if (lanes.mask >> i & 1) *static_cast<T*>(lanes.slot[i]) = folded;
        }
      },
      mask, &value, site);
  return value;
}

}  // namespace r2pac::cuda_host

#define R2PAC_HERE ::r2pac::cuda_host::Site here = {__builtin_FILE(), __builtin_LINE()}

inline void __syncthreads(R2PAC_HERE) { ::r2pac::cuda_host::barrier(false, here); }
inline int __syncthreads_count(int predicate, R2PAC_HERE) {
  return static_cast<int>(::r2pac::cuda_host::barrier(predicate != 0, here));
}
inline int __syncthreads_and(int predicate, R2PAC_HERE) {
  return ::r2pac::cuda_host::barrier(predicate == 0, here) == 0;
}
inline int __syncthreads_or(int predicate, R2PAC_HERE) {
  return ::r2pac::cuda_host::barrier(predicate != 0, here) != 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffu, R2PAC_HERE) {
  ::r2pac::cuda_host::warp_collective("__syncwarp", nullptr, mask, nullptr, here);
}

/// width is a power of two up to 32; a lane whose source would leave its segment gets its own value.
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, R2PAC_HERE) {
  const int lane = static_cast<int>(::r2pac::cuda_host::lane());
  return ::r2pac::cuda_host::shuffle("__shfl_sync", mask, value, (lane & -width) | (source & (width - 1)),
                                     here);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, R2PAC_HERE) {
  const int lane = static_cast<int>(::r2pac::cuda_host::lane()), source = lane ^ lanes;
  return ::r2pac::cuda_host::shuffle("__shfl_xor_sync", mask, value,
                                     source > (lane | (width - 1)) ? lane : source, here);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32, R2PAC_HERE) {
  const int lane = static_cast<int>(::r2pac::cuda_host::lane()), source = lane + static_cast<int>(distance);
  return ::r2pac::cuda_host::shuffle("__shfl_down_sync", mask, value,
                                     source > (lane | (width - 1)) ? lane : source, here);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = 32, R2PAC_HERE) {
  const int lane = static_cast<int>(::r2pac::cuda_host::lane()), source = lane - static_cast<int>(distance);
  return ::r2pac::cuda_host::shuffle("__shfl_up_sync", mask, value, source < (lane & -width) ? lane : source,
                                     here);
}

inline unsigned __ballot_sync(unsigned mask, int predicate, R2PAC_HERE) {
  const unsigned bit = predicate ? 1u << ::r2pac::cuda_host::lane() : 0;
  return ::r2pac::cuda_host::fold_lanes("__ballot_sync", mask, bit, here,
                                        [](unsigned a, unsigned b) { return a | b; });
}
inline int __any_sync(unsigned mask, int predicate, R2PAC_HERE) {
  return ::r2pac::cuda_host::fold_lanes("__any_sync", mask, int{predicate != 0}, here,
                                        [](int a, int b) { return a | b; });
}
inline int __all_sync(unsigned mask, int predicate, R2PAC_HERE) {
  return ::r2pac::cuda_host::fold_lanes("__all_sync", mask, int{predicate != 0}, here,
                                        [](int a, int b) { return a & b; });
}

// The reductions of sm_80 and later: int and unsigned.
#define R2PAC_REDUCE(name, T, expression)                                                                 \
  inline T name(unsigned mask, T value, R2PAC_HERE) {                                                     \
    return ::r2pac::cuda_host::fold_lanes(#name, mask, value, here, [](T a, T b) { return expression; }); \
  }
R2PAC_REDUCE(__reduce_add_sync, unsigned, a + b)
R2PAC_REDUCE(__reduce_min_sync, unsigned, b < a ? b : a)
R2PAC_REDUCE(__reduce_max_sync, unsigned, a < b ? b : a)
R2PAC_REDUCE(__reduce_add_sync, int, static_cast<int>(static_cast<unsigned>(a) + static_cast<unsigned>(b)))
R2PAC_REDUCE(__reduce_min_sync, int, b < a ? b : a)
R2PAC_REDUCE(__reduce_max_sync, int, a < b ? b : a)
R2PAC_REDUCE(__reduce_and_sync, unsigned, a& b)
R2PAC_REDUCE(__reduce_or_sync, unsigned, a | b)
R2PAC_REDUCE(__reduce_xor_sync, unsigned, a ^ b)
#undef R2PAC_REDUCE
#undef R2PAC_HERE
