// The rest of the stand-in for the CUDA runtime: copies, the device and its limits, names of errors.
#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "cuda_host/launch.h"
#include "cuda_host/memory.h"
#include "cuda_host/shadow.h"
#include "cuda_host/stream.h"

namespace r2pac::cuda_host {
namespace {

constexpr std::size_t kSharedBytesByDefault = 48 * 1024;
constexpr std::size_t kSharedBytesAtMost = 227 * 1024;  // of one block, after cudaFuncSetAttribute
constexpr int kMultiprocessors = 132;
constexpr int kComputeMajor = 9, kComputeMinor = 0;

std::mutex kernel_mutex;
std::map<const void*, std::size_t> allowed_shared_bytes;
std::map<const void*, std::string> kernel_names;

/// Copies at once; faults where a device address has no allocation for all its bytes.
void copy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice ||
                         (kind == cudaMemcpyDefault && in_device_memory(to));
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice ||
                           (kind == cudaMemcpyDefault && in_device_memory(from));
  if (to_device) require_device_memory(to, bytes, "destination of cudaMemcpy");
  if (from_device) require_device_memory(from, bytes, "source of cudaMemcpy");
  shadow::read(from, bytes);
  std::memmove(to, from, bytes);
  shadow::written(to, bytes);
}

void set(void* to, int value, std::size_t bytes) {
  require_device_memory(to, bytes, "destination of cudaMemset");
  std::memset(to, value, bytes);
  shadow::written(to, bytes);
}

}  // namespace

cudaError_t submit_grid(const dim3& grid, const dim3& block, std::size_t shared_bytes, cudaStream_t stream,
                        const void* kernel, Site site, std::function<void()> work) {
  const std::size_t threads = static_cast<std::size_t>(block.x) * block.y * block.z;
  if (threads == 0 || threads > kMaxBlockThreads || block.z > 64 || grid.x == 0 || grid.x > 0x7fffffff ||
      grid.y == 0 || grid.y > 0xffff || grid.z == 0 || grid.z > 0xffff) {
    return record_error(cudaErrorInvalidConfiguration);
  }
  std::size_t allowed = kSharedBytesByDefault;
  {
    const std::lock_guard lock(kernel_mutex);
    if (const auto found = allowed_shared_bytes.find(kernel); found != allowed_shared_bytes.end()) {
      allowed = found->second;
    }
  }
  if (shared_bytes > allowed) return record_error(cudaErrorInvalidValue);
  return submit(stream, {cudaGraphNodeTypeKernel, kernel, site.file + (":" + std::to_string(site.line)),
                         std::move(work)});
}

}  // namespace r2pac::cuda_host

using namespace r2pac::cuda_host;

