// Streams and events of the stand-in runtime. Work in a capture becomes a node of the graph, after the nodes
// that its stream and the events it waited for have reached. Work outside a capture runs at once, or with a
// seed when somebody waits for it (backlog.h).
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <string>

namespace r2pac::cuda_host {

/// Work for a stream.
struct Work {
  cudaGraphNodeType type;
  const void* kernel;  ///< the function of ours, or null
  std::string what;  ///< for reports: of a kernel the place of its launch, of other work all there is to say
  std::function<void()> run;
};

/// Whether the call that gives work to a stream returns before the work is done.
enum class Host { goes_on, waits };

/// Gives the work to the stream, or records it if the stream is being captured. Returns what the CUDA call in
/// question returns.
cudaError_t submit(cudaStream_t stream, Work work, Host host = Host::goes_on);

/// Finishes all work outside captures.
void finish_streams();

/// An error status if a stream is being captured, so that allocating and waiting are forbidden; it also
/// spoils that capture. cudaSuccess otherwise.
cudaError_t forbidden_in_capture();

/// Devices that the layer pretends to have, and the one that the calling thread has chosen (cudaSetDevice).
inline constexpr int kDevices = 2;
int current_device();

/// Keeps a status for cudaGetLastError and returns it.
cudaError_t record_error(cudaError_t status);

}  // namespace r2pac::cuda_host
