// Each kernel is right but for the one fault that names it.
#include <functional>
#include <map>

#include "cuda/blas.cuh"
#include "cuda/device_array.cuh"
#include "test/fault_kernels.h"

namespace r2pac::cuda::test {
namespace {

constexpr unsigned kAllLanes = 0xffffffffu;
constexpr unsigned kThreads = 64;

/// A pointer that the launch does not see.
struct Hidden {
  float* data;
};

__global__ void missing_barrier(float* out) {
  __shared__ float values[kThreads];
  values[threadIdx.x] = 0.0f;
  __syncthreads();
  values[threadIdx.x] = 1.0f;
  out[threadIdx.x] = values[(threadIdx.x + 32) % kThreads];
}

__global__ void missing_barrier_dynamic(float* out) {
  auto* const values = dynamic_shared<float>();
  values[threadIdx.x] = 0.0f;
  __syncthreads();
  values[threadIdx.x] = 1.0f;
  out[threadIdx.x] = values[(threadIdx.x + 32) % kThreads];
}

__global__ void missing_second_barrier(float* out, int rounds) {
  __shared__ float values[kThreads];
  float sum = 0;
  for (int round = 0; round < rounds; ++round) {
    values[threadIdx.x] = static_cast<float>(round);
    __syncthreads();
    sum += values[(threadIdx.x + 32) % kThreads];
  }
  out[threadIdx.x] = sum;
}

__global__ void missing_syncwarp(float* out) {
  __shared__ float values[kThreads];
  values[threadIdx.x] = 0.0f;
  __syncthreads();
  values[threadIdx.x] = 1.0f;
  out[threadIdx.x] = values[threadIdx.x ^ 1];
}

__global__ void shuffle_as_barrier(float* out) {
  __shared__ float values[kThreads];
  values[threadIdx.x] = 0.0f;
  __syncthreads();
  values[threadIdx.x] = 1.0f;
  const float other = __shfl_xor_sync(kAllLanes, 1.0f, 1);
  out[threadIdx.x] = other + values[threadIdx.x ^ 1];
}

__global__ void race_on_global(float* out) {
  out[threadIdx.x] = 1.0f;
  out[kThreads + threadIdx.x] = out[(threadIdx.x + 32) % kThreads];
}

__global__ void cross_block_write(float* out) {
  if (threadIdx.x == 0) out[0] = static_cast<float>(blockIdx.x);
}

__global__ void cross_block_read(float* out) {
  if (blockIdx.x == 0) out[threadIdx.x] = 1.0f;
  if (blockIdx.x == 1) out[kThreads + threadIdx.x] = out[threadIdx.x];
}

__global__ void write_beside_atomic(int* count) {
  if (threadIdx.x == 0) {
    *count = 1;
  } else {
    atomicAdd(count, 1);
  }
}

__global__ void global_overrun(float* out, int count) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i <= count) out[i] = 1.0f;
}

__global__ void global_far_overrun(float* out) { out[threadIdx.x + 256] = 1.0f; }

__global__ void global_underrun(const float* in, float* out) {
  const int i = static_cast<int>(threadIdx.x);
  out[i] = in[i - 1];
}

__global__ void static_shared_overrun(float* out, unsigned words) {
  __shared__ float values[kThreads];
  __shared__ float others[kThreads];
  others[threadIdx.x] = 2.0f;
  values[threadIdx.x] = 1.0f;
  __syncthreads();
  if (threadIdx.x == 0) values[words] = 1.0f;
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x] + others[threadIdx.x];
}

__global__ void static_shared_overrun_by_pointer(float* out, unsigned words) {
  __shared__ float values[kThreads];
  __shared__ float others[kThreads];
  others[threadIdx.x] = 2.0f;
  float* const first = values;
  first[threadIdx.x] = 1.0f;
  __syncthreads();
  if (threadIdx.x == 0) first[words] = 1.0f;
  __syncthreads();
  out[threadIdx.x] = first[threadIdx.x] + others[threadIdx.x];
}

[[gnu::noinline]] __device__ void write_one(float* where) { *where = 1.0f; }

