#include <algorithm>
#include <bit>
#include <cmath>

#include "cuda/cuda.cuh"
#include "kernels/reduce.cuh"
#include "kernels/warp.cuh"

namespace r2pac::cuda {
namespace {

// The sizes of a block of sums are unmeasured: others were not tried.
constexpr int kSumThreads = 512;
constexpr int kTile = 32;   // most columns of a block
constexpr int kUnroll = 4;  // rows that a thread has under way

/// What a value is multiplied by: nothing, a number per row or element, or whether its row has the label.
enum class Factor { none, row, element, label };

/// A ColumnSum as a block reads it. A stride is 0 where all members share a tensor.
struct Sum {
  const float *x, *factor;  // factor: or labels
  float* out;
  std::size_t x_stride, factor_stride, out_stride;
  int rows, cols, members;
  int tiles;  // blocks along the columns
  Factor kind;
  int width;        // columns of one thread: 4, read at once, or 1
  int lanes_shift;  // 2^this threads lie along the columns, the others along the rows
  float label, scale;
  bool across_members, accumulate;
};

struct SumTable {
  int count = 0;
  int first_block[kColumnSums + 1] = {};
  Sum sums[kColumnSums];
};
static_assert(sizeof(SumTable) <= 4096);  // what a kernel's parameters may be everywhere

template <int kWidth>
struct Values {
  float of[kWidth];
};

template <int kWidth>
__device__ Values<kWidth> load(const float* address) {
  if constexpr (kWidth == 4) {
    const auto four = load_vector<float4>(address);
    return {{four.x, four.y, four.z, four.w}};
  } else {
    return {{*address}};
  }
}

/// This thread's share of one tile: rows lane, lane + lanes, ... of each of its members, in this order.
template <int kWidth, Factor kFactor>
__device__ Values<kWidth> sum_rows(const Sum& sum, int first_member, int members, int lane, int lanes,
                                   int column) {
  Values<kWidth> total{};
  const std::size_t cols = static_cast<std::size_t>(sum.cols), begin = lane * cols + column,
                    step = lanes * cols;
  constexpr std::size_t per_row = kFactor == Factor::none ? 0 : 1;
  const std::size_t factor_begin = kFactor == Factor::element ? begin : lane * per_row;
  const std::size_t factor_step = kFactor == Factor::element ? step : lanes * per_row;
  for (int k = first_member; k < first_member + members; ++k) {
    const float* x = sum.x + static_cast<std::size_t>(k) * sum.x_stride + begin;
    const float* factor = sum.factor + static_cast<std::size_t>(k) * sum.factor_stride + factor_begin;
#pragma unroll kUnroll
    for (int r = lane; r < sum.rows; r += lanes) {
      Values<kWidth> value = load<kWidth>(x);
      if constexpr (kFactor == Factor::row) {
        const float of_row = *factor;
#pragma unroll
        for (float& v : value.of) v *= of_row;
      } else if constexpr (kFactor == Factor::element) {
        const auto other = load<kWidth>(factor);
#pragma unroll
        for (int j = 0; j < kWidth; ++j) value.of[j] *= other.of[j];
      } else if constexpr (kFactor == Factor::label) {
        const bool counts = *factor == sum.label;
#pragma unroll
        for (float& v : value.of) v = counts ? v : 0.0f;  // even if it is not finite
      }
#pragma unroll
      for (int j = 0; j < kWidth; ++j) total.of[j] += value.of[j];
      x += step;
      factor += factor_step;
    }
  }
  return total;
}

template <int kWidth>
__device__ Values<kWidth> sum_kind(const Sum& sum, int first_member, int members, int lane, int lanes,
                                   int column) {
  switch (sum.kind) {
    case Factor::row:
      return sum_rows<kWidth, Factor::row>(sum, first_member, members, lane, lanes, column);
    case Factor::element:
      return sum_rows<kWidth, Factor::element>(sum, first_member, members, lane, lanes, column);
    case Factor::label:
      return sum_rows<kWidth, Factor::label>(sum, first_member, members, lane, lanes, column);
    default:
      return sum_rows<kWidth, Factor::none>(sum, first_member, members, lane, lanes, column);
  }
}

/// One tile of columns of one sum and member. The threads' shares meet in a tree, whose shape depends on the
/// shapes of the sum alone.
template <int kWidth>
__device__ void sum_tile(const Sum& sum, int member, int tile, Values<kWidth>* shares) {
  const int thread = static_cast<int>(threadIdx.x), lanes = 1 << sum.lanes_shift;
  const int column = (tile * lanes + (thread & (lanes - 1))) * kWidth;
  const int row_lane = thread >> sum.lanes_shift, row_lanes = kSumThreads >> sum.lanes_shift;
  const int first = sum.across_members ? 0 : member, members = sum.across_members ? sum.members : 1;
  Values<kWidth> total{};
  if (column < sum.cols) total = sum_kind<kWidth>(sum, first, members, row_lane, row_lanes, column);
  shares[thread] = total;
  for (int distance = kSumThreads / 2; distance >= lanes; distance /= 2) {
    __syncthreads();
    if (thread < distance) {
#pragma unroll
      for (int j = 0; j < kWidth; ++j) total.of[j] += shares[thread + distance].of[j];
      shares[thread] = total;
    }
  }
  if (thread < lanes && column < sum.cols) {
    float* out = sum.out + static_cast<std::size_t>(member) * sum.out_stride + column;
#pragma unroll
    for (int j = 0; j < kWidth; ++j)
      out[j] = sum.accumulate ? out[j] + sum.scale * total.of[j] : sum.scale * total.of[j];
  }
}

/// One block per sum, member and tile of up to 32 columns. 1024 rows of 512 columns: 16 blocks, each 8
/// threads of four columns by 64 threads along the rows; of 1 column: one block, all threads along the rows.
__global__ void __launch_bounds__(kSumThreads) column_sums_kernel(const __grid_constant__ SumTable table) {
  __shared__ Values<4> shares[kSumThreads];
  const int block = static_cast<int>(blockIdx.x);
  int low = 0, high = table.count;  // the sum is one of low .. high - 1
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    (block < table.first_block[middle] ? high : low) = middle;
  }
  const Sum& sum = table.sums[low];
  const int index = block - table.first_block[low], member = index / sum.tiles, tile = index % sum.tiles;
  if (sum.width == 4) {
    sum_tile<4>(sum, member, tile, shares);
  } else {
    sum_tile<1>(sum, member, tile, reinterpret_cast<Values<1>*>(shares));
  }
}

constexpr int kOrderThreads = 1024;
constexpr int kOrderItems = kMaxQuantileRows / kOrderThreads;  // values of one thread, in registers
constexpr unsigned kLast = 0xffffffffu;                        // NaN, and places without a value

/// Unsigned numbers in the order of the values. NaN of either sign comes last.
__device__ unsigned key_of(float value) {
  if (value != value) return kLast;
  const unsigned bits = __float_as_uint(value);
  return bits >> 31 != 0 ? ~bits : bits | 0x80000000u;
}
__device__ float value_of(unsigned key) { return __uint_as_float(key >> 31 != 0 ? key & 0x7fffffffu : ~key); }

/// How many keys of the block are less than `bound`. All threads of the block call it.
__device__ int count_less(const unsigned (&keys)[kOrderItems], int rows, unsigned bound) {
  int count = 0;
#pragma unroll
  for (int i = 0; i < kOrderItems; ++i)
    if (i * kOrderThreads < rows) count += __syncthreads_count(keys[i] < bound);
  return count;
}

/// The least key of the block above `bound`, or kLast. All threads of the block call it.
__device__ unsigned least_above(const unsigned (&keys)[kOrderItems], unsigned bound) {
  __shared__ unsigned of_warp[kOrderThreads / 32];
  const unsigned lane = threadIdx.x % 32;
  unsigned least = kLast;
#pragma unroll
  for (int i = 0; i < kOrderItems; ++i)
    if (keys[i] > bound && keys[i] < least) least = keys[i];
  const auto over_lanes = [](unsigned of_lane) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
      const unsigned other = __shfl_xor_sync(kAllLanes, of_lane, distance);
      of_lane = other < of_lane ? other : of_lane;
    }
    return of_lane;
  };
  least = over_lanes(least);
  if (lane == 0) of_warp[threadIdx.x / 32] = least;
  __syncthreads();
  return over_lanes(of_warp[lane]);
}

