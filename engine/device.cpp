#include "engine/device.h"

#include "base/error.h"
#include "base/nearest.h"
#ifdef R2PAC_WITH_CUDA
#include "engine/cuda_device.cuh"
#endif

namespace r2pac {
namespace {

#if defined(R2PAC_CUDA_HOST)
constexpr bool kCuda = false, kCudaHost = true;
#elif defined(R2PAC_WITH_CUDA)
constexpr bool kCuda = true, kCudaHost = false;
#else
constexpr bool kCuda = false, kCudaHost = false;
#endif

/// The N of "cuda:N", 0 for "cuda".
int ordinal_of(const std::string& name) {
  const std::string digits = name == "cuda" ? "0" : name.substr(5);
  if (digits.empty() || digits.size() > 3 || digits.find_first_not_of("0123456789") != std::string::npos)
    throw Error(ExitCode::usage, "`" + name + "` is no device", "--device",
                "give the GPU's number, as in cuda:0");
  return std::stoi(digits);
}

std::shared_ptr<Device> open_cuda([[maybe_unused]] const std::string& name,
                                  [[maybe_unused]] Precision precision) {
#ifdef R2PAC_WITH_CUDA
  if (name == "cuda-host" ? kCudaHost : kCuda)
    return cuda_device(name == "cuda-host" ? 0 : ordinal_of(name), precision);
#endif
  if (name == "cuda-host")
    throw Error(ExitCode::device, "this program was built without the CUDA sources on the CPU",
                "--device " + name, "build with `cmake --preset cuda-host`");
  ordinal_of(name);
  throw Error(
      ExitCode::device,
      kCudaHost ? "this program was built to run CUDA sources on the CPU, not on a GPU"
                : "this program was built without CUDA",
      "--device " + name,
      std::string("build with `cmake --preset cuda`, or use --device ") + (kCudaHost ? "cuda-host" : "cpu"));
}

}  // namespace

std::shared_ptr<Device> make_device(const std::string& name, int threads, Precision precision,
                                    const std::function<void(const std::string&)>& note) {
  if (name == "cpu") return cpu_device(threads, precision);
  if (name == "auto") {
    if (!kCuda) return cpu_device(threads);
    try {
      return open_cuda("cuda", precision);
    } catch (const Error& error) {
      if (error.code() != ExitCode::device) throw;
      note(std::string("the CPU is used, for ") + error.what());
      return cpu_device(threads);
    }
  }
  if (name == "cuda-host" || name == "cuda" || name.rfind("cuda:", 0) == 0) return open_cuda(name, precision);
  if (name.rfind("gpu", 0) == 0)
    throw Error(ExitCode::usage, "unknown device `" + name + "`", "--device",
                "did you mean `cuda" + name.substr(3) + "`?");
  throw Error(ExitCode::usage, "unknown device `" + name + "`", "--device",
              did_you_mean(name, {"auto", "cpu", "cuda", "cuda:0", "cuda-host"}));
}

}  // namespace r2pac