extern "C" {

/// From pageable memory to the device, CUDA promises no more than that the source has been read; between
/// places on the device, nothing.
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  if (const cudaError_t status = forbidden_in_capture()) return status;
  Work work{cudaGraphNodeTypeMemcpy, nullptr, "copy", [=] { copy(to, from, bytes, kind); }};
  if (kind == cudaMemcpyDeviceToDevice) return submit(nullptr, std::move(work));
  if (kind != cudaMemcpyHostToDevice || in_device_memory(from))
    return submit(nullptr, std::move(work), Host::waits);
  const auto* const first = static_cast<const std::byte*>(from);
  work.run = [=, staged = std::vector<std::byte>(first, first + bytes)] {
    copy(to, staged.data(), bytes, kind);
  };
  return submit(nullptr, std::move(work));
}
/// To pageable memory CUDA waits; from there it may have read the source, or not.
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return submit(stream,
                {cudaGraphNodeTypeMemcpy, nullptr, "copy of " + std::to_string(bytes) + " bytes",
                 [=] { copy(to, from, bytes, kind); }},
                kind != cudaMemcpyHostToDevice && !in_device_memory(to) ? Host::waits : Host::goes_on);
}
cudaError_t cudaMemset(void* to, int value, std::size_t bytes) {
  if (const cudaError_t status = forbidden_in_capture()) return status;
  return cudaMemsetAsync(to, value, bytes, nullptr);
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  return submit(stream, {cudaGraphNodeTypeMemset, nullptr, "memset of " + std::to_string(bytes) + " bytes",
                         [=] { set(to, value, bytes); }});
}
cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, std::size_t bytes, std::size_t offset,
                               cudaMemcpyKind) {
  if (const cudaError_t status = cudaStreamSynchronize(nullptr)) return status;
  std::memcpy(static_cast<char*>(const_cast<void*>(symbol)) + offset, from, bytes);
  return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device < 0 || device >= kDevices) return record_error(cudaErrorInvalidDevice);
  *properties = {};
  std::strcpy(properties->name, "host execution layer");
  std::size_t free_bytes = 0;
  cudaMemGetInfo(&free_bytes, &properties->totalGlobalMem);
  properties->sharedMemPerBlock = kSharedBytesByDefault;
  properties->sharedMemPerBlockOptin = kSharedBytesAtMost;
  properties->sharedMemPerMultiprocessor = kSharedBytesAtMost + 1024;
  properties->reservedSharedMemPerBlock = 1024;
  properties->regsPerBlock = properties->regsPerMultiprocessor = 65536;
  properties->warpSize = static_cast<int>(kWarpLanes);
  properties->maxThreadsPerBlock = static_cast<int>(kMaxBlockThreads);
  properties->maxThreadsPerMultiProcessor = 2048;
  properties->multiProcessorCount = kMultiprocessors;
  properties->major = kComputeMajor;
  properties->minor = kComputeMinor;
  properties->unifiedAddressing = 1;
  const int block_limits[] = {1024, 1024, 64}, grid_limits[] = {0x7fffffff, 0xffff, 0xffff};
  std::memcpy(properties->maxThreadsDim, block_limits, sizeof block_limits);
  std::memcpy(properties->maxGridSize, grid_limits, sizeof grid_limits);
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (device < 0 || device >= kDevices) return record_error(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      *value = kMultiprocessors;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
      *value = kComputeMajor;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      *value = kComputeMinor;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = kSharedBytesByDefault;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = kSharedBytesAtMost;
      return cudaSuccess;
    case cudaDevAttrMaxThreadsPerBlock:
      *value = static_cast<int>(kMaxBlockThreads);
      return cudaSuccess;
    case cudaDevAttrWarpSize:
      *value = static_cast<int>(kWarpLanes);
      return cudaSuccess;
    default:
      return record_error(cudaErrorInvalidValue);
  }
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
  if (value < 0 || static_cast<std::size_t>(value) > kSharedBytesAtMost)
    return record_error(cudaErrorInvalidValue);
  const std::lock_guard lock(kernel_mutex);
  allowed_shared_bytes[kernel] = std::max(static_cast<std::size_t>(value), kSharedBytesByDefault);
  return cudaSuccess;
}
/// Demangled already, unlike the real one's.
cudaError_t cudaFuncGetName(const char** name, const void* kernel) {
  const std::lock_guard lock(kernel_mutex);
  std::string& known = kernel_names[kernel];
  if (known.empty()) known = code_place(kernel).function;
  *name = known.c_str();
  return cudaSuccess;
}

const char* cudaGetErrorName(cudaError_t status) {
  switch (status) {
#define R2PAC_NAME(error) \
  case error:             \
    return #error;
    R2PAC_NAME(cudaSuccess)
    R2PAC_NAME(cudaErrorInvalidValue)
    R2PAC_NAME(cudaErrorMemoryAllocation)
    R2PAC_NAME(cudaErrorInvalidConfiguration)
    R2PAC_NAME(cudaErrorInvalidDevice)
    R2PAC_NAME(cudaErrorInvalidResourceHandle)
    R2PAC_NAME(cudaErrorIllegalState)
    R2PAC_NAME(cudaErrorNotReady)
    R2PAC_NAME(cudaErrorStreamCaptureUnsupported)
    R2PAC_NAME(cudaErrorStreamCaptureInvalidated)
    R2PAC_NAME(cudaErrorStreamCaptureUnmatched)
    R2PAC_NAME(cudaErrorStreamCaptureUnjoined)
    R2PAC_NAME(cudaErrorStreamCaptureIsolation)
    R2PAC_NAME(cudaErrorStreamCaptureImplicit)
#undef R2PAC_NAME
    default:
      return "unrecognized error code";
  }
}
const char* cudaGetErrorString(cudaError_t status) {
  switch (status) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorInvalidResourceHandle:
      return "invalid resource handle";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorIllegalState:
      return "the operation cannot be performed in the present state";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
    case cudaErrorStreamCaptureUnmatched:
      return "capture was not ended in the same stream as it began";
    case cudaErrorStreamCaptureUnjoined:
      return "capturing stream has unjoined work";
    case cudaErrorStreamCaptureIsolation:
      return "dependency created on uncaptured work in another stream";
    case cudaErrorStreamCaptureImplicit:
      return "operation would make the legacy stream depend on a capturing stream";
    default:
      return "unrecognized error code";
  }
}

}  // extern "C"