template <int kWords>
__global__ void static_shared_overrun_template(float* out, unsigned words) {
  __shared__ float values[kWords];
  values[threadIdx.x] = 1.0f;
  __syncthreads();
  if (threadIdx.x == 0) write_one(values + words);
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x];
}

__global__ void dynamic_shared_overrun(float* out) {
  auto* const values = dynamic_shared<float>();
  values[threadIdx.x + 1] = 1.0f;
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x + 1];
}

__global__ void read_hidden(Hidden hidden, float* out) { out[threadIdx.x] = hidden.data[threadIdx.x]; }
__global__ void read_argument(const float* in, float* out) { out[threadIdx.x] = in[threadIdx.x]; }

__global__ void uninitialised_shared(float* out) {
  __shared__ float values[kThreads];
  if (threadIdx.x % 2 == 0) values[threadIdx.x] = 1.0f;
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x];
}

__global__ void uninitialised_shared_dynamic(float* out) {
  auto* const values = dynamic_shared<float>();
  if (threadIdx.x % 2 == 0) values[threadIdx.x] = 1.0f;
  __syncthreads();
  out[threadIdx.x] = values[threadIdx.x];
}

/// The shared memory of the block before must not count as written.
__global__ void uninitialised_shared_in_second_block(float* out) {
  __shared__ float value;
  if (blockIdx.x == 0 && threadIdx.x == 0) value = 1.0f;
  __syncthreads();
  if (threadIdx.x == 0) out[blockIdx.x] = value;
}

__global__ void misaligned_load(const float* in, float* out) {
  const auto value = load_vector<float4>(in + 1 + 4 * threadIdx.x);
  out[threadIdx.x] = value.x + value.y + value.z + value.w;
}

__global__ void misaligned_store(float* out) {
  store_vector(out + 1 + 2 * threadIdx.x, make_float2(1.0f, 2.0f));
}

__global__ void misaligned_cast(const float* in, float* out) {
  const float4 value = *reinterpret_cast<const float4*>(in + 1 + 4 * threadIdx.x);
  out[threadIdx.x] = value.x + value.y + value.z + value.w;
}

__global__ void divergent_barrier(float* out) {
  if (threadIdx.x < 32) {
    __syncthreads();
    out[threadIdx.x] = 1.0f;
  } else {
    __syncthreads();
    out[threadIdx.x] = 2.0f;
  }
}

__global__ void conditional_barrier(float* out) {
  if (threadIdx.x != 5) __syncthreads();
  out[threadIdx.x] = 1.0f;
}

__global__ void exit_before_barrier(float* out) {
  if (threadIdx.x >= 60) return;
  __syncthreads();
  out[threadIdx.x] = 1.0f;
}

__global__ void barrier_against_shuffle(float* out) {
  float value = 1.0f;
  if (threadIdx.x % 32 == 3) {
    __syncthreads();
  } else {
    value = __shfl_xor_sync(kAllLanes, value, 1);
    __syncthreads();
  }
  out[threadIdx.x] = value;
}

__global__ void shuffle_missing_lanes(float* out) {
  float value = 1.0f;
  if (threadIdx.x % 32 < 20) value = __shfl_down_sync(kAllLanes, value, 1);
  out[threadIdx.x] = value;
}

__global__ void shuffle_outside_own_mask(float* out) {
  out[threadIdx.x] = __shfl_xor_sync(0x0000ffffu, 1.0f, 1);
}

__global__ void shuffle_from_outside_mask(float* out) {
  float value = 1.0f;
  if (threadIdx.x % 32 < 16) value = __shfl_xor_sync(0x0000ffffu, value, 16);
  out[threadIdx.x] = value;
}

__global__ void shuffle_from_absent_lane(
    float* out) {  // in a block of 48 threads, the last warp has 16 lanes
  out[threadIdx.x] = __shfl_sync(kAllLanes, 1.0f, 20);
}

__global__ void lanes_at_different_shuffles(float* out) {
  float value = 1.0f;
  if (threadIdx.x % 2 == 0) {
    value = __shfl_xor_sync(kAllLanes, value, 2);
  } else {
    value = __shfl_xor_sync(kAllLanes, value, 4);
  }
  out[threadIdx.x] = value;
}

