// cuBLAS for host code in .cu files: the library's own header and a check of its statuses. On the host
// execution layer the calls are served by cuda_host/blas.cpp.
#pragma once

#include <cublas_v2.h>

#include <string>

#include "base/error.h"

namespace r2pac::cuda {

/// Throws Error(device) with the call's text, the status and the place, unless it succeeded.
inline void check(cublasStatus_t status, const std::string& call, const char* file, int line) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(ExitCode::device, call + ": " + cublasGetStatusString(status),
              std::string(file) + ":" + std::to_string(line));
}
#define R2_CUBLAS(call) ::r2pac::cuda::check((call), #call, __FILE__, __LINE__)

}  // namespace r2pac::cuda
