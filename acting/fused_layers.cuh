// The parts of the fused sampler kernel: one net's layers, for the rows that a block has in shared memory.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "acting/fused_action.cuh"
#include "acting/mma.cuh"
#include "cuda/cuda.cuh"
#include "kernels/pointwise.h"
#include "kernels/warp.cuh"

namespace r2pac::cuda::fused {

inline constexpr int kThreads = FusedAction::kThreads, kWarps = kThreads / 32;
inline constexpr int kGroup = 32;    // columns of a warp: 4 tiles of 8
inline constexpr int kRowTile = 16;  // rows of a tile of A
inline constexpr int kRowTiles = 2;  // the two fields of guidance, or 32 candidates
inline constexpr int kRows = kRowTile * kRowTiles;
/// Words along the depth at once: two products' worth, of which a lane reads four.
inline constexpr int kStepWords = 16;
inline constexpr int kMaxLayers = 64, kMaxNets = 16;
static_assert(kWarps * kGroup == FusedAction::kMaxWidth && kThreads / 2 * 2 >= FusedAction::kMaxWidth);

/// A hidden layer after the first. packed: for each group of 32 columns, for each step along the depth, for
/// each tile of 8 columns, for each lane: four words. Then the biases. Columns and depth are padded with
/// zeros.
struct Layer {
  const float *weight, *bias;  // [in, out], [out]
  std::uint32_t* packed;
  int in, out;
};

/// First layer, hidden layers table.layers[first_layer ...], head. Parts that a net lacks are null.
struct Net {
  const float *observation, *label, *chunk, *time, *bias;  // of the first layer, rows of `width` values
  const float *head, *head_bias;                           // [depth, outputs], [outputs]
  float* packed_head;                                      // [outputs, padded depth]
  int width, depth, outputs;
  int first_layer, layers;
  Activation activation;
};

/// The flow's net, the critics, then V_r and V_c.
struct Table {
  int layer_count = 0, net_count = 0;
  Layer layers[kMaxLayers];
  Net nets[kMaxNets];
};

struct Run {
  ActionBuffers<float> buffers;
  const float* label_row[2];  // of the label table, one for each branch
  int observation_dim, label_dim, chunk_dim;
  int candidates, candidate_tiles, branches;
  int flow_steps, critics, stride;
  float guidance;
  bool score, values;
};

/// Columns that a layer of `width` has in the packed weights and in shared memory.
R2_HD constexpr int padded(int width) { return (width + kGroup - 1) / kGroup * kGroup; }

template <Precision kPrecision>
R2_HD constexpr int steps_of(int in) {
  return padded(in) / (kStepWords * Operand<kPrecision>::kValues);
}
template <Precision kPrecision>
R2_HD constexpr int vectors_of(const Layer& layer) {
  return padded(layer.out) / kGroup * steps_of<kPrecision>(layer.in) * 4 * 32;
}

/// The column within a group of 32 of a lane's value i in 0 .. 7 of a row: tile i / 2, column i % 2. Not the
/// order of the tiles, but one in which a lane's operands for the next layer are whole vectors: four words at
/// word 4 * place of every 16, which is also how a lane reads its part of A.
template <Precision kPrecision>
R2_HD constexpr int group_column(int place, int i) {
  return kPrecision == Precision::bf16 ? 8 * place + i : 16 * (i / 4) + 4 * place + i % 4;
}

/// Rows of the activations are this many words apart, 16 modulo 32: then the eight lanes that shared memory
/// serves at once, two quads of four vectors, touch every bank once.
constexpr int stride_of(int width) { return padded(width) + 16; }

/// A block's shared memory. Activations are words of operands, or fp32 where the head reads them.
struct Shared {
  float* tile;    // [32, stride]
  float* x;       // [chunk_dim, 16 * candidate_tiles]: the candidates' flow state
  float* out;     // [outputs, 32]: what a net says of each row
  float* q_cost;  // [32]
  int* best;      // [1]
  int stride;
};
constexpr std::size_t shared_floats(int stride, int chunk_dim, int candidate_tiles) {
  const auto size = [](int n) { return static_cast<std::size_t>(n); };
  return kRows * size(stride) + size(chunk_dim) * size(kRowTile * candidate_tiles) +
         kRows * size(std::max(chunk_dim, 1)) + kRows + 4;
}
__device__ inline Shared share(const Run& run) {
  Shared s;
  s.stride = run.stride;
  s.tile = dynamic_shared<float>();
  s.x = s.tile + kRows * run.stride;
  s.out = s.x + run.chunk_dim * kRowTile * run.candidate_tiles;
  s.q_cost = s.out + kRows * (run.chunk_dim > 1 ? run.chunk_dim : 1);
  s.best = reinterpret_cast<int*>(s.q_cost + kRows);
  return s;
}

template <int kCount>
__device__ inline void activate(float (&values)[kCount], Activation activation) {
  if (activation == Activation::gelu_erf) {
#pragma unroll
    for (float& v : values) v = formula::gelu_erf(v).value;
  } else if (activation == Activation::gelu_tanh) {
#pragma unroll
    for (float& v : values) v = formula::gelu_tanh(v).value;
  }
}

__device__ inline std::uint32_t word_of(const uint4& vector, int i) {
  return i == 0 ? vector.x : i == 1 ? vector.y : i == 2 ? vector.z : vector.w;
}
__device__ inline float value_of(const float4& vector, int i) {
  return i == 0 ? vector.x : i == 1 ? vector.y : i == 2 ? vector.z : vector.w;
}

/// A thread's share of a first layer: two columns, and of each tile of rows the lower or the upper eight.
struct FirstShare {
  int column = 2 * static_cast<int>(threadIdx.x % (kThreads / 2));
  int row = 8 * static_cast<int>(threadIdx.x / (kThreads / 2));
};

/// matrix(row, column) of rows with `width` values, 0 where there is no such column.
__device__ inline float weight_at(const float* matrix, int row, int column, int width) {
  return column < width ? matrix[row * width + column] : 0.0f;
}

/// base[branch][j] of the thread's columns: bias, observation and label through the first layer.
__device__ inline void constant_part(const Net& net, const Run& run, const float* observation,
                                     float (&base)[2][2]) {
  const FirstShare mine;
#pragma unroll
  for (int j = 0; j < 2; ++j) {
    const int column = mine.column + j;
    float sum = weight_at(net.bias, 0, column, net.width);
    for (int i = 0; i < run.observation_dim; ++i)
      sum += observation[i] * weight_at(net.observation, i, column, net.width);
#pragma unroll
    for (int b = 0; b < 2; ++b) {
      base[b][j] = sum;
      if (net.label == nullptr || b >= run.branches) continue;
      for (int i = 0; i < run.label_dim; ++i)
        base[b][j] += run.label_row[b][i] * weight_at(net.label, i, column, net.width);
    }
  }
}

/// The first layer from the candidates s.x into the tile, in fp32: what all branches have in common once,
/// then each branch's base. plain: leaves fp32 for the head instead of operands.
template <Precision kPrecision>
__device__ inline void first_layer(const Net& net, const Run& run, const Shared& s, const float (&base)[2][2],
                                   int branches, int candidate_tiles, bool plain) {
  const FirstShare mine;
  if (mine.column >= padded(net.width)) return;
  for (int tile = 0; tile < candidate_tiles; ++tile) {
    float common[2][8] = {};
    const int inputs = net.chunk == nullptr ? 0 : run.chunk_dim;
    for (int i = 0; i < inputs; ++i) {
      const float left = weight_at(net.chunk, i, mine.column, net.width);
      const float right = weight_at(net.chunk, i, mine.column + 1, net.width);
      const float* x = s.x + (i * run.candidate_tiles + tile) * kRowTile + mine.row;
#pragma unroll
      for (int four = 0; four < 2; ++four) {
        const auto of_rows = load_vector<float4>(x + 4 * four);
#pragma unroll
        for (int r = 0; r < 4; ++r) {
          common[0][4 * four + r] += left * value_of(of_rows, r);
          common[1][4 * four + r] += right * value_of(of_rows, r);
        }
      }
    }
#pragma unroll
    for (int b = 0; b < 2; ++b) {
      if (b >= branches) continue;
      float* to = s.tile + ((tile + b) * kRowTile + mine.row) * s.stride;
#pragma unroll
      for (int r = 0; r < 8; ++r, to += s.stride) {
        float values[2] = {common[0][r] + base[b][0], common[1][r] + base[b][1]};
        activate(values, net.activation);
        using Rounded = Operand<kPrecision>;
        if (plain) {
          store_vector(to + mine.column, float2{values[0], values[1]});
        } else if constexpr (kPrecision == Precision::bf16) {
          to[mine.column / 2] = std::bit_cast<float>(Rounded::word(values));
        } else {
          store_vector(to + mine.column, float2{std::bit_cast<float>(Rounded::word(values)),
                                                std::bit_cast<float>(Rounded::word(values + 1))});
        }
      }
    }
  }
}

/// A hidden layer in place. Warp w has columns 32 w .. 32 w + 31 of all rows and keeps their sums in
/// registers until every warp has read the tile. Words 4 p .. 4 p + 3 of a step, which the lanes of place p
/// read, are that place's words of two products: the order along the depth is free, as long as A and B agree.
template <Precision kPrecision>
__device__ inline void hidden_layer(const Layer& layer, const Shared& s, Activation activation, int row_tiles,
                                    bool plain) {
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  const int quad = layout::quad(lane), place = layout::place(lane), steps = steps_of<kPrecision>(layer.in);
  const bool works = warp < padded(layer.out) / kGroup;
  const std::uint32_t* packed = layer.packed + (warp * steps * 4 * 32 + lane) * 4;
  uint4 next[4];
  const auto prefetch = [&] {
#pragma unroll
    for (int q = 0; q < 4; ++q) {
      const auto* vector = reinterpret_cast<const uint4*>(packed + q * 32 * 4);
      require_aligned<uint4>(vector);
      next[q] = __ldcg(vector);  // read once: not worth a place in the cache that shared memory comes from
    }
    packed += 4 * 32 * 4;
  };
  if (works) prefetch();
  __syncthreads();  // the tile is written
  FragmentD sum[kRowTiles][4] = {};
  if (works) {
    const float* row = s.tile + quad * s.stride + 4 * place;
#pragma unroll 1
    for (int step = 0; step < steps; ++step, row += kStepWords) {
      const uint4 b[4] = {next[0], next[1], next[2], next[3]};
      if (step + 1 < steps) prefetch();
#pragma unroll
      for (int tile = 0; tile < kRowTiles; ++tile) {
        if (tile >= row_tiles) continue;
        const auto low = load_vector<uint4>(row + tile * kRowTile * s.stride);
        const auto high = load_vector<uint4>(row + (tile * kRowTile + 8) * s.stride);
#pragma unroll
        for (int i = 0; i < 4; i += 2) {
          const FragmentA a{{word_of(low, i), word_of(high, i), word_of(low, i + 1), word_of(high, i + 1)}};
#pragma unroll
          for (int q = 0; q < 4; ++q)
            mma<kPrecision>(sum[tile][q], a, {{word_of(b[q], i), word_of(b[q], i + 1)}});
        }
      }
    }
  }
  __syncthreads();  // the tile is read
  if (!works) return;
  const auto* bias = reinterpret_cast<const float*>(layer.packed + vectors_of<kPrecision>(layer) * 4);
  bias += warp * kGroup;
  const int columns[2] = {group_column<kPrecision>(place, 0), group_column<kPrecision>(place, 4)};
  const auto bias_low = load_vector<float4>(bias + columns[0]),
             bias_high = load_vector<float4>(bias + columns[1]);
#pragma unroll
  for (int tile = 0; tile < kRowTiles; ++tile) {
    if (tile >= row_tiles) continue;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float values[8];
#pragma unroll
      for (int i = 0; i < 8; ++i)
        values[i] = sum[tile][i / 2].value[2 * half + i % 2] + value_of(i < 4 ? bias_low : bias_high, i % 4);
      activate(values, activation);
      float* to = s.tile + (tile * kRowTile + 8 * half + quad) * s.stride;
      using Rounded = Operand<kPrecision>;
      if (!plain && kPrecision == Precision::bf16) {
        store_vector(to + warp * kGroup / 2 + 4 * place,
                     uint4{Rounded::word(values), Rounded::word(values + 2), Rounded::word(values + 4),
                           Rounded::word(values + 6)});
        continue;
      }
      if (!plain) {
#pragma unroll
        for (float& v : values) v = std::bit_cast<float>(Rounded::word(&v));
      }
      to += warp * kGroup;
      store_vector(to + columns[0], float4{values[0], values[1], values[2], values[3]});
      store_vector(to + columns[1], float4{values[4], values[5], values[6], values[7]});
    }
  }
}

