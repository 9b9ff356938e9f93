// Correct kernels with host interfaces, by which the host execution layer (or a GPU) is tested.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace r2pac::cuda::test {

/// a x + y by float4 and a remainder.
std::vector<float> saxpy(float a, const std::vector<float>& x, const std::vector<float>& y);

/// The sum of each row: lanes by shuffles, warps through shared memory. values [rows, columns]
std::vector<float> row_sums(const std::vector<float>& values, int rows, int columns);

/// Row-major [rows, inner] x [inner, columns] by 16 x 16 tiles, in static or in dynamic shared memory.
std::vector<float> matmul(const std::vector<float>& a, const std::vector<float>& b, int rows, int inner,
                          int columns, bool dynamic);

/// One result per lane and operation: see test_kernels.cu for the order.
std::vector<int> warp_operations();
inline constexpr int kWarpOperations = 16;

/// Groups of 8 lanes reduce by themselves through shared memory; then the whole warp joins. 64 results.
std::vector<int> group_sums();

struct AtomicResults {
  int sum, largest, smallest, bits;
  unsigned count;
  float single;
  double twice;
  int by_compare_and_swap;
};
/// `threads` threads in blocks of 96 add to one of each.
AtomicResults atomics(int threads);

/// Each thread writes one byte: index modulo 251.
std::vector<unsigned char> bytes(int count);

/// Constant memory: the polynomial c0 + c1 x + c2 x^2.
std::vector<float> polynomial(const std::vector<float>& coefficients, const std::vector<float>& x);

/// A captured graph with two parallel branches, replayed: state = state * 2 + input, one replay per input;
/// the other branch counts replays. Returns [state after each replay..., count, graph nodes].
std::vector<float> replayed(const std::vector<float>& inputs);

/// The statuses of forbidden calls in a capture: allocation, waiting, use of the null stream, a branch not
/// joined.
std::vector<std::string> spoiled_captures();

enum class Precision { fp32, tf32, bf16 };
/// Row-major, for each of `batch`: [rows, inner] x [columns, inner]^T.
std::vector<float> gemm(Precision precision, const std::vector<float>& a, const std::vector<float>& b,
                        int batch, int rows, int inner, int columns);

/// C [m, n] = A [m, k] B [k, n], column-major, with operands stored transposed if so; A begins `offset`
/// floats after the start of an allocation.
struct ProductShape {
  int m, n, k, lda, ldb, ldc;
  bool transposed = false;
  int offset = 0;
};
/// What cublasSgemmStridedBatched says to it.
std::string status_of(const ProductShape& shape);

/// Captures an 8 x 8 product with a new handle, after one outside the capture if `warm`.
void capture_product(bool warm);

/// Allocates and frees device memory.
void allocate(std::size_t bytes);

/// Launches with 2048 threads in a block.
void launch_too_large();

/// Uses 100 KiB of dynamic shared memory and returns how many of its words were right.
int large_shared_memory();

}  // namespace r2pac::cuda::test