/// A launch of 64 threads with room for 256 results, all of them written before.
template <class Kernel, class... Arguments>
void run(Kernel kernel, int blocks, std::size_t shared_bytes, Arguments... arguments) {
  const DeviceArray<float> out(std::vector<float>(256, 0.0f));
  launch(kernel, blocks, kThreads, shared_bytes, nullptr, arguments..., out.data());
}

template <class Kernel>
std::function<void()> simple(Kernel kernel, int blocks = 1, std::size_t shared_bytes = 0) {
  return [=] { run(kernel, blocks, shared_bytes); };
}

float* freed_memory() {
  DeviceArray<float> memory(std::vector<float>(kThreads, 1.0f));
  return memory.data();
}

template <class Kernel>
void run_overrun(Kernel kernel) {
  const DeviceArray<float> out(kThreads);
  launch(kernel, 1, kThreads, 0, nullptr, out.data(), kThreads);
}

void run_global_overrun() {
  const DeviceArray<float> out(100);
  launch(global_overrun, 2, kThreads, 0, nullptr, out.data(), 100);
}

void run_host_pointer() {
  std::vector<float> host(kThreads, 1.0f);
  run(read_argument, 1, 0, host.data());
}

void run_hidden_host_pointer() {
  std::vector<float> host(kThreads, 1.0f);
  run(read_hidden, 1, 0, Hidden{host.data()});
}

void run_uninitialised_global() {
  const DeviceArray<float> in(kThreads);
  run(read_argument, 1, 0, in.data());
}

template <class Kernel>
void run_with_input(Kernel kernel) {
  const DeviceArray<float> in(std::vector<float>(4 * kThreads + 4, 1.0f));
  run(kernel, 1, 0, in.data());
}

void run_write_beside_atomic() {
  const DeviceArray<int> count(std::vector<int>(1, 0));
  launch(write_beside_atomic, 1, kThreads, 0, nullptr, count.data());
}

void run_absent_lane() {
  const DeviceArray<float> out(kThreads);
  launch(shuffle_from_absent_lane, 1, 48, 0, nullptr, out.data());
}

void copy_too_much() {
  const DeviceArray<float> device(16);
  const std::vector<float> host(32, 1.0f);
  R2_CUDA(cudaMemcpy(device.data(), host.data(), host.size() * sizeof(float), cudaMemcpyHostToDevice));
}

void free_twice() {
  float* const memory = freed_memory();
  R2_CUDA(cudaFree(memory));
}

void gemm_out_of_bounds() {
  const DeviceArray<float> a(std::vector<float>(64, 1.0f)), out(64);
  const float one = 1, zero = 0;
  cublasHandle_t handle = nullptr;
  R2_CUBLAS(cublasCreate(&handle));
  R2_CUBLAS(cublasSgemmStridedBatched(handle, CUBLAS_OP_N, CUBLAS_OP_N, 8, 8, 8, &one, a.data(), 8, 64,
                                      a.data(), 8, 0, &zero, out.data(), 8, 64, 2));
}

