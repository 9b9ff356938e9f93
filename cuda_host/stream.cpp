#include "cuda_host/stream.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "cuda_host/backlog.h"
#include "cuda_host/block.h"
#include "cuda_host/graph.h"

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
  bool blocking = true;  // its work follows the null stream's, and the null stream's follows it
  Capture* capture = nullptr;
  Nodes reached;                               // the nodes that its next one follows
  r2pac::cuda_host::Backlog::Number last = 0;  // of its work outside captures
};

struct CUevent_st {
  int device = 0;
  std::uint64_t capture = 0;  // the number of the capture that it was recorded in; 0 for none
  Nodes reached;
  r2pac::cuda_host::Backlog::Number after = 0;  // outside a capture, the work that it stands for
  std::shared_ptr<std::chrono::steady_clock::time_point> time;
};

namespace r2pac::cuda_host {
namespace {

std::recursive_mutex stream_mutex;
std::unique_ptr<Capture> active;  // at most one capture at a time
std::uint64_t captures = 0;
CUstream_st default_stream;
// Never destroyed: static objects may still free device memory.
Backlog& backlog = *new Backlog;
auto& blocking_work = *new std::vector<Backlog::Number>;  // of other streams, since the null stream's last
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

/// Gives work outside a capture to a stream, to begin after another piece, too. Without a seed it runs now.
Backlog::Number give(CUstream_st& stream, std::function<void()> work, Backlog::Number also_after = 0) {
  if (seed() == 0) {
    backlog.finish_all();
    work();
    return 0;
  }
  std::vector<Backlog::Number> after = {stream.last, also_after};
  const bool null_stream = &stream == &default_stream;
  if (null_stream) {
    after.insert(after.end(), blocking_work.begin(), blocking_work.end());
    blocking_work.clear();
  } else if (stream.blocking) {
    after.push_back(default_stream.last);
  }
  stream.last = backlog.add(
      [work = std::move(work), device = chosen_device] {
        const int waiting = std::exchange(chosen_device, device);  // of the thread that waits
        work();
        chosen_device = waiting;
      },
      std::move(after));
  if (!null_stream && stream.blocking) blocking_work.push_back(stream.last);
  return stream.last;
}

void nothing() {}

/// An error status in a capture; else finishes all work up to this piece.
cudaError_t wait_for(const std::function<Backlog::Number()>& piece) {
  if (const cudaError_t status = forbidden_in_capture()) return status;
  const std::lock_guard lock(stream_mutex);
  backlog.finish(piece());
  return cudaSuccess;
}
cudaError_t wait_for(cudaEvent_t event) {
  return wait_for([event] { return event->after; });
}
cudaError_t wait_for(cudaStream_t handle) {
  return wait_for([handle] { return give(stream_of(handle), nothing); });
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

void finish_streams() {
  const std::lock_guard lock(stream_mutex);
  backlog.finish_all();
}

cudaError_t submit(cudaStream_t handle, Work work, Host host) {
  const std::lock_guard lock(stream_mutex);
  CUstream_st& stream = stream_of(handle);
  if (active && &stream == &default_stream) return spoil(cudaErrorStreamCaptureImplicit);
  if (work.type == cudaGraphNodeTypeKernel && of_another_device(stream))
    return record_error(cudaErrorInvalidResourceHandle);
  if (!stream.capture) {
    const Backlog::Number number = give(stream, std::move(work.run));
    if (host == Host::waits) backlog.finish(number);
    return cudaSuccess;
  }
  auto& nodes = active->graph->nodes;
  nodes.push_back(std::make_shared<CUgraphNode_st>(CUgraphNode_st{std::move(work), stream.reached}));
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

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  *stream = new CUstream_st;
  (*stream)->device = current_device();
  (*stream)->blocking = (flags & cudaStreamNonBlocking) == 0;
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
cudaError_t cudaStreamSynchronize(cudaStream_t stream) { return wait_for(stream); }
cudaError_t cudaStreamQuery(cudaStream_t stream) { return wait_for(stream); }
cudaError_t cudaDeviceSynchronize() {
  if (const cudaError_t status = forbidden_in_capture()) return status;
  finish_streams();
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned) {
  const std::lock_guard lock(stream_mutex);
  CUstream_st& stream = stream_of(handle);
  if (!active || event->capture != active->number) {
    // Recorded before this capture, or in one that has ended: nothing in the graph could wait for it.
    if (stream.capture) return spoil(cudaErrorStreamCaptureIsolation);
    if (event->capture == 0) give(stream, nothing, event->after);
    return cudaSuccess;
  }
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
  if (stream.capture) return cudaSuccess;
  event->time = std::make_shared<std::chrono::steady_clock::time_point>();
  event->after = give(stream, [time = event->time] { *time = std::chrono::steady_clock::now(); });
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) { return wait_for(event); }
cudaError_t cudaEventQuery(cudaEvent_t event) { return wait_for(event); }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  const std::lock_guard lock(stream_mutex);
  if (!start->time || !end->time) return record_error(cudaErrorInvalidResourceHandle);
  if (backlog.waits(start->after) || backlog.waits(end->after)) return cudaErrorNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(*end->time - *start->time).count();
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

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  if (stream_of(stream).capture) return record_error(cudaErrorStreamCaptureUnsupported);
  if (of_another_device(stream_of(stream))) return record_error(cudaErrorInvalidResourceHandle);
  if (const cudaError_t status = forbidden_in_capture()) return status;
  const std::lock_guard lock(stream_mutex);
  give(stream_of(stream), [graph = exec->graph] { replay(*graph); });
  return cudaSuccess;
}
}  // extern "C"
