#include "cuda_host/stream.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "cuda_host/block.h"
#include "cuda_host/fault.h"

struct CUgraphNode_st {
  cudaGraphNodeType type;
  const void* kernel;
  std::function<void()> work;
  std::vector<std::size_t> after;  // positions in the graph, all smaller than its own
};

struct CUgraph_st {
  std::vector<std::shared_ptr<CUgraphNode_st>> nodes;
};

struct CUgraphExec_st {
  CUgraph_st graph;
};

namespace {

using Nodes = std::vector<std::size_t>;

struct Capture {
  std::uint64_t number;  // counts captures from 1
  explicit Capture(std::uint64_t which) : number(which) {}

  std::unique_ptr<CUgraph_st> graph = std::make_unique<CUgraph_st>();
  std::vector<cudaStream_t> streams;  // the first is the one that began it
  bool spoiled = false;
};

}  // namespace

struct CUstream_st {
  int device = 0;
  Capture* capture = nullptr;
  Nodes reached;  // the nodes that its next one follows
};

struct CUevent_st {
  int device = 0;
  std::uint64_t capture = 0;  // the number of the capture that it was recorded in; 0 for none
  Nodes reached;
  bool recorded = false;
  std::chrono::steady_clock::time_point time;
};

namespace r2pac::cuda_host {
namespace {

std::recursive_mutex stream_mutex;
std::unique_ptr<Capture> active;  // at most one capture at a time
std::uint64_t captures = 0;
CUstream_st default_stream;
thread_local cudaError_t last_error = cudaSuccess;
thread_local int chosen_device = 0;

/// Kernels and graphs are refused by a stream of another device than the thread's. The null stream is of
/// each.
bool of_another_device(const CUstream_st& stream) {
  return &stream != &default_stream && stream.device != chosen_device;
}

/// The null stream and its two names are one.
CUstream_st& stream_of(cudaStream_t stream) {
  const auto value = reinterpret_cast<std::uintptr_t>(stream);
  return value <= 2 ? default_stream : *stream;
}

void join(Nodes& reached, const Nodes& others) {
  for (const std::size_t node : others) {
    bool known = false;
    for (const std::size_t own : reached) known = known || own == node;
    if (!known) reached.push_back(node);
  }
}

/// Whether every node of the graph comes before one of `last`, or is one of them.
bool all_lead_to(const CUgraph_st& graph, const Nodes& last) {
  std::vector<bool> before(graph.nodes.size(), false);
  for (const std::size_t node : last) before[node] = true;
  for (std::size_t node = graph.nodes.size(); node-- > 0;) {
    if (!before[node]) return false;
    for (const std::size_t earlier : graph.nodes[node]->after) before[earlier] = true;
  }
  return true;
}

/// Runs the nodes in an order that the dependencies allow: the recorded one, or with a seed any.
void run(const CUgraph_st& graph) {
  const std::size_t count = graph.nodes.size();
  std::vector<std::size_t> waits_for(count);
  std::vector<Nodes> before(count);
  Nodes free;
  for (std::size_t node = 0; node < count; ++node) {
    waits_for[node] = graph.nodes[node]->after.size();
    if (waits_for[node] == 0) free.push_back(node);
    for (const std::size_t earlier : graph.nodes[node]->after) before[earlier].push_back(node);
  }
  for (std::size_t done = 0; done < count; ++done) {
    std::size_t at = shuffled_below(static_cast<std::uint32_t>(free.size()));
    if (seed() == 0) {
      for (std::size_t i = 1; i < free.size(); ++i) at = free[i] < free[at] ? i : at;
    }
    const std::size_t node = free[at];
    free.erase(free.begin() + static_cast<std::ptrdiff_t>(at));
    graph.nodes[node]->work();
    for (const std::size_t next : before[node]) {
      if (--waits_for[next] == 0) free.push_back(next);
    }
  }
}

cudaError_t spoil(cudaError_t status) {
  active->spoiled = true;
  return record_error(status);
}

}  // namespace

cudaError_t record_error(cudaError_t status) {
  if (status != cudaSuccess) last_error = status;
  return status;
}

int current_device() { return chosen_device; }

cudaError_t forbidden_in_capture() {
  const std::lock_guard lock(stream_mutex);
  return active ? spoil(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

cudaError_t submit(cudaStream_t handle, cudaGraphNodeType type, const void* kernel,
                   std::function<void()> work) {
  const std::lock_guard lock(stream_mutex);
  CUstream_st& stream = stream_of(handle);
  if (active && &stream == &default_stream) return spoil(cudaErrorStreamCaptureImplicit);
  if (type == cudaGraphNodeTypeKernel && of_another_device(stream))
    return record_error(cudaErrorInvalidResourceHandle);
  if (!stream.capture) {
    work();
    return cudaSuccess;
  }
  auto& nodes = active->graph->nodes;
  nodes.push_back(
      std::make_shared<CUgraphNode_st>(CUgraphNode_st{type, kernel, std::move(work), stream.reached}));
  stream.reached = {nodes.size() - 1};
  return cudaSuccess;
}

}  // namespace r2pac::cuda_host

using namespace r2pac::cuda_host;

extern "C" {

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = kDevices;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = chosen_device;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= kDevices) return record_error(cudaErrorInvalidDevice);
  chosen_device = device;
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new CUstream_st;
  (*stream)->device = current_device();
  return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, 0); }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  return cudaStreamCreateWithFlags(stream, flags);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (stream && stream->capture) return record_error(cudaErrorStreamCaptureUnsupported);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) { return forbidden_in_capture(); }
