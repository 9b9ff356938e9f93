#include "test/stream_cases.h"

#include <map>

#include "cuda/device_array.cuh"

namespace r2pac::cuda::test {
namespace {

__global__ void set_kernel(float* to, float value) { *to = value; }
__global__ void copy_kernel(float* to, const float* from) { *to = *from; }

/// Two streams, two numbers on the device and one in pinned memory, all of them 1.
class Bench {
 public:
  explicit Bench(bool with_blocking_stream = false) {
    R2_CUDA(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking));
    R2_CUDA(cudaStreamCreateWithFlags(&b, with_blocking_stream ? cudaStreamDefault : cudaStreamNonBlocking));
    R2_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    R2_CUDA(cudaMallocHost(reinterpret_cast<void**>(&pinned), sizeof(float)));
    *pinned = 1;
  }
  ~Bench() {
    cudaDeviceSynchronize();
    cudaFreeHost(pinned);
    cudaEventDestroy(event);
    cudaStreamDestroy(a);
    cudaStreamDestroy(b);
  }
  Bench(const Bench&) = delete;

  float* x() const { return x_.data(); }
  float* y() const { return y_.data(); }
  void set(cudaStream_t stream, float* to, float value) { launch(set_kernel, 1, 1, 0, stream, to, value); }
  void copy(cudaStream_t stream, float* to, const float* from) {
    launch(copy_kernel, 1, 1, 0, stream, to, from);
  }
  void copy_in(cudaStream_t stream, const float* from) {
    R2_CUDA(cudaMemcpyAsync(x(), from, sizeof(float), cudaMemcpyHostToDevice, stream));
  }
  /// B follows what A has been given so far.
  void b_after_a() {
    R2_CUDA(cudaEventRecord(event, a));
    R2_CUDA(cudaStreamWaitEvent(b, event, 0));
  }
  /// y = x in B, and what y is then.
  float x_seen_by_b() {
    copy(b, y(), x());
    R2_CUDA(cudaStreamSynchronize(b));
    return y_.host()[0];
  }

  cudaStream_t a = nullptr, b = nullptr;
  cudaEvent_t event = nullptr;
  float* pinned = nullptr;

 private:
  DeviceArray<float> x_{std::vector<float>{1}}, y_{std::vector<float>{1}};
};

float copied_to_pinned_memory(bool synchronised) {
  Bench bench;
  bench.set(bench.a, bench.x(), 2);
  R2_CUDA(cudaMemcpyAsync(bench.pinned, bench.x(), sizeof(float), cudaMemcpyDeviceToHost, bench.a));
  if (synchronised) R2_CUDA(cudaStreamSynchronize(bench.a));
  return *bench.pinned;
}

float waited_for_by_event(bool synchronised) {
  Bench bench;
  R2_CUDA(cudaEventRecord(bench.event, bench.a));
  bench.set(bench.a, bench.x(), 2);
  R2_CUDA(cudaMemcpyAsync(bench.pinned, bench.x(), sizeof(float), cudaMemcpyDeviceToHost, bench.a));
  if (synchronised) R2_CUDA(cudaEventRecord(bench.event, bench.a));
  R2_CUDA(cudaEventSynchronize(bench.event));
  return *bench.pinned;
}

float pinned_source_used_again(bool synchronised) {
  Bench bench;
  *bench.pinned = 2;
  bench.copy_in(bench.a, bench.pinned);
  if (synchronised) R2_CUDA(cudaStreamSynchronize(bench.a));
  *bench.pinned = 3;
  R2_CUDA(cudaStreamSynchronize(bench.a));
  return bench.x_seen_by_b();
}

float pageable_source_used_again(bool synchronised) {
  Bench bench;
  float source = 2;
  bench.copy_in(bench.a, &source);
  if (synchronised) R2_CUDA(cudaStreamSynchronize(bench.a));
  source = 3;
  R2_CUDA(cudaStreamSynchronize(bench.a));
  return bench.x_seen_by_b();
}

float other_stream_reads(bool synchronised) {
  Bench bench;
  bench.set(bench.a, bench.x(), 2);
  if (synchronised) bench.b_after_a();
  return bench.x_seen_by_b();
}

float other_stream_writes_later(bool synchronised) {
  Bench bench;
  bench.set(bench.a, bench.x(), 2);
  bench.copy(bench.a, bench.y(), bench.x());
  if (synchronised) bench.b_after_a();
  bench.set(bench.b, bench.x(), 3);
  R2_CUDA(cudaStreamSynchronize(bench.b));
  R2_CUDA(cudaStreamSynchronize(bench.a));
  R2_CUDA(cudaMemcpy(bench.pinned, bench.y(), sizeof(float), cudaMemcpyDeviceToHost));
  return *bench.pinned;
}

float null_stream_wrote(bool synchronised) {
  Bench bench(synchronised);
  bench.set(nullptr, bench.x(), 2);
  return bench.x_seen_by_b();
}

float null_stream_reads(bool synchronised) {
  Bench bench(synchronised);
  bench.set(bench.b, bench.x(), 2);
  R2_CUDA(cudaMemcpy(bench.pinned, bench.x(), sizeof(float), cudaMemcpyDeviceToHost));
  return *bench.pinned;
}

float copied_by_the_null_stream(bool synchronised) {
  Bench bench;
  const float two = 2;
  R2_CUDA(cudaMemcpy(bench.x(), &two, sizeof two, cudaMemcpyHostToDevice));
  if (synchronised) R2_CUDA(cudaDeviceSynchronize());
  return bench.x_seen_by_b();
}

float graph_in_another_stream(bool synchronised) {
  Bench bench;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  R2_CUDA(cudaStreamBeginCapture(bench.a, cudaStreamCaptureModeGlobal));
  bench.set(bench.a, bench.x(), 2);
  R2_CUDA(cudaStreamEndCapture(bench.a, &graph));
  R2_CUDA(cudaGraphInstantiate(&exec, graph, 0));
  R2_CUDA(cudaGraphLaunch(exec, bench.a));
  R2_CUDA(cudaGraphExecDestroy(exec));  // as CUDA allows, though it may not have run
  R2_CUDA(cudaGraphDestroy(graph));
  if (synchronised) bench.b_after_a();
  return bench.x_seen_by_b();
}

const std::map<std::string, float (*)(bool)>& cases() {
  static const std::map<std::string, float (*)(bool)> all = {
      {"a copy to pinned memory is used", copied_to_pinned_memory},
      {"an event is waited for that was recorded too early", waited_for_by_event},
      {"the pinned source of a copy is used again", pinned_source_used_again},
      {"the pageable source of a copy is used again", pageable_source_used_again},
      {"a stream reads what another has written", other_stream_reads},
      {"a stream writes what another has read", other_stream_writes_later},
      {"a stream reads what the null stream has written", null_stream_wrote},
      {"the null stream reads what another has written", null_stream_reads},
      {"a stream reads what cudaMemcpy has written", copied_by_the_null_stream},
      {"a stream reads what another's graph has written", graph_in_another_stream},
  };
  return all;
}

}  // namespace

std::vector<std::string> stream_case_names() {
  std::vector<std::string> names;
  for (const auto& [name, run] : cases()) names.push_back(name);
  return names;
}

float run_stream_case(const std::string& name, bool synchronised) { return cases().at(name)(synchronised); }

}  // namespace r2pac::cuda::test
