// Reductions over the rows of a batch on a CUDA device, in a fixed order: no float atomics, so a run repeats
// bit for bit.
#pragma once

#include <cuda_runtime_api.h>

#include <vector>

#include "kernels/reduce.h"

namespace r2pac::cuda {

/// One sum over rows: out[k, j] = scale * sum over r of x(k, r, j) * factors (for each member k, column j),
/// plus what out held if `accumulate`. Bias gradients, head gradients, gains of layer normalisation, rows of
/// a label table and batch means are all of this form. A tensor that all members share (nets = 1) serves each
/// of them.
struct ColumnSum {
  View<float> x;
  View<float> factor;             ///< data null: none; cols == 1: one per row; else one per element of x
  float label = -1;               ///< >= 0: only rows where `labels` holds this number; then no factor
  const float* labels = nullptr;  ///< [rows]
  bool across_members = false;    ///< sum over members, too: out has one row
  float scale = 1;
  bool accumulate = false;
  float* out = nullptr;  ///< member k's sums at out + k * out_stride
  std::size_t out_stride = 0;
};

/// Sums of one launch.
inline constexpr int kColumnSums = 40;

/// All sums in one launch (more than 40 take more launches); none may read what another one writes.
/// Throws InvalidArgument if x or out is null or the shapes of a sum do not fit together.
void column_sums(const std::vector<ColumnSum>& sums, cudaStream_t stream);

/// kernels/reduce.h's update_threshold in one block: x [1, rows, 1]. Throws InvalidArgument for other shapes
/// and beyond kMaxQuantileRows.
inline constexpr int kMaxQuantileRows = 8192;
void update_threshold(const View<float>& x, double alpha, double keep, const StepState* state,
                      unsigned long long first_step, float* threshold, cudaStream_t stream);

}  // namespace r2pac::cuda