/// C [rows, 2], twice `stride` apart = A B, in bf16 if `halves`.
void gemm_with(const void* a, int lda, int stride, bool halves = false) {
  const DeviceArray<float> b(std::vector<float>(64, 1.0f)), c(64);
  const cudaDataType type = halves ? CUDA_R_16BF : CUDA_R_32F;
  const float one = 1, zero = 0;
  cublasHandle_t handle = nullptr;
  R2_CUBLAS(cublasCreate(&handle));
  R2_CUBLAS(cublasGemmStridedBatchedEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, 4, 2, 4, &one, a, type, lda, 0,
                                       b.data(), type, 4, 0, &zero, c.data(), CUDA_R_32F, 16, stride, 2,
                                       CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
  R2_CUBLAS(cublasDestroy(handle));
}

void misaligned_gemm(std::size_t bytes, bool halves) {
  const DeviceArray<float> a(std::vector<float>(64, 1.0f));
  gemm_with(reinterpret_cast<const char*>(a.data()) + bytes, 4, 32, halves);
}

void gemm_of_results(int stride) {
  const DeviceArray<float> a(std::vector<float>(64, 1.0f));
  gemm_with(a.data(), 4, stride);
}

void replay_after_free() {
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  R2_CUDA(cudaStreamCreate(&stream));
  {
    const DeviceArray<float> memory(std::vector<float>(kThreads, 1.0f)), out(kThreads);
    R2_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    launch(read_argument, 1, kThreads, 0, stream, memory.data(), out.data());
    R2_CUDA(cudaStreamEndCapture(stream, &graph));
  }
  R2_CUDA(cudaGraphInstantiate(&exec, graph, 0));
  R2_CUDA(cudaGraphLaunch(exec, stream));
  R2_CUDA(cudaStreamSynchronize(stream));
}

__global__ void write_values(float* out) { out[threadIdx.x] = 2.0f; }
__global__ void read_values(const float* in, float* out) { out[threadIdx.x] = in[threadIdx.x]; }
__global__ void count_up(float* count) { atomicAdd(count, 1.0f); }

/// Two streams and a graph of them, and memory for its nodes: `mid` is written by one branch, say, and read
/// by the other.
class Branches {
 public:
  Branches() {
    for (cudaStream_t* stream : {&main_, &side_})
      R2_CUDA(cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking));
    R2_CUDA(cudaEventCreateWithFlags(&forked_, cudaEventDisableTiming));
    R2_CUDA(cudaEventCreateWithFlags(&joined_, cudaEventDisableTiming));
    R2_CUDA(cudaStreamBeginCapture(main_, cudaStreamCaptureModeGlobal));
  }
  ~Branches() {
    for (const cudaEvent_t event : {forked_, joined_}) cudaEventDestroy(event);
    for (const cudaStream_t stream : {main_, side_}) cudaStreamDestroy(stream);
  }
  Branches(const Branches&) = delete;

  float* from() const { return from_.data(); }
  float* mid() const { return mid_.data(); }
  float* to() const { return to_.data(); }
  cudaStream_t main() const { return main_; }
  cudaStream_t side() const { return side_; }

  void fork() {
    R2_CUDA(cudaEventRecord(forked_, main_));
    R2_CUDA(cudaStreamWaitEvent(side_, forked_, 0));
  }
  void join() {
    R2_CUDA(cudaEventRecord(joined_, side_));
    R2_CUDA(cudaStreamWaitEvent(main_, joined_, 0));
  }
  void write(cudaStream_t stream, float* where) { launch(write_values, 1, kThreads, 0, stream, where); }
  void read(cudaStream_t stream, const float* what, float* out) {
    launch(read_values, 1, kThreads, 0, stream, what, out);
  }
  void copy(cudaStream_t stream, float* out, const float* in) {
    R2_CUDA(cudaMemcpyAsync(out, in, kThreads * sizeof(float), cudaMemcpyDeviceToDevice, stream));
  }
  /// An 8 x 8 product of the first 64 values of `a` and of `from`. Every product has the same workspace.
  void multiply(cudaStream_t stream, const float* a, float* out) {
    const float one = 1, zero = 0;
    cublasHandle_t handle = nullptr;
    R2_CUBLAS(cublasCreate(&handle));
    R2_CUBLAS(cublasSetStream(handle, stream));
    if (shared_workspace) R2_CUBLAS(cublasSetWorkspace(handle, workspace_.data(), workspace_.size()));
    R2_CUBLAS(cublasSgemmStridedBatched(handle, CUBLAS_OP_N, CUBLAS_OP_N, 8, 8, 8, &one, a, 8, 64, from(), 8,
                                        64, &zero, out, 8, 64, 1));
    R2_CUBLAS(cublasDestroy(handle));
  }
  bool shared_workspace = false;

  void replay() {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t exec = nullptr;
    R2_CUDA(cudaStreamEndCapture(main_, &graph));
    R2_CUDA(cudaGraphInstantiate(&exec, graph, 0));
    R2_CUDA(cudaGraphLaunch(exec, main_));
    R2_CUDA(cudaStreamSynchronize(main_));
    R2_CUDA(cudaGraphExecDestroy(exec));
    R2_CUDA(cudaGraphDestroy(graph));
  }

 private:
  static DeviceArray<float> ones() { return DeviceArray<float>(std::vector<float>(2 * kThreads, 1.0f)); }
  DeviceArray<float> from_ = ones(), mid_ = ones(), to_ = ones();
  DeviceArray<unsigned char> workspace_{256};
  cudaStream_t main_ = nullptr, side_ = nullptr;
  cudaEvent_t forked_ = nullptr, joined_ = nullptr;
};

