#include "cuda/blas.cuh"
#include "cuda/device_array.cuh"
#include "test/test_kernels.h"

namespace r2pac::cuda::test {
namespace {

constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kTile = 16;

int blocks_for(std::size_t items, int threads) { return static_cast<int>((items + threads - 1) / threads); }

__global__ void __launch_bounds__(128)
    saxpy_kernel(float a, const float* __restrict__ x, float* __restrict__ y, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int quads = count / 4;
  if (i < quads) {
    const auto from = load_vector<float4>(x + 4 * i);
    auto to = load_vector<float4>(y + 4 * i);
    to.x += a * from.x;
    to.y += a * from.y;
    to.z += a * from.z;
    to.w += a * from.w;
    store_vector(y + 4 * i, to);
  } else if (const int single = 4 * quads + (i - quads); single < count) {
    y[single] += a * __ldg(x + single);
  }
}

template <int kThreads>
__global__ void __launch_bounds__(kThreads)
    row_sums_kernel(const float* __restrict__ values, float* __restrict__ sums, int columns) {
  __shared__ float of_warp[kThreads / 32];
  const float* row = values + static_cast<std::size_t>(blockIdx.x) * columns;
  const int thread = static_cast<int>(threadIdx.x), lane = thread % 32, warp = thread / 32;
  float sum = 0;
  for (int i = thread; i < columns; i += kThreads) sum += row[i];
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(kAllLanes, sum, distance);
  if (lane == 0) of_warp[warp] = sum;
  __syncthreads();
  if (warp == 0) {
    sum = lane < kThreads / 32 ? of_warp[lane] : 0.0f;
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_down_sync(kAllLanes, sum, distance);
    if (lane == 0) sums[blockIdx.x] = sum;
  }
}

/// One thread per element of a 16 x 16 tile of the result.
__device__ void matmul_tile(float (*tile_a)[kTile], float (*tile_b)[kTile], const float* a, const float* b,
                            float* out, int rows, int inner, int columns) {
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  const int row = static_cast<int>(blockIdx.y) * kTile + y, column = static_cast<int>(blockIdx.x) * kTile + x;
  float sum = 0;
  for (int first = 0; first < inner; first += kTile) {
    tile_a[y][x] = row < rows && first + x < inner ? a[row * inner + first + x] : 0.0f;
    tile_b[y][x] = column < columns && first + y < inner ? b[(first + y) * columns + column] : 0.0f;
    __syncthreads();
    for (int k = 0; k < kTile; ++k) sum += tile_a[y][k] * tile_b[k][x];
    __syncthreads();
  }
  if (row < rows && column < columns) out[row * columns + column] = sum;
}

__global__ void matmul_static_kernel(const float* a, const float* b, float* out, int rows, int inner,
                                     int columns) {
  __shared__ float tile_a[kTile][kTile];
  __shared__ float tile_b[kTile][kTile];
  matmul_tile(tile_a, tile_b, a, b, out, rows, inner, columns);
}

__global__ void matmul_dynamic_kernel(const float* a, const float* b, float* out, int rows, int inner,
                                      int columns) {
  auto* const tiles = dynamic_shared<float[kTile][kTile]>();
  matmul_tile(tiles[0], tiles[1], a, b, out, rows, inner, columns);
}

__global__ void warp_operations_kernel(int* out) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  int* mine = out + threadIdx.x * kWarpOperations;
  const int value = 100 + lane;
  [[maybe_unused]] const auto positive = static_cast<unsigned>(value);
  *mine++ = __shfl_sync(kAllLanes, value, 5);
  *mine++ = __shfl_sync(kAllLanes, value, 3, 8);
  *mine++ = __shfl_xor_sync(kAllLanes, value, 1);
  *mine++ = __shfl_down_sync(kAllLanes, value, 4);
  *mine++ = __shfl_down_sync(kAllLanes, value, 4, 16);
  *mine++ = __shfl_up_sync(kAllLanes, value, 2);
  *mine++ = __shfl_up_sync(kAllLanes, value, 2, 8);
  *mine++ = static_cast<int>(__ballot_sync(kAllLanes, lane % 3 == 0));
  *mine++ = __any_sync(kAllLanes, lane == 31);
  *mine++ = __all_sync(kAllLanes, lane != 31);
#if defined(R2PAC_CUDA_HOST) || __CUDA_ARCH__ >= 800
  *mine++ = static_cast<int>(__reduce_add_sync(kAllLanes, positive));
  *mine++ = __reduce_min_sync(kAllLanes, 50 - value);
  *mine++ = static_cast<int>(__reduce_max_sync(kAllLanes, positive));
#endif
  *mine++ = __syncthreads_count(lane < 7);
  *mine++ = __syncthreads_or(threadIdx.x == 63);
  *mine++ = __syncthreads_and(threadIdx.x != 63);
}

__global__ void group_sums_kernel(int* out) {
  __shared__ int values[64];
  const unsigned thread = threadIdx.x, lane = thread % 32, group = lane / 8;
  const unsigned mask = 0xffu << (8 * group);
  values[thread] = static_cast<int>(thread);
  __syncwarp(mask);
  int sum = 0;
  for (unsigned i = 0; i < 8; ++i) sum += values[thread / 8 * 8 + i];
  if (group % 2 == 0)
    sum += __shfl_sync(mask, sum, static_cast<int>(8 * group));  // divergent, but whole groups
  __syncwarp();
  values[thread] = sum;
  __syncwarp();
  out[thread] = values[thread ^ 8];
}

__global__ void atomics_kernel(int* integers, unsigned* count, float* single, double* twice, int threads) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= threads) return;
  atomicAdd(integers, i);
  atomicMax(integers + 1, i);
  atomicMin(integers + 2, -i);
  atomicOr(integers + 3, 1 << i % 8);
  atomicAdd(count, 1u);
  atomicAdd(single, 1.0f);
  atomicAdd(twice, 0.5);
  int seen = 0, assumed = 0;
  do {
    assumed = seen;
    seen = atomicCAS(integers + 4, assumed, assumed + 2);
  } while (seen != assumed);
}