/// One block. The order statistic is the greatest key that at most `lower` keys are less than, found bit by
/// bit: 32 counts, each a barrier that counts, over keys that never leave the registers.
__global__ void __launch_bounds__(kOrderThreads)
    threshold_kernel(const float* x, int rows, int lower, float weight, float keep, float rest,
                     const StepState* state, unsigned long long first_step, float* threshold) {
  unsigned keys[kOrderItems];
#pragma unroll
  for (int i = 0; i < kOrderItems; ++i) {
    const int row = i * kOrderThreads + static_cast<int>(threadIdx.x);
    keys[i] = row < rows ? key_of(x[row]) : kLast;
  }
  unsigned low = 0;
  for (unsigned bit = 0x80000000u; bit != 0; bit >>= 1)
    if (count_less(keys, rows, low | bit) <= lower) low |= bit;
  float now = value_of(low);
  if (weight != 0) {
    const bool again = low == kLast || count_less(keys, rows, low + 1) > lower + 1;
    const unsigned high = again ? low : least_above(keys, low);
    now = formula::between(now, value_of(high), weight);
  }
  if (threadIdx.x == 0)
    *threshold = formula::next_threshold(*threshold, now, keep, rest, state->step == first_step);
}

void require(bool right, const char* what) {
  if (!right) throw InvalidArgument(std::string("column_sums: ") + what);
}

