// Products of small tiles by the tensor cores, D [16, 8] += A [16, 8 words] B [8 words, 8], by the lanes of
// one warp together, with sums in fp32.
//
// A word is 32 bits of operand: one value in TF32, or two neighbours along the depth in bfloat16, the earlier
// one in the lower half. So the depth of a product is 8 values in TF32 and 16 in bfloat16, and one layout
// serves both.
#pragma once

#include <bit>
#include <cstdint>

#include "base/host_device.h"
#include "cuda/cuda.cuh"
#include "kernels/precision.h"

namespace r2pac::cuda {

/// One lane's parts of the three tiles. Which, is said by the functions of `layout`.
struct FragmentA {
  std::uint32_t word[4];
};
struct FragmentB {
  std::uint32_t word[2];
};
struct FragmentD {
  float value[4];
};

/// Four neighbouring lanes make a quad: lane = 4 * quad + place. Quad q has rows q and q + 8 of A and of D
/// and column q of B; place p has words p and p + 4 along the depth, and columns 2p and 2p + 1 of D.
namespace layout {

R2_HD constexpr int quad(int lane) { return lane / 4; }
R2_HD constexpr int place(int lane) { return lane % 4; }

/// Where word i of a lane's A or B, or value i of its D, lies in the tile.
R2_HD constexpr int a_row(int lane, int i) { return quad(lane) + 8 * (i % 2); }
R2_HD constexpr int a_depth(int lane, int i) { return place(lane) + 4 * (i / 2); }
R2_HD constexpr int b_depth(int lane, int i) { return place(lane) + 4 * i; }
R2_HD constexpr int b_column(int lane) { return quad(lane); }
R2_HD constexpr int d_row(int lane, int i) { return quad(lane) + 8 * (i / 2); }
R2_HD constexpr int d_column(int lane, int i) { return 2 * place(lane) + i % 2; }

}  // namespace layout

/// The bits of a value without its lowest `dropped` ones, rounded to the nearest, ties to even. 0 < dropped
/// < 23. Infinities stay what they are, NaN stays NaN.
R2_FORMULA std::uint32_t rounded_bits(float value, int dropped) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t unit = 1u << dropped, odd = bits >> dropped & 1u;
  return (value != value ? bits | 0x00400000u : bits + unit / 2 - 1 + odd) & ~(unit - 1);
}

/// How values become words. Integer operations only, so a device and a CPU round alike.
template <Precision kPrecision>
struct Operand;

template <>
struct Operand<Precision::tf32> {
  static constexpr int kValues = 1;  ///< of a word
  R2_FORMULA static std::uint32_t word(const float* value) { return rounded_bits(value[0], 13); }
  R2_FORMULA static float multiply_add(std::uint32_t a, std::uint32_t b, float sum) {
    return sum + std::bit_cast<float>(a) * std::bit_cast<float>(b);
  }
};

template <>
struct Operand<Precision::bf16> {
  static constexpr int kValues = 2;
  R2_FORMULA static std::uint32_t word(const float* value) {
    return rounded_bits(value[0], 16) >> 16 | rounded_bits(value[1], 16);
  }
  R2_FORMULA static float multiply_add(std::uint32_t a, std::uint32_t b, float sum) {
    sum += std::bit_cast<float>(a << 16) * std::bit_cast<float>(b << 16);
    return sum + std::bit_cast<float>(a & 0xffff0000u) * std::bit_cast<float>(b & 0xffff0000u);
  }
};

#ifdef R2PAC_CUDA_HOST

/// The last lane to arrive puts the tiles together, multiplies, and hands out D.
template <Precision kPrecision>
void mma(FragmentD& d, const FragmentA& a, const FragmentB& b,
         cuda_host::Site here = {__builtin_FILE(), __builtin_LINE()}) {
  struct Fragments {
    const FragmentA* a;
    const FragmentB* b;
    FragmentD* d;
  } mine{&a, &b, &d};
  const auto combine = [](const cuda_host::Collective& lanes) {
    std::uint32_t tile_a[16][8], tile_b[8][8];
    for (int lane = 0; lane < 32; ++lane) {
      const auto& of_lane = *static_cast<const Fragments*>(lanes.slot[lane]);
      for (int i = 0; i < 4; ++i)
        tile_a[layout::a_row(lane, i)][layout::a_depth(lane, i)] = of_lane.a->word[i];
      for (int i = 0; i < 2; ++i)
        tile_b[layout::b_depth(lane, i)][layout::b_column(lane)] = of_lane.b->word[i];
    }
    for (int lane = 0; lane < 32; ++lane) {
      const auto& of_lane = *static_cast<const Fragments*>(lanes.slot[lane]);
      for (int i = 0; i < 4; ++i) {
        float sum = of_lane.d->value[i];
        for (int depth = 0; depth < 8; ++depth)
          sum = Operand<kPrecision>::multiply_add(tile_a[layout::d_row(lane, i)][depth],
                                                  tile_b[depth][layout::d_column(lane, i)], sum);
        of_lane.d->value[i] = sum;
      }
    }
  };
  cuda_host::warp_collective("mma", combine, 0xffffffffu, &mine, here);
}

#elif defined(__CUDACC__)  // C++ sources of a build for a GPU see the layouts alone

/// d += a b by all 32 lanes of the warp, every one of which must call it. Needs compute capability 8.0.
template <Precision kPrecision>
__device__ inline void mma(FragmentD& d, const FragmentA& a, const FragmentB& b) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  if constexpr (kPrecision == Precision::tf32) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d.value[0]), "+f"(d.value[1]), "+f"(d.value[2]), "+f"(d.value[3])
        : "r"(a.word[0]), "r"(a.word[1]), "r"(a.word[2]), "r"(a.word[3]), "r"(b.word[0]), "r"(b.word[1]));
  } else {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d.value[0]), "+f"(d.value[1]), "+f"(d.value[2]), "+f"(d.value[3])
        : "r"(a.word[0]), "r"(a.word[1]), "r"(a.word[2]), "r"(a.word[3]), "r"(b.word[0]), "r"(b.word[1]));
  }
#else
  __trap();  // never run: devices before compute capability 8.0 act in fp32, without this kernel
#endif
}

#endif

}  // namespace r2pac::cuda