__global__ void bytes_kernel(unsigned char* out, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) out[i] = static_cast<unsigned char>(i % 251);
}

__constant__ float polynomial_coefficients[3];

__global__ void polynomial_kernel(const float* x, float* out, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= count) return;
  const float* c = polynomial_coefficients;
  out[i] = c[0] + x[i] * (c[1] + x[i] * c[2]);
}

__global__ void scale_kernel(float* state) { *state *= 2; }
__global__ void add_kernel(float* state, const float* input) { *state += *input; }
__global__ void count_kernel(float* count) { *count += 1; }

__global__ void large_shared_kernel(int words, int* right) {
  auto* const numbers = dynamic_shared<int>();
  for (int i = static_cast<int>(threadIdx.x); i < words; i += static_cast<int>(blockDim.x))
    numbers[i] = 3 * i;
  __syncthreads();
  int found = 0;
  for (int i = static_cast<int>(threadIdx.x); i < words; i += static_cast<int>(blockDim.x)) {
    found += numbers[words - 1 - i] == 3 * (words - 1 - i);
  }
  atomicAdd(right, found);
}

std::string ended_as(cudaStream_t stream) {
  cudaGraph_t graph = nullptr;
  const cudaError_t status = cudaStreamEndCapture(stream, &graph);
  if (graph) R2_CUDA(cudaGraphDestroy(graph));
  static_cast<void>(cudaGetLastError());
  return cudaGetErrorName(status);
}

}  // namespace

std::vector<float> saxpy(float a, const std::vector<float>& x, const std::vector<float>& y) {
  const DeviceArray<float> device_x(x), device_y(y);
  const int count = static_cast<int>(x.size());
  launch(saxpy_kernel, blocks_for(x.size() / 4 + x.size() % 4, 128), 128, 0, nullptr, a, device_x.data(),
         device_y.data(), count);
  return device_y.host();
}

std::vector<float> row_sums(const std::vector<float>& values, int rows, int columns) {
  const DeviceArray<float> device_values(values), sums(static_cast<std::size_t>(rows));
  launch(row_sums_kernel<128>, rows, 128, 0, nullptr, device_values.data(), sums.data(), columns);
  return sums.host();
}

std::vector<float> matmul(const std::vector<float>& a, const std::vector<float>& b, int rows, int inner,
                          int columns, bool dynamic) {
  const DeviceArray<float> device_a(a), device_b(b), out(static_cast<std::size_t>(rows) * columns);
  const dim3 grid(static_cast<unsigned>((columns + kTile - 1) / kTile),
                  static_cast<unsigned>((rows + kTile - 1) / kTile));
  launch(dynamic ? matmul_dynamic_kernel : matmul_static_kernel, grid, dim3(kTile, kTile),
         dynamic ? 2 * kTile * kTile * sizeof(float) : 0, nullptr, device_a.data(), device_b.data(),
         out.data(), rows, inner, columns);
  return out.host();
}

std::vector<int> warp_operations() {
  const DeviceArray<int> out(64 * kWarpOperations);
  launch(warp_operations_kernel, 1, 64, 0, nullptr, out.data());
  return out.host();
}

std::vector<int> group_sums() {
  const DeviceArray<int> out(64);
  launch(group_sums_kernel, 1, 64, 0, nullptr, out.data());
  return out.host();
}