cudaError_t cudaStreamQuery(cudaStream_t) { return forbidden_in_capture(); }
cudaError_t cudaDeviceSynchronize() { return forbidden_in_capture(); }

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned) {
  const std::lock_guard lock(stream_mutex);
  CUstream_st& stream = stream_of(handle);
  if (event->capture != (active ? active->number : 0)) {
    // Recorded before this capture, or in one that has ended: nothing in the graph could wait for it.
    return stream.capture ? spoil(cudaErrorStreamCaptureIsolation) : cudaSuccess;
  }
  if (!active) return cudaSuccess;
  if (&stream == &default_stream) return spoil(cudaErrorStreamCaptureImplicit);
  if (!stream.capture) {
    stream.capture = active.get();
    stream.reached.clear();
    active->streams.push_back(&stream);
  }
  join(stream.reached, event->reached);
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new CUevent_st;
  (*event)->device = current_device();
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
  const std::lock_guard lock(stream_mutex);
  CUstream_st& stream = stream_of(handle);
  if (active && &stream == &default_stream) return spoil(cudaErrorStreamCaptureImplicit);
  if (&stream != &default_stream && event->device != stream.device)
    return record_error(cudaErrorInvalidResourceHandle);
  event->capture = stream.capture ? stream.capture->number : 0;
  event->reached = stream.reached;
  event->recorded = true;
  event->time = std::chrono::steady_clock::now();
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t) { return forbidden_in_capture(); }
cudaError_t cudaEventQuery(cudaEvent_t) { return forbidden_in_capture(); }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  if (!start->recorded || !end->recorded) return record_error(cudaErrorInvalidResourceHandle);
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode) {
  const std::lock_guard lock(stream_mutex);
  CUstream_st& stream = stream_of(handle);
  if (&stream == &default_stream) return record_error(cudaErrorStreamCaptureUnsupported);
  if (active) return record_error(cudaErrorIllegalState);
  active = std::make_unique<Capture>(++captures);
  active->streams.push_back(&stream);
  stream.capture = active.get();
  stream.reached.clear();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  const std::lock_guard lock(stream_mutex);
  *graph = nullptr;
  CUstream_st& stream = stream_of(handle);
  if (!stream.capture) return record_error(cudaErrorIllegalState);
  if (active->streams.front() != &stream) return spoil(cudaErrorStreamCaptureUnmatched);
  const std::unique_ptr<Capture> ended = std::move(active);
  for (const cudaStream_t member : ended->streams) member->capture = nullptr;
  if (ended->spoiled) return record_error(cudaErrorStreamCaptureInvalidated);
  if (!all_lead_to(*ended->graph, stream.reached)) return record_error(cudaErrorStreamCaptureUnjoined);
  *graph = ended->graph.release();
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  const std::lock_guard lock(stream_mutex);
  const CUstream_st& stream = stream_of(handle);
  *status = !stream.capture   ? cudaStreamCaptureStatusNone
            : active->spoiled ? cudaStreamCaptureStatusInvalidated
                              : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  if (!graph) return record_error(cudaErrorInvalidValue);
  *exec = new CUgraphExec_st{*graph};
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  if (stream_of(stream).capture) return record_error(cudaErrorStreamCaptureUnsupported);
  if (of_another_device(stream_of(stream))) return record_error(cudaErrorInvalidResourceHandle);
  if (const cudaError_t status = forbidden_in_capture()) return status;
  const std::lock_guard lock(stream_mutex);
  run(exec->graph);
  return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, std::size_t* count) {
  const std::size_t there = graph->nodes.size();
  if (!nodes) {
    *count = there;
    return cudaSuccess;
  }
  for (std::size_t i = 0; i < *count; ++i) nodes[i] = i < there ? graph->nodes[i].get() : nullptr;
  if (*count > there) *count = there;
  return cudaSuccess;
}
cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
  *type = node->type;
  return cudaSuccess;
}
cudaError_t cudaGraphKernelNodeGetParams(cudaGraphNode_t node, cudaKernelNodeParams* parameters) {
  if (node->type != cudaGraphNodeTypeKernel) return record_error(cudaErrorInvalidValue);
  *parameters = {};
  parameters->func = const_cast<void*>(node->kernel);
  return cudaSuccess;
}

}  // extern "C"
