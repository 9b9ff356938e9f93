// The part of cuBLAS that the project uses, on the CPU. Operands are rounded first where a tensor core would
// see them in TF32 or bfloat16; products and sums are single precision.
#include "cuda_host/blas.h"

#include <cublas_v2.h>
#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <vector>

#include "cuda_host/fault.h"
#include "cuda_host/memory.h"
#include "cuda_host/round.h"
#include "cuda_host/shadow.h"
#include "cuda_host/stream.h"

struct cublasContext {
  cudaStream_t stream = nullptr;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
  void* workspace = nullptr;  // the caller's; null: cuBLAS's own, one for each stream
  std::size_t workspace_bytes = 0;
  std::set<cublasComputeType_t> used;  // in products
};

namespace r2pac::cuda_host {
namespace {

enum class Rounding { none, tf32, bf16 };

/// A column-major operand: `rows` x `columns` with `leading` elements from one column to the next.
struct Matrix {
  const void* data;
  cudaDataType type;
  int rows;
  int columns;
  int leading;
  long long stride;  // elements from one matrix of the batch to the next

  std::size_t element_bytes() const { return type == CUDA_R_32F ? 4 : 2; }
  std::size_t elements() const {
    return rows == 0 || columns == 0 ? 0 : static_cast<std::size_t>(leading) * (columns - 1) + rows;
  }
  /// Whether each column of each matrix of a batch begins at a multiple of so many bytes.
  bool is_aligned(std::size_t bytes, int batch) const {
    return reinterpret_cast<std::uintptr_t>(data) % bytes == 0 &&
           (columns <= 1 || leading * element_bytes() % bytes == 0) &&
           (batch <= 1 || static_cast<std::size_t>(stride) * element_bytes() % bytes == 0);
  }
  const void* item(int index) const {
    return static_cast<const char*>(data) + index * stride * static_cast<long long>(element_bytes());
  }
};

struct Gemm {
  cublasOperation_t op_a, op_b;
  int m, n, k;
  float alpha, beta;
  Matrix a, b, c;
  int batch;
  Rounding rounding;
  void* workspace;
  std::size_t workspace_bytes;
};

float rounded(float value, Rounding rounding) {
  if (rounding == Rounding::tf32) return round_tf32(value);
  return rounding == Rounding::bf16 ? round_bf16(value) : value;
}

/// Tells the race check of all elements of one matrix.
void note_access(const Matrix& matrix, int index, void (*note)(const void*, std::size_t)) {
  if (!shadow::kChecks) return;
  for (int column = 0; column < matrix.columns; ++column) {
    const std::size_t first = static_cast<std::size_t>(column) * matrix.leading * matrix.element_bytes();
    note(static_cast<const char*>(matrix.item(index)) + first,
         static_cast<std::size_t>(matrix.rows) * matrix.element_bytes());
  }
}

/// The elements of one matrix as single precision, with the same leading dimension.
const float* operand(const Matrix& matrix, int index, Rounding rounding, std::vector<float>& scratch) {
  const auto* const singles = static_cast<const float*>(matrix.item(index));
  if (matrix.type == CUDA_R_32F && rounding == Rounding::none) return singles;
  const auto* const halves = static_cast<const std::uint16_t*>(matrix.item(index));
  scratch.assign(matrix.elements(), 0.0f);
  for (int column = 0; column < matrix.columns; ++column) {
    const std::size_t first = static_cast<std::size_t>(column) * matrix.leading;
    for (std::size_t i = first; i < first + matrix.rows; ++i) {
      scratch[i] = matrix.type == CUDA_R_16BF ? std::bit_cast<float>(std::uint32_t{halves[i]} << 16)
                                              : rounded(singles[i], rounding);
    }
  }
  return scratch.data();
}

void run(const Gemm& gemm) {
  if (gemm.m == 0 || gemm.n == 0) return;
  if (gemm.workspace) {
    require_device_memory(gemm.workspace, gemm.workspace_bytes, "workspace of a cuBLAS GEMM");
    shadow::written(gemm.workspace, gemm.workspace_bytes);
  }
  std::vector<float> rounded_a, rounded_b, whole;
  for (int i = 0; i < gemm.batch; ++i) {
    require_device_memory(gemm.a.item(i), gemm.a.elements() * gemm.a.element_bytes(), "A of a cuBLAS GEMM");
    require_device_memory(gemm.b.item(i), gemm.b.elements() * gemm.b.element_bytes(), "B of a cuBLAS GEMM");
    require_device_memory(gemm.c.item(i), gemm.c.elements() * gemm.c.element_bytes(), "C of a cuBLAS GEMM");
    note_access(gemm.a, i, shadow::read);
    note_access(gemm.b, i, shadow::read);
    const float* const a = operand(gemm.a, i, gemm.rounding, rounded_a);
    const float* const b = operand(gemm.b, i, gemm.rounding, rounded_b);
    auto* c = static_cast<float*>(const_cast<void*>(gemm.c.item(i)));
    auto* const halves = static_cast<std::uint16_t*>(const_cast<void*>(gemm.c.item(i)));
    const bool half_out = gemm.c.type == CUDA_R_16BF;
    if (half_out) c = const_cast<float*>(operand(gemm.c, i, Rounding::none, whole));
    if (gemm.beta == 0) {  // as in BLAS, what was there may be NaN
      for (int column = 0; column < gemm.n; ++column) {
        std::fill_n(c + static_cast<std::size_t>(column) * gemm.c.leading, gemm.m, 0.0f);
      }
    }
    // Column-major C = A B is row-major C' = B' A'.
    dnnl_sgemm(gemm.op_b == CUBLAS_OP_N ? 'N' : 'T', gemm.op_a == CUBLAS_OP_N ? 'N' : 'T', gemm.n, gemm.m,
               gemm.k, gemm.alpha, b, gemm.b.leading, a, gemm.a.leading, gemm.beta, c, gemm.c.leading);
    for (int column = 0; half_out && column < gemm.n; ++column) {
      const std::size_t first = static_cast<std::size_t>(column) * gemm.c.leading;
      for (std::size_t row = 0; row < static_cast<std::size_t>(gemm.m); ++row) {
        halves[first + row] =
            static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(round_bf16(c[first + row])) >> 16);
      }
    }
    note_access(gemm.c, i, shadow::written);
  }
}

std::atomic<std::size_t> products, aligned_products, first_products_in_capture;

/// Counts a product that the library may accept.
void count(cublasHandle_t handle, const Gemm& gemm, cublasComputeType_t compute) {
  constexpr std::size_t kBytes = 16;
  ++products;
  aligned_products += gemm.a.is_aligned(kBytes, gemm.batch) && gemm.b.is_aligned(kBytes, gemm.batch) &&
                      gemm.c.is_aligned(kBytes, gemm.batch);
  cudaStreamCaptureStatus capture = cudaStreamCaptureStatusNone;
  cudaStreamIsCapturing(handle->stream, &capture);
  first_products_in_capture += handle->used.insert(compute).second && capture != cudaStreamCaptureStatusNone;
}

void require_aligned(const Matrix& matrix, const char* name) {
  if (reinterpret_cast<std::uintptr_t>(matrix.data) % matrix.element_bytes() == 0) return;
  fault("%s of a cuBLAS GEMM: %p is no multiple of %zu bytes, the size of an element", name, matrix.data,
        matrix.element_bytes());
}

/// The results of a batch lie one after the other, or beside each other in columns that all of them share.
void require_apart(const Matrix& c, int batch) {
  const auto stride = static_cast<std::size_t>(std::abs(c.stride));
  const std::size_t rows = static_cast<std::size_t>(c.rows), leading = static_cast<std::size_t>(c.leading);
  if (batch <= 1 || c.elements() == 0 || stride >= c.elements()) return;
  if (stride >= rows && stride * (static_cast<std::size_t>(batch) - 1) + rows <= leading) return;
  fault("C of a cuBLAS GEMM: the %d results are %zu elements apart and lie over each other", batch, stride);
}

bool known_type(cudaDataType type) { return type == CUDA_R_32F || type == CUDA_R_16BF; }

cublasStatus_t submit_gemm(cublasHandle_t handle, const Gemm& gemm, cublasComputeType_t compute) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  const Matrix &a = gemm.a, &b = gemm.b, &c = gemm.c;
  if (gemm.m < 0 || gemm.n < 0 || gemm.k < 0 || gemm.batch < 0 || a.leading < std::max(1, a.rows) ||
      b.leading < std::max(1, b.rows) || c.leading < std::max(1, c.rows)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (!known_type(a.type) || a.type != b.type || !known_type(c.type)) return CUBLAS_STATUS_NOT_SUPPORTED;
  require_aligned(a, "A");
  require_aligned(b, "B");
  require_aligned(c, "C");
  require_apart(c, gemm.batch);
  count(handle, gemm, compute);
  char what[96];
  std::snprintf(what, sizeof what, "cuBLAS GEMM of m = %d, n = %d, k = %d, batch %d", gemm.m, gemm.n, gemm.k,
                gemm.batch);
  const cudaError_t status =
      submit(handle->stream, {cudaGraphNodeTypeKernel, nullptr, what, [gemm] { run(gemm); }});
  return status == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

Matrix stored(const void* data, cudaDataType type, cublasOperation_t op, int rows, int columns, int leading,
              long long stride) {
  return op == CUBLAS_OP_N ? Matrix{data, type, rows, columns, leading, stride}
                           : Matrix{data, type, columns, rows, leading, stride};
}

}  // namespace

ProductCounts product_counts() { return {products, aligned_products, first_products_in_capture}; }

}  // namespace r2pac::cuda_host

