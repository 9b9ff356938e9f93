#include <algorithm>
#include <cstring>
#include <type_traits>

#include "cuda/cuda.cuh"
#include "kernels/rows.cuh"

namespace r2pac::cuda {
namespace {

constexpr int kThreads = 256, kWarp = 32;

/// A RowOperation without what a variant needs a host for.
struct Operation {
  int kind;
  alignas(8) unsigned char bytes[sizeof(RowOperation<float>)];
};
struct Program {
  int count, rows;
  Operation operations[kRowOperations];
};

template <std::size_t Kind = 0>
__device__ inline void run_row(const Operation& operation, int row, int lane) {
  if constexpr (Kind < std::variant_size_v<RowOperation<float>>) {
    using Type = std::variant_alternative_t<Kind, RowOperation<float>>;
    if (operation.kind == static_cast<int>(Kind))
      reinterpret_cast<const Type*>(operation.bytes)->row(row, lane, kWarp);
    else
      run_row<Kind + 1>(operation, row, lane);
  }
}

/// The lanes of a warp meet between two operations, for one may read what another lane has just written.
__global__ void __launch_bounds__(kThreads, 4) row_kernel(const __grid_constant__ Program program) {
  const int row = static_cast<int>(blockIdx.x * (kThreads / kWarp) + threadIdx.x / kWarp);
  if (row >= program.rows) return;
  for (int i = 0; i < program.count; ++i) {
    run_row(program.operations[i], row, static_cast<int>(threadIdx.x % kWarp));
    __syncwarp();
  }
}

}  // namespace

void run_rows(const std::vector<RowOperation<float>>& operations, int rows, cudaStream_t stream) {
  for (std::size_t begin = 0; begin < operations.size(); begin += kRowOperations) {
    Program program{};
    program.rows = rows;
    for (std::size_t i = begin; i < std::min(operations.size(), begin + kRowOperations); ++i) {
      Operation& operation = program.operations[program.count++];
      operation.kind = static_cast<int>(operations[i].index());
      std::visit(
          [&](const auto& o) {
            static_assert(std::is_trivially_copyable_v<std::decay_t<decltype(o)>>);
            std::memcpy(operation.bytes, &o, sizeof o);
          },
          operations[i]);
    }
    constexpr int rows_per_block = kThreads / kWarp;
    launch(row_kernel, (rows + rows_per_block - 1) / rows_per_block, kThreads, 0, stream, program);
  }
}

}  // namespace r2pac::cuda
