#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <mutex>

#include "base/error.h"
#include "cuda/cuda.cuh"
#include "engine/cuda_device.cuh"
#include "kernels/cuda_backend.cuh"
#include "kernels/dense.cuh"
#include "kernels/random.cuh"

namespace r2pac {
namespace {

#ifdef R2PAC_CUDA_HOST
constexpr bool kOnHost = true;
#else
constexpr bool kOnHost = false;
#endif

// Unmeasured. Steps at once divide the interval, so that few steps are taken one by one.
constexpr int kStepsAtOnce = 10;
constexpr std::uint64_t kCheckInterval = 100;

std::string mebibytes(std::size_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MiB", static_cast<double>(bytes) / (1 << 20));
  return text;
}

class CudaMemory final : public Memory {
 public:
  explicit CudaMemory(const cuda::Queue& queue) : queue_(queue) {}

  std::shared_ptr<std::byte> allocate(std::size_t bytes) override {
    queue_.make_current();
    void* memory = nullptr;
    const cudaError_t status = cudaMalloc(&memory, std::max<std::size_t>(bytes, 1));
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      std::size_t free = 0, total = 0;
      cudaMemGetInfo(&free, &total);
      throw Error(ExitCode::device,
                  "the GPU's memory is full: " + mebibytes(bytes) + " more are needed, " + mebibytes(free) +
                      " of " + mebibytes(total) + " are free",
                  "", "lower --batch or --hidden, or end other programs on the GPU");
    }
    cuda::check(status, "cudaMalloc", __FILE__, __LINE__);
    const std::shared_ptr<Usage> usage = usage_;  // buffers may outlive the device
    usage->add(bytes);
    std::shared_ptr<std::byte> owner(static_cast<std::byte*>(memory), [usage, bytes](std::byte* block) {
      cudaFree(block);
      usage->remove(bytes);
    });
    R2_CUDA(cudaMemsetAsync(memory, 0, bytes, queue_.stream()));
    R2_CUDA(cudaStreamSynchronize(queue_.stream()));
    return owner;
  }
  void copy_in(void* device, const void* host, std::size_t bytes) override {
    copy(device, host, bytes, cudaMemcpyHostToDevice);
  }
  void copy_out(void* host, const void* device, std::size_t bytes) override {
    copy(host, device, bytes, cudaMemcpyDeviceToHost);
  }
  std::size_t peak_bytes() const override { return usage_->peak(); }

 private:
  class Usage {
   public:
    void add(std::size_t bytes) {
      const std::lock_guard lock(mutex_);
      now_ += bytes;
      peak_ = std::max(peak_, now_);
    }
    void remove(std::size_t bytes) {
      const std::lock_guard lock(mutex_);
      now_ -= bytes;
    }
    std::size_t peak() const {
      const std::lock_guard lock(mutex_);
      return peak_;
    }

   private:
    mutable std::mutex mutex_;
    std::size_t now_ = 0, peak_ = 0;
  };

  /// Waits for the copy: the caller's memory may end its life after the call.
  void copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
    if (bytes == 0) return;
    queue_.make_current();
    R2_CUDA(cudaMemcpyAsync(to, from, bytes, kind, queue_.stream()));
    R2_CUDA(cudaStreamSynchronize(queue_.stream()));
  }

  const cuda::Queue& queue_;
  const std::shared_ptr<Usage> usage_ = std::make_shared<Usage>();
};

class CudaRecording final : public Recording {
 public:
  explicit CudaRecording(cuda::Graph graph) : graph_(std::move(graph)) {}
  void run() override { graph_.run(); }
  int launches() const override { return graph_.size().launches; }
  int critical_path() const override { return graph_.size().critical_path; }

 private:
  cuda::Graph graph_;
};

class QueuedDevice final : public CudaDevice {
 public:
  QueuedDevice(int ordinal, Precision precision)
      : ordinal_(ordinal), queue_(precision), backend_(queue_), memory_(queue_) {
    R2_CUDA(cudaGetDeviceProperties(&properties_, ordinal));
    probe();
  }