bool in_fours(const View<float>& x) {
  return x.cols % 4 == 0 && (x.nets == 1 || x.net_stride % 4 == 0) &&
         reinterpret_cast<std::uintptr_t>(x.data) % alignof(float4) == 0;
}

Sum as_sum(const ColumnSum& from) {
  const View<float>&x = from.x, &factor = from.factor;
  const bool has_factor = factor.data != nullptr;
  require(x.data != nullptr && x.nets >= 1 && x.rows >= 1 && x.cols >= 1, "x is empty");
  require(from.out != nullptr, "out is null");
  Sum sum{};
  sum.x = x.data;
  sum.x_stride = x.nets == 1 ? 0 : x.net_stride;
  sum.rows = x.rows;
  sum.cols = x.cols;
  sum.members = x.nets;
  if (has_factor) {
    require(factor.rows == x.rows && (factor.cols == 1 || factor.cols == x.cols),
            "factor has other rows or columns than x");
    require(factor.nets == 1 || x.nets == 1 || factor.nets == x.nets, "factor has other members than x");
    sum.factor = factor.data;
    sum.factor_stride = factor.nets == 1 ? 0 : factor.net_stride;
    sum.members = std::max(x.nets, factor.nets);
    sum.kind = factor.cols == 1 ? Factor::row : Factor::element;
  }
  if (from.label >= 0) {
    require(from.labels != nullptr && !has_factor, "a label needs labels and no factor");
    sum.factor = from.labels;
    sum.kind = Factor::label;
    sum.label = from.label;
  }
  sum.scale = from.scale;
  sum.across_members = from.across_members;
  sum.accumulate = from.accumulate;
  sum.out = from.out;
  sum.out_stride = from.out_stride;
  sum.width = in_fours(x) && (sum.kind != Factor::element || in_fours(factor)) ? 4 : 1;
  const auto threads = static_cast<unsigned>(std::min(x.cols, kTile) / sum.width);
  sum.lanes_shift = std::bit_width(std::bit_ceil(threads)) - 1;
  const int columns = sum.width << sum.lanes_shift;
  sum.tiles = (x.cols + columns - 1) / columns;
  return sum;
}

}  // namespace

void column_sums(const std::vector<ColumnSum>& sums, cudaStream_t stream) {
  for (std::size_t first = 0; first < sums.size(); first += kColumnSums) {
    SumTable table;
    table.count = static_cast<int>(std::min(sums.size() - first, std::size_t{kColumnSums}));
    for (int i = 0; i < table.count; ++i) {
      const Sum sum = as_sum(sums[first + static_cast<std::size_t>(i)]);
      table.sums[i] = sum;
      table.first_block[i + 1] = table.first_block[i] + sum.tiles * (sum.across_members ? 1 : sum.members);
    }
    launch(column_sums_kernel, table.first_block[table.count], kSumThreads, 0, stream, table);
  }
}

void update_threshold(const View<float>& x, double alpha, double keep, const StepState* state,
                      unsigned long long first_step, float* threshold, cudaStream_t stream) {
  if (x.data == nullptr || x.nets != 1 || x.cols != 1 || x.rows < 1 || x.rows > kMaxQuantileRows) {
    throw InvalidArgument("update_threshold: x is [" + std::to_string(x.nets) + ", " +
                          std::to_string(x.rows) + ", " + std::to_string(x.cols) +
                          "], but must be [1, 1 .. " + std::to_string(kMaxQuantileRows) + ", 1]");
  }
  const double position = alpha * (x.rows - 1);
  const int lower = std::min(static_cast<int>(position), x.rows - 1);
  const float weight = lower + 1 == x.rows ? 0.0f : static_cast<float>(position - lower);
  launch(threshold_kernel, 1, kOrderThreads, 0, stream, x.data, x.rows, lower, weight,
         static_cast<float>(keep), static_cast<float>(1 - keep), state, first_step, threshold);
}

}  // namespace r2pac::cuda
