// Device memory that frees itself, for host code in .cu files.
#pragma once

#include <utility>
#include <vector>

#include "cuda/cuda.cuh"

namespace r2pac::cuda {

/// `size` elements of the current device's memory, not initialised.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t size) : size_(size) {
    R2_CUDA(cudaMalloc(reinterpret_cast<void**>(&data_), size * sizeof(T)));
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    R2_CUDA(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
    R2_CUDA(cudaDeviceSynchronize());  // streams that do not wait for the null stream may read it next
  }
  DeviceArray(DeviceArray&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~DeviceArray() { cudaFree(data_); }

  T* data() const { return data_; }
  std::size_t size() const { return size_; }

  /// Waits for the device and copies all elements to the host.
  std::vector<T> host() const {
    std::vector<T> values(size_);
    R2_CUDA(cudaDeviceSynchronize());
    R2_CUDA(cudaMemcpy(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  T* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace r2pac::cuda
