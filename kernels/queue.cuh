// A recording's calls on their way to the streams of a CUDA device. Two kinds of work are held back so that
// much of it fits into one launch: row operations until something else comes, and sums over rows until
// somebody may need them.
#pragma once

#include <functional>
#include <vector>

#include "kernels/precision.h"
#include "kernels/reduce.cuh"
#include "kernels/rows.cuh"
#include "kernels/streams.cuh"

namespace r2pac::cuda {

class Queue {
 public:
  explicit Queue(Precision precision);

  /// Of matrix products.
  Precision precision() const { return precision_; }
  /// The stream that everything else joins.
  cudaStream_t stream() const { return streams_.first().get(); }
  /// Stream::make_current.
  void make_current() const { streams_.first().make_current(); }

  /// Captures what `calls` launches. Throws what `calls` throws, or Error(device). What `calls` refers to
  /// outlives the graph: an eager one (streams.cuh) runs it at every replay.
  Graph capture(const std::function<void()>& calls);

  /// What is launched until the next begin_call is a part of this work.
  void begin_call(const Work& call);

  void add(const RowOperation<float>& operation, int rows);
  void add(const ColumnSum& sum);
  /// Runs `work` on the stream that suits the call; `launches` of what it launches.
  void launch(int launches, const std::function<void(const Stream&)>& work);

 private:
  bool suits_rows(const Work& work) const;
  void flush_rows();
  struct HeldSum {
    ColumnSum sum;
    Work work;
  };
  void flush_sums();
  void flush_sums(const std::function<bool(const HeldSum&)>& needed);

  Precision precision_;
  Streams streams_;
  // Of the capture under way.
  Work call_, row_work_;
  std::vector<RowOperation<float>> row_operations_;
  int rows_ = 0;
  std::vector<HeldSum> sums_;
};

}  // namespace r2pac::cuda