/// A graph of two branches that follow one node and are joined.
std::function<void()> forked(const std::function<void(Branches&)>& branches) {
  return [=] {
    Branches graph;
    graph.read(graph.main(), graph.from(), graph.to() + kThreads);
    graph.fork();
    branches(graph);
    graph.join();
    graph.replay();
  };
}

const std::map<std::string, std::function<void()>>& faults() {
  constexpr std::size_t kBytes = kThreads * sizeof(float);
  static const std::map<std::string, std::function<void()>> all = {
      {"missing barrier", simple(missing_barrier)},
      {"missing barrier, dynamic shared memory", simple(missing_barrier_dynamic, 1, kBytes)},
      {"missing second barrier",
       [] {
         const DeviceArray<float> out(kThreads);
         launch(missing_second_barrier, 1, kThreads, 0, nullptr, out.data(), 2);
       }},
      {"missing syncwarp", simple(missing_syncwarp)},
      {"shuffle taken for a barrier", simple(shuffle_as_barrier)},
      {"race on global memory in a block", simple(race_on_global)},
      {"cross-block race, two writes", simple(cross_block_write, 2)},
      {"cross-block race, write and read", simple(cross_block_read, 2)},
      {"write beside an atomic", run_write_beside_atomic},
      {"global memory, past the end", run_global_overrun},
      {"global memory, far past the end", simple(global_far_overrun)},
      {"global memory, before the start", [] { run_with_input(global_underrun); }},
      {"static shared memory, past the end", [] { run_overrun(static_shared_overrun); }},
      {"static shared memory, past the end by a pointer",
       [] { run_overrun(static_shared_overrun_by_pointer); }},
      {"static shared memory of a template", [] { run_overrun(static_shared_overrun_template<64>); }},
      {"dynamic shared memory, past the end", simple(dynamic_shared_overrun, 1, kBytes)},
      {"dynamic shared memory, none asked for", simple(dynamic_shared_overrun)},
      {"use after free", [] { run(read_argument, 1, 0, freed_memory()); }},
      {"use after free, pointer in a struct", [] { run(read_hidden, 1, 0, Hidden{freed_memory()}); }},
      {"use after free, in a graph", replay_after_free},
      {"host pointer", run_host_pointer},
      {"host pointer in a struct", run_hidden_host_pointer},
      {"uninitialised static shared memory", simple(uninitialised_shared)},
      {"uninitialised dynamic shared memory", simple(uninitialised_shared_dynamic, 1, kBytes)},
      {"uninitialised shared memory in a second block", simple(uninitialised_shared_in_second_block, 2)},
      {"uninitialised global memory", run_uninitialised_global},
      {"misaligned vector load", [] { run_with_input(misaligned_load); }},
      {"misaligned vector store", simple(misaligned_store)},
      {"misaligned vector load by a cast", [] { run_with_input(misaligned_cast); }},
      {"divergent barrier", simple(divergent_barrier)},
      {"barrier that one thread skips", simple(conditional_barrier)},
      {"exit before a barrier", simple(exit_before_barrier)},
      {"barrier against shuffle", simple(barrier_against_shuffle)},
      {"shuffle with missing lanes", simple(shuffle_missing_lanes)},
      {"shuffle by a lane outside its mask", simple(shuffle_outside_own_mask)},
      {"shuffle from a lane outside the mask", simple(shuffle_from_outside_mask)},
      {"shuffle from a lane that the block lacks", run_absent_lane},
      {"lanes at different shuffles", simple(lanes_at_different_shuffles)},
      {"copy of too many bytes", copy_too_much},
      {"freed twice", free_twice},
      {"GEMM out of bounds", gemm_out_of_bounds},
      {"GEMM of misaligned floats", [] { misaligned_gemm(2, false); }},
      {"GEMM of misaligned halves", [] { misaligned_gemm(1, true); }},
      {"GEMM whose results overlap", [] { gemm_of_results(17); }},
      {"GEMM whose results overlap in the columns", [] { gemm_of_results(3); }},
      {"branches: write and read", forked([](Branches& graph) {
         graph.write(graph.main(), graph.mid());
         graph.read(graph.side(), graph.mid(), graph.to());
       })},
      {"branches: read and later write", forked([](Branches& graph) {
         graph.read(graph.main(), graph.mid(), graph.to());
         graph.write(graph.side(), graph.mid());
       })},
      {"branches: two writes of one word", forked([](Branches& graph) {
         graph.write(graph.main(), graph.mid());
         graph.write(graph.side(), graph.mid() + kThreads - 1);
       })},
      {"branches: atomic operation and read", forked([](Branches& graph) {
         launch(count_up, 1, kThreads, 0, graph.main(), graph.mid());
         graph.read(graph.side(), graph.mid(), graph.to());
       })},
      {"branches: copy and kernel", forked([](Branches& graph) {
         graph.copy(graph.main(), graph.mid(), graph.from());
         graph.read(graph.side(), graph.mid(), graph.to());
       })},
      {"branches: kernel and copy", forked([](Branches& graph) {
         graph.write(graph.main(), graph.mid());
         graph.copy(graph.side(), graph.to(), graph.mid());
       })},
      {"branches: memset and kernel", forked([](Branches& graph) {
         R2_CUDA(cudaMemsetAsync(graph.mid(), 0, sizeof(float), graph.main()));
         graph.read(graph.side(), graph.mid(), graph.to());
       })},
      {"branches: operand of a product", forked([](Branches& graph) {
         graph.multiply(graph.main(), graph.mid(), graph.to());
         graph.write(graph.side(), graph.mid());
       })},
      {"branches: result of a product", forked([](Branches& graph) {
         graph.multiply(graph.main(), graph.from(), graph.mid());
         graph.read(graph.side(), graph.mid(), graph.to());
       })},
      {"branches: two products, one workspace", forked([](Branches& graph) {
         graph.shared_workspace = true;
         graph.multiply(graph.main(), graph.from(), graph.mid());
         graph.multiply(graph.side(), graph.from(), graph.to());
       })},
      {"fork before what it should follow",
       [] {
         Branches graph;
         graph.read(graph.main(), graph.from(), graph.to() + kThreads);
         graph.fork();
         graph.write(graph.main(), graph.mid());
         graph.write(graph.main(), graph.to() + kThreads);  // of its own stream, so in order
         graph.read(graph.side(), graph.mid(), graph.to());
         graph.join();
         graph.replay();
       }},
      {"join after what should follow it",
       [] {
         Branches graph;
         graph.read(graph.main(), graph.from(), graph.to() + kThreads);
         graph.fork();
         graph.write(graph.side(), graph.mid());
         graph.read(graph.main(), graph.mid(), graph.to());
         graph.join();
         graph.replay();
       }},
  };
  return all;
}

}  // namespace