AtomicResults atomics(int threads) {
  const DeviceArray<int> integers(std::vector<int>(5, 0));
  const DeviceArray<unsigned> count(std::vector<unsigned>(1, 0));
  const DeviceArray<float> single(std::vector<float>(1, 0.0f));
  const DeviceArray<double> twice(std::vector<double>(1, 0.0));
  launch(atomics_kernel, blocks_for(static_cast<std::size_t>(threads), 96), 96, 0, nullptr, integers.data(),
         count.data(), single.data(), twice.data(), threads);
  const std::vector<int> i = integers.host();
  return {i[0], i[1], i[2], i[3], count.host()[0], single.host()[0], twice.host()[0], i[4]};
}

std::vector<unsigned char> bytes(int count) {
  const DeviceArray<unsigned char> out(static_cast<std::size_t>(count));
  launch(bytes_kernel, blocks_for(out.size(), 64), 64, 0, nullptr, out.data(), count);
  return out.host();
}

std::vector<float> polynomial(const std::vector<float>& coefficients, const std::vector<float>& x) {
  R2_CUDA(cudaMemcpyToSymbol(polynomial_coefficients, coefficients.data(), 3 * sizeof(float)));
  const DeviceArray<float> device_x(x), out(x.size());
  launch(polynomial_kernel, blocks_for(x.size(), 32), 32, 0, nullptr, device_x.data(), out.data(),
         static_cast<int>(x.size()));
  return out.host();
}

std::vector<float> replayed(const std::vector<float>& inputs) {
  const DeviceArray<float> state(std::vector<float>{1.0f}), input(1), count(std::vector<float>{0.0f});
  float next_input = 0, read_back = 0;
  cudaStream_t main = nullptr, side = nullptr;
  cudaEvent_t forked = nullptr, joined = nullptr;
  R2_CUDA(cudaStreamCreateWithFlags(&main, cudaStreamNonBlocking));
  R2_CUDA(cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking));
  R2_CUDA(cudaEventCreateWithFlags(&forked, cudaEventDisableTiming));
  R2_CUDA(cudaEventCreateWithFlags(&joined, cudaEventDisableTiming));

  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  R2_CUDA(cudaStreamBeginCapture(main, cudaStreamCaptureModeGlobal));
  R2_CUDA(cudaMemcpyAsync(input.data(), &next_input, sizeof(float), cudaMemcpyHostToDevice, main));
  R2_CUDA(cudaEventRecord(forked, main));
  R2_CUDA(cudaStreamWaitEvent(side, forked, 0));
  launch(count_kernel, 1, 1, 0, side, count.data());
  launch(scale_kernel, 1, 1, 0, main, state.data());
  launch(add_kernel, 1, 1, 0, main, state.data(), input.data());
  R2_CUDA(cudaEventRecord(joined, side));
  R2_CUDA(cudaStreamWaitEvent(main, joined, 0));
  R2_CUDA(cudaMemcpyAsync(&read_back, state.data(), sizeof(float), cudaMemcpyDeviceToHost, main));
  R2_CUDA(cudaStreamEndCapture(main, &graph));
  R2_CUDA(cudaGraphInstantiate(&exec, graph, 0));

  std::vector<float> results;
  for (const float value : inputs) {
    next_input = value;
    R2_CUDA(cudaGraphLaunch(exec, main));
    R2_CUDA(cudaStreamSynchronize(main));
    results.push_back(read_back);
  }
  std::size_t nodes = 0;
  R2_CUDA(cudaGraphGetNodes(graph, nullptr, &nodes));
  results.push_back(count.host()[0]);
  results.push_back(static_cast<float>(nodes));
  R2_CUDA(cudaGraphExecDestroy(exec));
  R2_CUDA(cudaGraphDestroy(graph));
  R2_CUDA(cudaEventDestroy(forked));
  R2_CUDA(cudaEventDestroy(joined));
  R2_CUDA(cudaStreamDestroy(main));
  R2_CUDA(cudaStreamDestroy(side));
  return results;
}

