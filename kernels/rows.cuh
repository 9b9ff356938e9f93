// Row operations on a CUDA device: any number of them in one launch, a warp for each row.
#pragma once

#include <cuda_runtime_api.h>

#include <vector>

#include "kernels/row_operations.h"

namespace r2pac::cuda {

/// Operations that one launch takes; more take more launches.
inline constexpr int kRowOperations = 24;

/// Runs the operations in their order for each of `rows` rows.
void run_rows(const std::vector<RowOperation<float>>& operations, int rows, cudaStream_t stream);

}  // namespace r2pac::cuda