std::vector<std::string> fault_names() {
  std::vector<std::string> names;
  for (const auto& [name, run_it] : faults()) names.push_back(name);
  return names;
}

void run_fault(const std::string& name) { faults().at(name)(); }

std::vector<float> sound_branches() {
  Branches graph;
  graph.write(graph.main(), graph.mid());
  graph.fork();
  // Both branches read `mid` and `from`, write different halves of `to`, and count in one word of `mid`.
  graph.read(graph.main(), graph.mid(), graph.to());
  graph.multiply(graph.side(), graph.mid(), graph.to() + kThreads);
  launch(count_up, 1, kThreads, 0, graph.main(), graph.mid() + kThreads);
  launch(count_up, 1, kThreads, 0, graph.side(), graph.mid() + kThreads);
  graph.join();
  graph.read(graph.main(), graph.to() + kThreads, graph.mid());
  graph.replay();
  const DeviceArray<float> first_of_each(4);
  const float* const places[] = {graph.mid(), graph.mid() + kThreads, graph.to(), graph.to() + kThreads};
  for (std::size_t i = 0; i < 4; ++i)
    R2_CUDA(cudaMemcpy(first_of_each.data() + i, places[i], sizeof(float), cudaMemcpyDeviceToDevice));
  return first_of_each.host();
}

}  // namespace r2pac::cuda::test
