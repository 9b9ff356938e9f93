// Rounding of single precision to the operands of tensor cores, to nearest, ties to even.
#pragma once

#include <bit>
#include <cstdint>

namespace r2pac::cuda_host {

/// Keeps the upper bits of the significand; 0 < dropped_bits < 23. Infinities and NaN stay what they are.
inline float round_significand(float value, int dropped_bits) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t unit = 1u << dropped_bits;
  if ((bits & 0x7f800000u) ==
      0x7f800000u) {  // a NaN whose payload lies in the dropped bits must not become infinite
    return (bits & 0x007fffffu) == 0 ? value : std::bit_cast<float>((bits | 0x00400000u) & ~(unit - 1));
  }
  const std::uint32_t odd = bits >> dropped_bits & 1u;
  return std::bit_cast<float>((bits + unit / 2 - 1 + odd) & ~(unit - 1));
}

/// bfloat16: 8 significant bits.
inline float round_bf16(float value) { return round_significand(value, 16); }

/// TF32: 11 significant bits.
inline float round_tf32(float value) { return round_significand(value, 13); }

}  // namespace r2pac::cuda_host
