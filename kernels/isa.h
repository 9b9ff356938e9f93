// The instruction sets that the vectorised kernels are compiled for, and the choice among them.
#pragma once

#include <string>

namespace r2pac {

enum class Isa { baseline, avx2, avx512, neon };

/// Those that this program is compiled for, each wider than the one before.
#if defined(__aarch64__)
inline constexpr Isa kIsas[] = {Isa::neon};
#else
inline constexpr Isa kIsas[] = {Isa::baseline, Isa::avx2, Isa::avx512};
#endif

/// "baseline" (SSE2), "avx2" (with FMA) or "avx512" (F, BW, DQ and VL); on Arm "neon".
const char* isa_name(Isa isa);

/// The best set that this processor has, or what the environment variable R2PAC_ISA names. Decided once.
/// Throws Error(settings) for an unknown name and for a set that the processor lacks.
Isa current_isa();

/// Whether the processor multiplies pairs of bf16 (AVX-512 BF16) and current_isa() is avx512.
bool has_bf16_products();

}  // namespace r2pac
