// Time on a device's own clock.
#pragma once

#include <algorithm>

#include "cuda/cuda.cuh"

namespace r2pac::cuda {

/// An event that can tell the time.
class TimedEvent {
 public:
  TimedEvent() { R2_CUDA(cudaEventCreate(&event_)); }
  ~TimedEvent() { cudaEventDestroy(event_); }
  TimedEvent(const TimedEvent&) = delete;
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

/// Seconds between the events before and after what `enqueue` gives to the stream, which is waited for; never
/// 0.
template <class Enqueue>
double seconds_on(cudaStream_t stream, Enqueue enqueue) {
  const TimedEvent begin, end;
  R2_CUDA(cudaEventRecord(begin.get(), stream));
  enqueue();
  R2_CUDA(cudaEventRecord(end.get(), stream));
  R2_CUDA(cudaEventSynchronize(end.get()));
  float milliseconds = 0;
  R2_CUDA(cudaEventElapsedTime(&milliseconds, begin.get(), end.get()));
  return std::max(static_cast<double>(milliseconds), 1e-6) / 1e3;
}

}  // namespace r2pac::cuda
