// Scheduling of work on a CUDA device: which stream it goes to, what it waits for, and how it becomes a
// graph.
//
// Work names what it reads and writes. It goes to one of a few streams so that it follows what it depends on,
// and only that; captured, the streams become a graph with branches. With R2PAC_CUDA_EAGER=1 in the
// environment nothing is captured: work runs in one stream, is waited for, and is named in the error if it
// fails.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cuda/blas.cuh"
#include "cuda/device_array.cuh"

namespace r2pac::cuda {

/// A stream of the current device and what its matrix products need. Products of one stream share a
/// workspace, for they follow each other.
class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;

  cudaStream_t get() const { return stream_; }
  /// Makes the stream's device the calling thread's, which a thread needs before it allocates or launches:
  /// each begins with device 0.
  void make_current() const;
  cublasHandle_t blas() const { return blas_; }

 private:
  int device_ = 0;
  cudaStream_t stream_ = nullptr;
  cublasHandle_t blas_ = nullptr;
  DeviceArray<unsigned char> workspace_;
};

/// A captured graph, or the calls of an eager one, and the stream on which it is replayed, which outlives it.
class Graph {
 public:
  struct Size {
    int launches = 0;       ///< kernels and products
    int critical_path = 0;  ///< those that must follow each other
  };
  Graph(cudaGraphExec_t executable, const Stream& stream, const Size& size)
      : executable_(executable), stream_(&stream), size_(size) {}
  Graph(std::function<void()> eager, const Stream& stream) : stream_(&stream), eager_(std::move(eager)) {}
  Graph(Graph&& other) noexcept
      : executable_(std::exchange(other.executable_, nullptr)),
        stream_(other.stream_),
        size_(other.size_),
        eager_(std::move(other.eager_)) {}
  /// Waits for the stream.
  ~Graph();

  void run() const;
  /// All 0 of an eager one.
  const Size& size() const { return size_; }

 private:
  cudaGraphExec_t executable_ = nullptr;
  const Stream* stream_;
  Size size_;
  std::function<void()> eager_;
};

/// What a launch depends on. Places are compared by address only.
struct Work {
  std::string name;  ///< for errors
  std::vector<const void*> reads, writes;
  bool after_all = false;  ///< follows everything before it, as everything later follows it

  /// Work whose places are not named.
  static Work after_everything(std::string name) { return {std::move(name), {}, {}, true}; }
  /// Becomes the work of both.
  void add(const Work& other);
  /// Whether the two must keep their order.
  bool conflicts_with(const Work& earlier) const;
};

class Streams {
 public:
  Streams();
  ~Streams();
  Streams(const Streams&) = delete;

  /// The stream that everything else joins.
  const Stream& first() const { return streams_.front(); }
  const std::vector<Stream>& all() const { return streams_; }

  bool eager() const { return eager_; }
  /// Captures what `calls` submits, or keeps `calls` if eager. Throws what `calls` throws, or Error(device).
  Graph capture(const std::function<void()>& calls);

  /// While capturing: runs `run` on the stream that suits the work, after what wrote its reads, and after
  /// what read or wrote its writes. launches: of kernels and products.
  void submit(const Work& work, int launches, const std::function<void(const Stream&)>& run);
  /// The launches after which the work could begin, on the longest way.
  int ready(const Work& work) const;

 private:
  struct Node {
    int stream;
    cudaEvent_t done;
    int depth;  // launches up to this one on the longest way
  };
  struct Use {
    int writer = -1;
    std::vector<int> readers;
  };
  std::vector<int> dependencies(const Work& work) const;
  int stream_for(const std::vector<int>& dependencies) const;
  cudaEvent_t next_event();
  void join();
  void run_eagerly(const Work& work, const std::function<void(const Stream&)>& run);

  bool eager_;
  std::vector<Stream> streams_;
  std::vector<cudaEvent_t> events_;
  // Of the capture under way.
  std::vector<Node> nodes_;
  std::vector<int> tails_;  // the last node of each stream, or -1
  std::map<const void*, Use> uses_;
  int barrier_ = -1;
  Graph::Size size_;
};

}  // namespace r2pac::cuda
