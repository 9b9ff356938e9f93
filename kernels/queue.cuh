// Work on its way to a CUDA device: what a recording's calls launch, in which order, and what may run side by
// side.
//
// A call names what it reads and writes. Work goes to one of a few streams so that it follows what it depends
// on, and only that; captured, the streams become a graph with branches. Two kinds of work are held back so
// that much of it fits into one launch: row operations until something else comes, and sums over rows until
// somebody may need them.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "cuda/blas.cuh"
#include "cuda/device_array.cuh"
#include "kernels/precision.h"
#include "kernels/reduce.cuh"
#include "kernels/rows.cuh"

namespace r2pac::cuda {

/// A stream and what its matrix products need. Products of one lane share a workspace, for they follow each
/// other.
class Lane {
 public:
  Lane();
  ~Lane();
  Lane(const Lane&) = delete;

  cudaStream_t stream() const { return stream_; }
  cublasHandle_t blas() const { return blas_; }

 private:
  cudaStream_t stream_ = nullptr;
  cublasHandle_t blas_ = nullptr;
  DeviceArray<unsigned char> workspace_;
};

/// One operand of a product: matrices of row length `stride`, `batch_stride` values apart (0: the same one).
struct Matrix {
  const float* data;
  int stride;
  std::size_t batch_stride;
  bool transposed = false;
};

/// A captured graph and the stream on which it is replayed, which outlives it.
class Graph {
 public:
  struct Size {
    int launches = 0;       ///< kernels and products
    int critical_path = 0;  ///< those that must follow each other
  };
  Graph(cudaGraphExec_t executable, cudaStream_t stream, const Size& size)
      : executable_(executable), stream_(stream), size_(size) {}
  Graph(Graph&& other) noexcept
      : executable_(std::exchange(other.executable_, nullptr)), stream_(other.stream_), size_(other.size_) {}
  /// Waits for the stream.
  ~Graph();

  void run() const;
  const Size& size() const { return size_; }

 private:
  cudaGraphExec_t executable_;
  cudaStream_t stream_;
  Size size_;
};

class Queue {
 public:
  explicit Queue(Precision precision);
  ~Queue();
  Queue(const Queue&) = delete;

  Precision precision() const { return precision_; }
  /// The stream that everything else joins.
  cudaStream_t stream() const { return lanes_.front().stream(); }

  /// Captures what `calls` launches. Throws what `calls` throws, or Error(device).
  Graph capture(const std::function<void()>& calls);

  /// What is launched until the next begin_call depends on what wrote `reads`, and on what read or wrote
  /// `writes`; after_all: on everything before, as everything later depends on it.
  void begin_call(const std::vector<const void*>& reads, const std::vector<const void*>& writes,
                  bool after_all);

  void add(const RowOperation<float>& operation, int rows);
  void add(const ColumnSum& sum);
  /// Runs `work` on the lane that suits the call; `launches` of what it launches.
  void launch(int launches, const std::function<void(const Lane&)>& work);

  /// c [rows, cols] = a [rows, depth] b [depth, cols], plus c if `accumulate`, for `batch` matrices; in the
  /// queue's precision, or in fp32.
  void multiply(const Matrix& a, const Matrix& b, int rows, int depth, int cols, float* c,
                std::size_t c_batch_stride, int batch, bool accumulate, bool in_fp32 = false);

 private:
  struct Work {
    std::vector<const void*> reads, writes;
    bool after_all = false;
    void add(const Work& other);
  };
  struct Node {
    int lane;
    cudaEvent_t done;
    int depth;  // launches up to this one on the longest way
  };
  struct Use {
    int writer = -1;
    std::vector<int> readers;
  };
  void submit(const Work& work, int launches, const std::function<void(const Lane&)>& run);
  std::vector<int> dependencies(const Work& work) const;
  int ready(const Work& work) const;  // the depth after which it can begin
  bool suits_rows(const Work& work) const;
  int lane_for(const std::vector<int>& dependencies) const;
  void flush_rows();
  void flush_sums();
  cudaEvent_t next_event();

  Precision precision_;
  std::vector<Lane> lanes_;
  std::vector<cudaEvent_t> events_;
  // Of the capture under way.
  std::vector<Node> nodes_;
  std::vector<int> tails_;  // the last node of each lane, or -1
  std::map<const void*, Use> uses_;
  int barrier_ = -1;
  Graph::Size size_;
  Work call_, row_work_, sum_work_;
  std::vector<RowOperation<float>> row_operations_;
  int rows_ = 0;
  std::vector<ColumnSum> sums_;
};

}  // namespace r2pac::cuda