std::vector<std::string> spoiled_captures() {
  std::vector<std::string> statuses;
  const DeviceArray<float> state(std::vector<float>{0.0f});
  cudaStream_t main = nullptr, side = nullptr;
  cudaEvent_t event = nullptr;
  R2_CUDA(cudaStreamCreate(&main));
  R2_CUDA(cudaStreamCreate(&side));
  R2_CUDA(cudaEventCreate(&event));
  const auto begin = [&] { R2_CUDA(cudaStreamBeginCapture(main, cudaStreamCaptureModeGlobal)); };

  begin();
  void* memory = nullptr;
  statuses.push_back(cudaGetErrorName(cudaMalloc(&memory, 4)));
  statuses.push_back(ended_as(main));
  begin();
  statuses.push_back(cudaGetErrorName(cudaStreamSynchronize(main)));
  statuses.push_back(ended_as(main));
  begin();
  statuses.push_back(cudaGetErrorName(cudaMemsetAsync(state.data(), 0, 4, nullptr)));
  statuses.push_back(ended_as(main));
  begin();
  launch(scale_kernel, 1, 1, 0, main, state.data());
  R2_CUDA(cudaEventRecord(event, main));
  R2_CUDA(cudaStreamWaitEvent(side, event, 0));
  launch(scale_kernel, 1, 1, 0, side, state.data());
  statuses.push_back(ended_as(main));

  R2_CUDA(cudaEventDestroy(event));
  R2_CUDA(cudaStreamDestroy(main));
  R2_CUDA(cudaStreamDestroy(side));
  return statuses;
}

std::vector<float> gemm(Precision precision, const std::vector<float>& a, const std::vector<float>& b,
                        int batch, int rows, int inner, int columns) {
  const DeviceArray<float> device_a(a), device_b(b), out(static_cast<std::size_t>(batch) * rows * columns);
  cublasHandle_t handle = nullptr;
  R2_CUBLAS(cublasCreate(&handle));
  const float one = 1, zero = 0;
  const cublasComputeType_t compute = precision == Precision::tf32   ? CUBLAS_COMPUTE_32F_FAST_TF32
                                      : precision == Precision::bf16 ? CUBLAS_COMPUTE_32F_FAST_16BF
                                                                     : CUBLAS_COMPUTE_32F_PEDANTIC;
  // Row-major out = a b' is column-major out' = b a'.
  R2_CUBLAS(cublasGemmStridedBatchedEx(
      handle, CUBLAS_OP_T, CUBLAS_OP_N, columns, rows, inner, &one, device_b.data(), CUDA_R_32F, inner,
      static_cast<long long>(columns) * inner, device_a.data(), CUDA_R_32F, inner,
      static_cast<long long>(rows) * inner, &zero, out.data(), CUDA_R_32F, columns,
      static_cast<long long>(rows) * columns, batch, compute, CUBLAS_GEMM_DEFAULT));
  R2_CUBLAS(cublasDestroy(handle));
  return out.host();
}

std::string status_of(const ProductShape& shape) {
  const DeviceArray<float> ones(std::vector<float>(200, 1.0f)), out(200);
  const float one = 1, zero = 0;
  const cublasOperation_t op = shape.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  cublasHandle_t handle = nullptr;
  R2_CUBLAS(cublasCreate(&handle));
  const cublasStatus_t status = cublasSgemmStridedBatched(
      handle, op, op, shape.m, shape.n, shape.k, &one, ones.data() + shape.offset, shape.lda, 0, ones.data(),
      shape.ldb, 0, &zero, out.data(), shape.ldc, 0, 1);
  R2_CUBLAS(cublasDestroy(handle));
  return cublasGetStatusString(status);
}

void capture_product(bool warm) {
  const DeviceArray<float> ones(std::vector<float>(64, 1.0f)), out(64);
  const float one = 1, zero = 0;
  cublasHandle_t handle = nullptr;
  cudaStream_t stream = nullptr;
  R2_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  R2_CUBLAS(cublasCreate(&handle));
  R2_CUBLAS(cublasSetStream(handle, stream));
  const auto multiply = [&](cublasComputeType_t compute) {
    R2_CUBLAS(cublasGemmStridedBatchedEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, 8, 8, 8, &one, ones.data(),
                                         CUDA_R_32F, 8, 0, ones.data(), CUDA_R_32F, 8, 0, &zero, out.data(),
                                         CUDA_R_32F, 8, 0, 1, compute, CUBLAS_GEMM_DEFAULT));
  };
  if (warm) multiply(CUBLAS_COMPUTE_32F_FAST_TF32);
  R2_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  multiply(CUBLAS_COMPUTE_32F_FAST_TF32);
  multiply(CUBLAS_COMPUTE_32F_FAST_TF32);
  ended_as(stream);
  R2_CUBLAS(cublasDestroy(handle));
  R2_CUDA(cudaStreamDestroy(stream));
}

void allocate(std::size_t bytes) { const DeviceArray<char> memory(bytes); }

void launch_too_large() {
  const DeviceArray<float> state(1);
  launch(scale_kernel, 1, 2048, 0, nullptr, state.data());
}

int large_shared_memory() {
  const int words = 25 * 1024;
  const DeviceArray<int> right(std::vector<int>{0});
  launch(large_shared_kernel, 1, 256, words * sizeof(int), nullptr, words, right.data());
  return right.host()[0];
}

}  // namespace r2pac::cuda::test
