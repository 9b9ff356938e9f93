#include "cuda/cuda.cuh"
#include "kernels/random.cuh"

namespace r2pac::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kGroup = 4;  // values of one Philox block

struct Uniform {
  __device__ float operator()(const Words4& words, std::uint32_t lane) const {
    return unit_interval(words.word[lane]);
  }
};
struct Normal {
  __device__ float operator()(const Words4& words, std::uint32_t lane) const {
    return normal_of_words(words, lane);
  }
};
/// cuRAND's mapping of a word to (0, 1].
struct CurandUniform {
  __device__ float operator()(const Words4& words, std::uint32_t lane) const {
    return static_cast<float>(words.word[lane]) * 0x1p-32f + 0x1p-33f;
  }
};

/// Up to four values of one block of words, `count` of which exist; at once where the address allows.
template <class Mapping>
__device__ void store_group(const Words4& words, float* out, int count, Mapping mapping) {
  const float4 values{mapping(words, 0), mapping(words, 1), mapping(words, 2), mapping(words, 3)};
  if (count == kGroup && reinterpret_cast<std::uintptr_t>(out) % alignof(float4) == 0) {
    store_vector(out, values);
    return;
  }
  out[0] = values.x;
  if (count > 1) out[1] = values.y;
  if (count > 2) out[2] = values.z;
  if (count > 3) out[3] = values.w;
}

/// One thread per four lanes of a row: of [10, 7], thread 3 fills row 1, lanes 4 .. 6.
template <class Mapping>
__global__ void __launch_bounds__(kThreads)
    fill_kernel(std::uint64_t seed, Purpose purpose, std::uint64_t step, std::uint32_t rows,
                std::uint32_t lanes, float* out) {
  const std::uint32_t groups = (lanes + kGroup - 1) / kGroup;
  const std::uint32_t item = blockIdx.x * kThreads + threadIdx.x, row = item / groups, group = item % groups;
  if (row >= rows) return;
  const std::uint32_t first = group * kGroup;
  const int count = lanes - first < kGroup ? static_cast<int>(lanes - first) : kGroup;
  store_group(random_words(seed, purpose, step, row, group), out + std::size_t{row} * lanes + first, count,
              Mapping());
}

template <class Mapping>
void fill(std::uint64_t seed, Purpose purpose, std::uint64_t step, int rows, int lanes, float* out,
          cudaStream_t stream) {
  const std::int64_t groups = (static_cast<std::int64_t>(lanes) + kGroup - 1) / kGroup, items = rows * groups;
  if (rows < 1 || lanes < 1 || items >= std::int64_t{1} << 31) {
    throw InvalidArgument("random numbers: [" + std::to_string(rows) + ", " + std::to_string(lanes) +
                          "] is empty or has 2^31 groups of four lanes");
  }
  launch(fill_kernel<Mapping>, (items + kThreads - 1) / kThreads, kThreads, 0, stream, seed, purpose, step,
         static_cast<std::uint32_t>(rows), static_cast<std::uint32_t>(lanes), out);
}

/// cuRAND lets 2^16 subsequences take turns, each giving the four values of its next block: group g of the
/// output is block g / 2^16 of subsequence g mod 2^16. A block's index is the low half of the counter, its
/// subsequence the high half.
__global__ void __launch_bounds__(kThreads)
    curand_layout_kernel(std::uint64_t seed, std::size_t n, float* out) {
  const std::size_t group = std::size_t{blockIdx.x} * kThreads + threadIdx.x, first = group * kGroup;
  if (first >= n) return;
  const std::uint64_t block = group >> 16;
  const Words4 counter{{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                        static_cast<std::uint32_t>(group & 0xffff), 0}};
  const int count = n - first < kGroup ? static_cast<int>(n - first) : kGroup;
  store_group(philox4x32_10(counter, seed), out + first, count, CurandUniform());
}

}  // namespace

void fill_uniform(std::uint64_t seed, Purpose purpose, std::uint64_t step, int rows, int lanes, float* out,
                  cudaStream_t stream) {
  fill<Uniform>(seed, purpose, step, rows, lanes, out, stream);
}

void fill_normal(std::uint64_t seed, Purpose purpose, std::uint64_t step, int rows, int lanes, float* out,
                 cudaStream_t stream) {
  fill<Normal>(seed, purpose, step, rows, lanes, out, stream);
}

void fill_curand_layout(std::uint64_t seed, std::size_t n, float* out, cudaStream_t stream) {
  if (n == 0) return;
  const std::size_t groups = (n + kGroup - 1) / kGroup;
  launch(curand_layout_kernel, (groups + kThreads - 1) / kThreads, kThreads, 0, stream, seed, n, out);
}

}  // namespace r2pac::cuda