  std::string name() const override { return kOnHost ? "cuda-host" : "cuda:" + std::to_string(ordinal_); }
  std::string description() const override {
    return (kOnHost ? std::string("CUDA kernels on the CPU") : std::string(properties_.name)) + ", " +
           precision_name(queue_.precision());
  }
  Memory& memory() override { return memory_; }
  const Backend<float>& backend(float) const override { return backend_; }
  const Backend<double>& backend(double) const override {
    throw InvalidArgument("a CUDA device computes in single precision; use the CPU for double");
  }
  Precision precision() const override { return queue_.precision(); }
  cuda::Queue& queue() override { return queue_; }
  std::size_t shared_limit() const override { return properties_.sharedMemPerBlockOptin; }
  ThreadPool* pool() override { return nullptr; }
  int replays_at_once() const override { return kStepsAtOnce; }
  std::unique_ptr<Recording> record(const std::vector<WholeCall>& calls) override {
    return std::make_unique<CudaRecording>(queue_.capture([this, calls] {
      for (const WholeCall& call : calls) {
        queue_.begin_call({call.name, call.reads, call.writes, call.after_all});
        call.run();
      }
    }));
  }
  void synchronize() override {
    queue_.make_current();
    R2_CUDA(cudaStreamSynchronize(queue_.stream()));
  }
  std::uint64_t check_interval() const override { return kCheckInterval; }

 private:
  /// A kernel of ours and a product in a graph, so that a device that cannot run them is found at once.
  void probe() {
    constexpr int n = 16;
    constexpr bool kOverwrite = false, kInFp32 = true;
    Buffer<float> a(n * n, memory_), c(n * n, memory_);
    const cuda::Matrix square{a.data(), n, 0};
    const auto both = [&] {
      queue_.launch(1, [&](const cuda::Stream& stream) {
        cuda::fill_uniform(1, Purpose::test, 0, n, n, a.data(), stream.get());
      });
      cuda::multiply(queue_, square, square, n, n, n, c.data(), 0, 1, kOverwrite, kInFp32);
    };
    record({{"the first test of the device", {}, {}, true, both}})->run();
    std::vector<float> x(n * n), y(n * n);
    a.copy_out(x.data(), x.size());
    c.copy_out(y.data(), y.size());
    float wrong = 0;
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j) {
        float sum = 0;
        for (int k = 0; k < n; ++k) sum += x[i * n + k] * x[k * n + j];
        wrong = std::max(wrong, std::abs(sum - y[i * n + j]));
      }
    // Sums of n products below 1: each order of adding errs by less than n^2 roundings.
    if (!(wrong <= n * n * 0x1p-24f))
      throw Error(ExitCode::device, "a small matrix product on the GPU is wrong", name(),
                  "check the driver and the card with the vendor's tools");
  }

  int ordinal_;
  cudaDeviceProp properties_{};
  cuda::Queue queue_;
  cuda::CudaBackend backend_;
  CudaMemory memory_;
};

/// What a refusal of the driver means.
std::string todo_for(cudaError_t status) {
  switch (status) {
    case cudaErrorInsufficientDriver:
      return "install a driver that supports CUDA 13 (580 or later), or use --device cpu";
    case cudaErrorNoDevice:
      return "no NVIDIA GPU is visible: see `nvidia-smi` and CUDA_VISIBLE_DEVICES, or use --device cpu";
    default:
      return "see `nvidia-smi`, or use --device cpu";
  }
}

}  // namespace

std::shared_ptr<CudaDevice> cuda_device(int ordinal, Precision precision) {
  const std::string where = "--device cuda:" + std::to_string(ordinal);
  int count = 0, driver = 0;
  if (cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0)
    throw Error(ExitCode::device, "there is no NVIDIA driver on this machine", where,
                "install the driver (580 or later for CUDA 13), or use --device cpu");
  if (const cudaError_t status = cudaGetDeviceCount(&count); status != cudaSuccess)
    throw Error(ExitCode::device, std::string("CUDA cannot be used: ") + cudaGetErrorString(status), where,
                todo_for(status));
  if (ordinal < 0 || ordinal >= count)
    throw Error(ExitCode::device, "there is no such GPU; this machine has " + std::to_string(count), where,
                count > 0 ? "use cuda:0 to cuda:" + std::to_string(count - 1) : todo_for(cudaErrorNoDevice));
  int major = 0, minor = 0;
  R2_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, ordinal));
  R2_CUDA(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, ordinal));
  if (10 * major + minor < 75)
    throw Error(ExitCode::device,
                "the GPU has compute capability " + std::to_string(major) + "." + std::to_string(minor) +
                    "; 7.5 is the least that CUDA 13 supports",
                where, "use another GPU, or --device cpu");
  if (major < 8 && precision != Precision::fp32)
    throw Error(ExitCode::device, std::string("the GPU has no tensor cores for ") + precision_name(precision),
                where, "use --precision fp32");
  R2_CUDA(cudaSetDevice(ordinal));
  return std::make_shared<QueuedDevice>(ordinal, precision);
}

}  // namespace r2pac