/// Sums 16 values over the lanes, always in the same order, starting with kHalf = 8: lane l gets the sum of
/// value l % 16. A lane keeps one half of its values and gives the other half away, again and again.
template <int kHalf>
__device__ float sum_over_lanes(const float (&values)[2 * kHalf]) {
  const bool upper = (threadIdx.x & kHalf) != 0;
  float folded[kHalf];
#pragma unroll
  for (int i = 0; i < kHalf; ++i) {
    const float kept = upper ? values[i + kHalf] : values[i], given = upper ? values[i] : values[i + kHalf];
    folded[i] = kept + __shfl_xor_sync(kAllLanes, given, kHalf);
  }
  if constexpr (kHalf > 1) {
    return sum_over_lanes<kHalf / 2>(folded);
  } else {
    return folded[0] + __shfl_xor_sync(kAllLanes, folded[0], 16);
  }
}

/// s.out [outputs, 32] = the head of the fp32 activations in the tile. A warp takes four rows, eight apart,
/// by four outputs, its lanes lie along the depth: each weight and each activation that is read serves four
/// sums.
__device__ inline void head(const Net& net, const Shared& s, int row_tiles) {
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  const int depth = padded(net.depth), fours = (net.outputs + 3) / 4;
  __syncthreads();  // the tile is written
  for (int item = warp; item < 8 * fours; item += kWarps) {
    const int row = item % 8, output = item / 8 * 4;
    float sums[16] = {};  // [row][output]
    for (int k = 4 * lane; k < depth; k += 4 * 32) {
      float4 w[4];
#pragma unroll
      for (int o = 0; o < 4; ++o)
        w[o] = output + o < net.outputs ? load_vector<float4>(net.packed_head + (output + o) * depth + k)
                                        : float4{};
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        if (8 * r >= row_tiles * kRowTile) continue;
        const auto x = load_vector<float4>(s.tile + (row + 8 * r) * s.stride + k);
#pragma unroll
        for (int o = 0; o < 4; ++o) {
#pragma unroll
          for (int i = 0; i < 4; ++i) sums[4 * r + o] += value_of(x, i) * value_of(w[o], i);
        }
      }
    }
    const float sum = sum_over_lanes<8>(sums);
    const int r = lane / 4, o = output + lane % 4;
    if (8 * r < row_tiles * kRowTile && o < net.outputs)
      s.out[o * kRows + row + 8 * r] = sum + net.head_bias[o];
  }
}

/// s.out = the net's outputs for the candidates of s.x, branch after branch. Ends with a barrier.
template <Precision kPrecision>
__device__ inline void run_net(const Table& table, const Net& net, const Run& run, const Shared& s,
                               const float (&base)[2][2], int branches, int candidate_tiles) {
  const int row_tiles = branches * candidate_tiles;
  first_layer<kPrecision>(net, run, s, base, branches, candidate_tiles, net.layers == 0);
  for (int l = 0; l < net.layers; ++l)
    hidden_layer<kPrecision>(table.layers[net.first_layer + l], s, net.activation, row_tiles,
                             l + 1 == net.layers);
  head(net, s, row_tiles);
  __syncthreads();
}

}  // namespace r2pac::cuda::fused
