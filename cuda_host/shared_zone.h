// The zone before each static shared variable in the check build.
#pragma once

#include <cstdint>

namespace r2pac::cuda_host {

inline constexpr unsigned kZoneWords = 32;
inline constexpr std::uint64_t kZoneWord = 0x5A0E0F5A4ED11A7E;

struct alignas(16) SharedZone {
  std::uint64_t word[kZoneWords] = {
      kZoneWord, kZoneWord, kZoneWord, kZoneWord, kZoneWord, kZoneWord, kZoneWord, kZoneWord,
      kZoneWord, kZoneWord, kZoneWord, kZoneWord, kZoneWord, kZoneWord, kZoneWord, kZoneWord,
      kZoneWord, kZoneWord, kZoneWord, kZoneWord, kZoneWord, kZoneWord, kZoneWord, kZoneWord,
      kZoneWord, kZoneWord, kZoneWord, kZoneWord, kZoneWord, kZoneWord, kZoneWord, kZoneWord};
};

}  // namespace r2pac::cuda_host