using namespace r2pac::cuda_host;

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  handle->workspace = nullptr;  // as cuBLAS does
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t math) {
  handle->math = math;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, std::size_t bytes) {
  if (workspace) require_device_memory(workspace, bytes, "workspace of cuBLAS");
  handle->workspace = workspace;
  handle->workspace_bytes = bytes;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t op_a,
                                          cublasOperation_t op_b, int m, int n, int k, const void* alpha,
                                          const void* a, cudaDataType a_type, int lda, long long stride_a,
                                          const void* b, cudaDataType b_type, int ldb, long long stride_b,
                                          const void* beta, void* c, cudaDataType c_type, int ldc,
                                          long long stride_c, int batch, cublasComputeType_t compute,
                                          cublasGemmAlgo_t) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  Rounding rounding = Rounding::none;
  switch (compute) {
    case CUBLAS_COMPUTE_32F:
      if ((handle->math & 0xf) == CUBLAS_TF32_TENSOR_OP_MATH) rounding = Rounding::tf32;
      break;
    case CUBLAS_COMPUTE_32F_PEDANTIC:
      break;
    case CUBLAS_COMPUTE_32F_FAST_TF32:
      rounding = Rounding::tf32;
      break;
    case CUBLAS_COMPUTE_32F_FAST_16BF:
      rounding = Rounding::bf16;
      break;
    default:
      return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  return submit_gemm(
      handle,
      {op_a, op_b, m, n, k, *static_cast<const float*>(alpha), *static_cast<const float*>(beta),
       stored(a, a_type, op_a, m, k, lda, stride_a), stored(b, b_type, op_b, k, n, ldb, stride_b),
       Matrix{c, c_type, m, n, ldc, stride_c}, batch, rounding, handle->workspace, handle->workspace_bytes},
      compute);
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t op_a,
                                         cublasOperation_t op_b, int m, int n, int k, const float* alpha,
                                         const float* a, int lda, long long stride_a, const float* b, int ldb,
                                         long long stride_b, const float* beta, float* c, int ldc,
                                         long long stride_c, int batch) {
  return cublasGemmStridedBatchedEx(handle, op_a, op_b, m, n, k, alpha, a, CUDA_R_32F, lda, stride_a, b,
                                    CUDA_R_32F, ldb, stride_b, beta, c, CUDA_R_32F, ldc, stride_c, batch,
                                    CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
}

const char* cublasGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    case CUBLAS_STATUS_EXECUTION_FAILED:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    default:
      return "unrecognized cuBLAS status";
  }
}

}  // extern "C"
