// The host execution layer: correct kernels give right results in any thread order, and every fault that the
// layer claims to find is found in the builds that claim it (the table of cuda_host/README.md).
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "any_order.h"
#include "base/error.h"
#include "base/philox.h"
#include "cuda_host/blas.h"
#include "cuda_host/block.h"
#include "cuda_host/branches.h"
#include "cuda_host/memory.h"
#include "cuda_host/round.h"
#include "test/fault_kernels.h"
#include "test/report_of.h"
#include "test/stream_cases.h"
#include "test/test_kernels.h"

using namespace r2pac;
namespace kernels = r2pac::cuda::test;

namespace {

std::vector<float> random_values(std::size_t count, std::uint32_t row) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = 2 * random_uniform(5, Purpose::test, 0, row, static_cast<std::uint32_t>(i)) - 1;
  }
  return values;
}

/// A sum of `count` products in any order differs from the exact one by at most count * epsilon * sum
/// |terms|.
double sum_bound(double count, double magnitude) {
  return count * static_cast<double>(std::numeric_limits<float>::epsilon()) * magnitude;
}

std::string report_of_fault(const std::string& name) {
  return report_of([&] { kernels::run_fault(name); });
}

/// The text that a fault's report must contain in each build; empty: the build does not claim to find it.
struct Claim {
  const char* plain;
  const char* asan;
  const char* check;
};
Claim everywhere(const char* text) { return {text, text, text}; }
Claim only_check(const char* text) { return {"", "", text}; }

const std::map<std::string, Claim> claims = {
    {"missing barrier", only_check("race on shared memory")},
    {"missing barrier, dynamic shared memory", only_check("race on shared memory")},
    {"missing second barrier", only_check("race on shared memory")},
    {"missing syncwarp", only_check("race on shared memory")},
    {"shuffle taken for a barrier", only_check("race on shared memory")},
    {"race on global memory in a block", only_check("race on global memory")},
    {"cross-block race, two writes", only_check("cross-block race on global memory")},
    {"cross-block race, write and read", only_check("cross-block race on global memory")},
    {"write beside an atomic", only_check("race on global memory")},
    {"global memory, past the end",
     {"", "heap-buffer-overflow", "0 bytes past the end of a device allocation of 400"}},
    {"global memory, far past the end",
     {"past the end of a device allocation of 1024", "heap-buffer-overflow",
      "past the end of a device allocation"}},
    {"global memory, before the start",
     {"", "heap-buffer-overflow", "4 bytes before a device allocation of 1040"}},
    {"static shared memory, past the end", {"", "out of bounds for type", "index 64 is out of bounds"}},
    {"static shared memory, past the end by a pointer", {"", "insufficient space", "static shared memory"}},
    {"static shared memory of a template", {"", "global-buffer-overflow", "static shared memory"}},
    {"dynamic shared memory, past the end",
     {"", "heap-buffer-overflow", "past the end of 256 bytes of dynamic shared memory"}},
    {"dynamic shared memory, none asked for", everywhere("asked for none")},
    {"use after free", everywhere("use after free")},
    {"use after free, pointer in a struct", {"use after free", "heap-use-after-free", "use after free"}},
    {"use after free, in a graph", everywhere("use after free")},
    {"host pointer", everywhere("argument 1 of the kernel")},
    {"host pointer in a struct", only_check("is a host pointer")},
    {"uninitialised static shared memory", only_check("uninitialised shared memory")},
    {"uninitialised dynamic shared memory", only_check("uninitialised shared memory")},
    {"uninitialised shared memory in a second block", only_check("uninitialised shared memory")},
    {"uninitialised global memory", only_check("uninitialised global memory")},
    {"misaligned vector load", everywhere("misaligned vector access")},
    {"misaligned vector store", everywhere("misaligned vector access")},
    {"misaligned vector load by a cast", {"", "misaligned address", ""}},
    {"divergent barrier", everywhere("divergent barrier")},
    {"barrier that one thread skips", everywhere("63 wait at __syncthreads")},
    {"exit before a barrier", everywhere("4 have ended")},
    {"barrier against shuffle", everywhere("wait at __shfl_xor_sync")},
    {"shuffle with missing lanes", everywhere("40 wait at __shfl_down_sync")},
    {"shuffle by a lane outside its mask", everywhere("missing from its own mask")},
    {"shuffle from a lane outside the mask", everywhere("which is not in the mask 0x0000ffff")},
    {"shuffle from a lane that the block lacks", everywhere("reads lane 20")},
    {"lanes at different shuffles", everywhere("lanes of mask 0xffffffff differ")},
    {"copy of too many bytes", everywhere("destination of cudaMemcpy: 128 bytes")},
    {"freed twice", everywhere("freed a second time")},
    {"GEMM out of bounds", everywhere("A of a cuBLAS GEMM")},
    {"GEMM of misaligned floats", everywhere("is no multiple of 4 bytes")},
    {"GEMM of misaligned halves", everywhere("is no multiple of 2 bytes")},
    {"GEMM whose results overlap", everywhere("the 2 results are 17 elements apart")},
    {"GEMM whose results overlap in the columns", everywhere("the 2 results are 3 elements apart")},
    {"branches: write and read", only_check("write_values, launched at")},
    {"branches: read and later write", only_check("256 bytes: ")},
    {"branches: two writes of one word", only_check("writes 4 bytes: ")},
    {"branches: atomic operation and read", only_check("count_up, launched at")},
    {"branches: copy and kernel",
     only_check("(copy of 256 bytes) writes and node 2 (r2pac::cuda::test::read_values")},
    {"branches: kernel and copy", only_check("(copy of 256 bytes) reads 256 bytes")},
    {"branches: memset and kernel",
     only_check("(memset of 4 bytes) writes and node 2 (r2pac::cuda::test::read_values")},
    {"branches: operand of a product", only_check("m = 8, n = 8, k = 8, batch 1) reads and node 2")},
    {"branches: result of a product", only_check("m = 8, n = 8, k = 8, batch 1) writes and node 2")},
    {"branches: two products, one workspace", only_check("byte 0 of a device allocation of 256 bytes")},
    {"fork before what it should follow", only_check("1 pairs of nodes touch")},
    {"join after what should follow it", only_check("1 pairs of nodes touch")},
};

std::string claimed(const Claim& claim) {
#if defined(R2PAC_CUDA_HOST_CHECK)
  return claim.check;
#elif defined(R2PAC_CUDA_HOST_ASAN)
  return claim.asan;
#else
  return claim.plain;
#endif
}

}  // namespace

TEST_CASE("saxpy is right at every remainder of a vector and a block") {
  any_order();
  for (const std::size_t count : {1u, 3u, 4u, 127u, 513u, 1031u}) {
    const std::vector<float> x = random_values(count, 1), y = random_values(count, 2);
    const std::vector<float> got = kernels::saxpy(0.5f, x, y);
    for (std::size_t i = 0; i < count; ++i) REQUIRE(got[i] == y[i] + 0.5f * x[i]);  // a half is exact
  }
}

TEST_CASE("shuffles and shared memory add up rows") {
  any_order();
  const int rows = 5;
  for (const int columns : {1, 31, 128, 257}) {
    const std::vector<float> values = random_values(static_cast<std::size_t>(rows * columns), 3);
    const std::vector<float> sums = kernels::row_sums(values, rows, columns);
    for (int row = 0; row < rows; ++row) {
      double exact = 0, magnitude = 0;
      for (int i = 0; i < columns; ++i) {
        const auto value = static_cast<double>(values[static_cast<std::size_t>(row * columns + i)]);
        exact += value;
        magnitude += std::abs(value);
      }
      REQUIRE(std::abs(sums[static_cast<std::size_t>(row)] - exact) <= sum_bound(columns, magnitude));
    }
  }
}

TEST_CASE("a tiled product is right in static and in dynamic shared memory") {
  any_order();
  const int rows = 33, inner = 21, columns = 18;
  const std::vector<float> a = random_values(rows * inner, 4), b = random_values(inner * columns, 5);
  for (const bool dynamic : {false, true}) {
    const std::vector<float> got = kernels::matmul(a, b, rows, inner, columns, dynamic);
    for (int row = 0; row < rows; ++row) {
      for (int column = 0; column < columns; ++column) {
        double exact = 0, magnitude = 0;
        for (int k = 0; k < inner; ++k) {
          const double term = static_cast<double>(a[static_cast<std::size_t>(row * inner + k)]) *
                              static_cast<double>(b[static_cast<std::size_t>(k * columns + column)]);
          exact += term;
          magnitude += std::abs(term);
        }
        const double error = got[static_cast<std::size_t>(row * columns + column)] - exact;
        REQUIRE(std::abs(error) <= sum_bound(inner, magnitude));
      }
    }
  }
}

TEST_CASE("operations of a warp follow CUDA's definitions") {
  any_order();
  const std::vector<int> got = kernels::warp_operations();
  for (int thread = 0; thread < 64; ++thread) {
    const int lane = thread % 32;
    const int ballot = 0x49249249;  // every third lane
    const int expected[kernels::kWarpOperations] = {105,
                                                    100 + lane / 8 * 8 + 3,
                                                    100 + (lane ^ 1),
                                                    100 + (lane + 4 < 32 ? lane + 4 : lane),
                                                    100 + (lane % 16 + 4 < 16 ? lane + 4 : lane),
                                                    100 + (lane >= 2 ? lane - 2 : lane),
                                                    100 + (lane % 8 >= 2 ? lane - 2 : lane),
                                                    ballot,
                                                    1,
                                                    0,
                                                    32 * 100 + 31 * 16,
                                                    50 - 131,
                                                    131,
                                                    14,
                                                    1,
                                                    0};
    for (int i = 0; i < kernels::kWarpOperations; ++i) {
      CAPTURE(thread, i);
      REQUIRE(got[static_cast<std::size_t>(thread * kernels::kWarpOperations + i)] == expected[i]);
    }
  }
}

TEST_CASE("parts of a warp may work by themselves") {
  any_order();
  const std::vector<int> got = kernels::group_sums();
  for (int thread = 0; thread < 64; ++thread) {
    const int group = (thread ^ 8) / 8;
    const int sum = 8 * (8 * group) + 28;
    REQUIRE(got[static_cast<std::size_t>(thread)] == (group % 2 == 0 ? 2 * sum : sum));
  }
}

TEST_CASE("atomic operations lose nothing") {
  any_order();
  const kernels::AtomicResults got = kernels::atomics(500);
  CHECK(got.sum == 500 * 499 / 2);
  CHECK(got.largest == 499);
  CHECK(got.smallest == -499);
  CHECK(got.bits == 0xff);
  CHECK(got.count == 500);
  CHECK(got.single == 500.0f);
  CHECK(got.twice == 250.0);
  CHECK(got.by_compare_and_swap == 1000);
}

TEST_CASE("threads may write neighbouring bytes") {
  any_order();
  const std::vector<unsigned char> got = kernels::bytes(1001);
  for (std::size_t i = 0; i < got.size(); ++i) REQUIRE(got[i] == i % 251);
}

TEST_CASE("constant memory is read by kernels") {
  any_order();
  const std::vector<float> got = kernels::polynomial({1, 2, 4}, {0, 1, -1, 0.5f});
  CHECK(got == std::vector<float>{1, 7, 3, 3});
}

TEST_CASE("a captured graph with two branches replays with new inputs") {
  any_order();
  // 1 -> 2 * 1 + 3 = 5 -> 2 * 5 - 1 = 9 -> 2 * 9 + 0.5; three replays, of two copies and three kernels
  CHECK(kernels::replayed({3, -1, 0.5f}) == std::vector<float>{5, 9, 18.5f, 3, 5});
}

TEST_CASE("a capture refuses what a graph cannot hold") {
  CHECK(kernels::spoiled_captures() ==
        std::vector<std::string>{"cudaErrorStreamCaptureUnsupported", "cudaErrorStreamCaptureInvalidated",
                                 "cudaErrorStreamCaptureUnsupported", "cudaErrorStreamCaptureInvalidated",
                                 "cudaErrorStreamCaptureImplicit", "cudaErrorStreamCaptureInvalidated",
                                 "cudaErrorStreamCaptureUnjoined"});
}

TEST_CASE("batched products round their operands as the precision says") {
  any_order();
  const int batch = 3, rows = 7, inner = 19, columns = 5;
  const std::vector<float> a = random_values(batch * rows * inner, 6),
                           b = random_values(batch * columns * inner, 7);
  const auto precision =
      GENERATE(kernels::Precision::fp32, kernels::Precision::tf32, kernels::Precision::bf16);
  const auto rounded = [&](float value) -> double {
    return precision == kernels::Precision::tf32   ? cuda_host::round_tf32(value)
           : precision == kernels::Precision::bf16 ? cuda_host::round_bf16(value)
                                                   : value;
  };
  const std::vector<float> got = kernels::gemm(precision, a, b, batch, rows, inner, columns);
  for (int i = 0; i < batch * rows * columns; ++i) {
    const int item = i / (rows * columns), row = i / columns % rows, column = i % columns;
    double exact = 0, magnitude = 0;
    for (int k = 0; k < inner; ++k) {
      const double term = rounded(a[static_cast<std::size_t>((item * rows + row) * inner + k)]) *
                          rounded(b[static_cast<std::size_t>((item * columns + column) * inner + k)]);
      exact += term;
      magnitude += std::abs(term);
    }
    REQUIRE(std::abs(got[static_cast<std::size_t>(i)] - exact) <= sum_bound(inner, magnitude));
  }
}

TEST_CASE("a product is refused if a leading dimension is less than the rows that are stored") {
  using Shape = kernels::ProductShape;
  const std::string refused = "CUBLAS_STATUS_INVALID_VALUE", right = "CUBLAS_STATUS_SUCCESS";
  CHECK(kernels::status_of(Shape{5, 3, 2, 5, 2, 5}) == right);
  CHECK(kernels::status_of(Shape{5, 3, 2, 8, 4, 8}) == right);
  CHECK(kernels::status_of(Shape{5, 3, 2, 4, 2, 5}) == refused);
  CHECK(kernels::status_of(Shape{5, 3, 2, 5, 1, 5}) == refused);
  CHECK(kernels::status_of(Shape{5, 3, 2, 5, 2, 4}) == refused);
  CHECK(kernels::status_of(Shape{5, 3, 2, 2, 3, 5, true}) == right);  // A [2, 5] and B [3, 2] as stored
  CHECK(kernels::status_of(Shape{5, 3, 2, 1, 3, 5, true}) == refused);
  CHECK(kernels::status_of(Shape{5, 3, 2, 2, 2, 5, true}) == refused);
  CHECK(kernels::status_of(Shape{-1, 3, 2, 5, 2, 5}) == refused);
}

TEST_CASE("products whose columns begin at multiples of 16 bytes are counted") {
  using Shape = kernels::ProductShape;
  const auto aligned = [](const Shape& shape) {
    const cuda_host::ProductCounts before = cuda_host::product_counts();
    REQUIRE(kernels::status_of(shape) == "CUBLAS_STATUS_SUCCESS");
    const cuda_host::ProductCounts after = cuda_host::product_counts();
    CHECK(after.all == before.all + 1);
    return after.aligned == before.aligned + 1;
  };
  CHECK(aligned({8, 4, 4, 8, 4, 8}));
  CHECK(aligned({5, 3, 2, 8, 4, 8}));  // the size does not matter, the distance of columns does
  CHECK(aligned({5, 1, 2, 8, 2, 5}));  // nor does that of a single column
  CHECK(!aligned({8, 4, 4, 9, 4, 8}));
  CHECK(!aligned({8, 4, 4, 8, 6, 8}));
  CHECK(!aligned({8, 4, 4, 8, 4, 10}));
  CHECK(!aligned({8, 4, 4, 8, 4, 8, false, 1}));
  CHECK(aligned({8, 4, 4, 8, 4, 8, false, 4}));
}

TEST_CASE("products that are the first of their handle in a capture are counted") {
  const auto counted = [](bool warm) {
    const std::size_t before = cuda_host::product_counts().first_in_capture;
    kernels::capture_product(warm);
    return cuda_host::product_counts().first_in_capture - before;
  };
  CHECK(counted(false) == 1);
  CHECK(counted(true) == 0);
}

TEST_CASE("rounding goes to the nearest, ties to even") {
  const auto step = [](int bits) { return std::ldexp(1.0f, -bits); };
  CHECK(cuda_host::round_bf16(1 + step(8)) == 1.0f);                    // a tie; 1 is even
  CHECK(cuda_host::round_bf16(1 + 3 * step(8)) == 1 + 2 * step(7));     // a tie; goes up to even
  CHECK(cuda_host::round_bf16(1 + step(8) + step(20)) == 1 + step(7));  // above the tie
  CHECK(cuda_host::round_bf16(-1 - step(8) - step(20)) == -1 - step(7));
  CHECK(cuda_host::round_tf32(1 + step(11)) == 1.0f);
  CHECK(cuda_host::round_tf32(1 + 3 * step(11)) == 1 + 2 * step(10));
  CHECK(cuda_host::round_tf32(1 + step(11) + step(22)) == 1 + step(10));
  CHECK(std::isinf(cuda_host::round_bf16(std::numeric_limits<float>::max())));
  CHECK(std::isinf(cuda_host::round_tf32(std::numeric_limits<float>::infinity())));
  CHECK(std::isnan(cuda_host::round_bf16(std::bit_cast<float>(0x7f800001u))));
  CHECK(cuda_host::round_bf16(0.0f) == 0.0f);
}

TEST_CASE("a refused launch names kernel, status and place") {
  try {
    kernels::launch_too_large();
    FAIL("the launch was accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::device);
    CHECK_THAT(error.what(),
               Catch::Contains("scale_kernel") && Catch::Contains("cudaErrorInvalidConfiguration"));
    CHECK_THAT(error.where(), Catch::Contains("test_kernels.cu:"));
  }
}

TEST_CASE("device memory has an end") {
  REQUIRE(setenv("R2PAC_CUDA_HOST_MEMORY", "1000", 1) == 0);
  CHECK_NOTHROW(kernels::allocate(1000));
  CHECK_THROWS_WITH(kernels::allocate(1001), Catch::Contains("cudaErrorMemoryAllocation"));
  REQUIRE(unsetenv("R2PAC_CUDA_HOST_MEMORY") == 0);
}

TEST_CASE("a block may ask for more shared memory than the default") {
  CHECK(kernels::large_shared_memory() == 25 * 1024);
}

TEST_CASE("no device memory is left over") {
  kernels::replayed({1});
  kernels::row_sums({1, 2}, 1, 2);
  CHECK(cuda_host::memory_in_use().allocations == 0);
  CHECK(cuda_host::memory_in_use().bytes == 0);
}

TEST_CASE("every fault has a claim") {
  for (const std::string& name : kernels::fault_names()) {
    CAPTURE(name);
    CHECK(claims.contains(name));
  }
  CHECK(claims.size() == kernels::fault_names().size());
}

TEST_CASE("every fault that this build claims to find is found") {
  for (const auto& [name, claim] : claims) {
    const std::string text = claimed(claim);
    if (text.empty()) continue;
    for (const std::uint64_t seed : {0u, 3u}) {
      cuda_host::set_seed(seed);
      CAPTURE(name, seed);
      CHECK_THAT(report_of_fault(name), Catch::Contains(text));
    }
  }
  cuda_host::set_seed(0);
}

TEST_CASE("what nobody waits for shows as a wrong result in some order") {
  constexpr std::uint64_t kSeeds = 20;
  for (const std::string& name : kernels::stream_case_names()) {
    CAPTURE(name);
    cuda_host::set_seed(0);  // work runs at once
    CHECK(kernels::run_stream_case(name, true) == 2);
    CHECK(kernels::run_stream_case(name, false) == 2);
    std::uint64_t wrong = 0;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      cuda_host::set_seed(seed);
      CHECK(kernels::run_stream_case(name, true) == 2);
      const float first = kernels::run_stream_case(name, false);
      wrong += first != 2;
      cuda_host::set_seed(seed);
      kernels::run_stream_case(name, true);
      CHECK(kernels::run_stream_case(name, false) == first);  // the same seed, the same order
    }
    CHECK(wrong > 0);
  }
  cuda_host::set_seed(0);
}

TEST_CASE("branches that meet in order, in reads, in parts of an array or in atomic operations do not race") {
  any_order();
  CHECK(kernels::sound_branches() == std::vector<float>{16, 129, 2, 16});
}

TEST_CASE("a race is a byte that two unordered nodes touch, one of them writing") {
  using cuda_host::Footprint;
  const auto races = [](const cuda_host::Dependencies& after, const std::vector<Footprint>& footprints) {
    const cuda_host::BranchCheck found = check_branches(after, footprints);
    std::string text = std::to_string(found.edges) + " edges, " + std::to_string(found.unordered) + " pairs";
    for (const cuda_host::Race& race : found.races) {
      text += "; " + std::to_string(race.first) + (race.first_writes ? " writes, " : " reads, ") +
              std::to_string(race.second) + (race.second_writes ? " writes " : " reads ") +
              std::to_string(race.bytes.begin) + " to " + std::to_string(race.bytes.end);
    }
    return text;
  };
  const Footprint nothing, writes{{}, {{100, 104}, {200, 208}}, {}}, reads{{{90, 100}, {204, 300}}, {}, {}},
      beside{{}, {{96, 100}, {104, 200}}, {}}, counts{{}, {}, {{203, 204}}};
  const cuda_host::Dependencies chain = {{}, {0}, {1}}, fork = {{}, {0}, {0}},
                                diamond = {{}, {0}, {0}, {1, 2}};
  CHECK(races(chain, {writes, writes, reads}) == "2 edges, 0 pairs");  // 2 follows 0 by way of 1
  CHECK(races(fork, {writes, writes, beside}) == "2 edges, 1 pairs");
  CHECK(races(fork, {nothing, reads, reads}) == "2 edges, 1 pairs");
  CHECK(races(fork, {nothing, counts, counts}) == "2 edges, 1 pairs");
  CHECK(races(fork, {nothing, writes, reads}) == "2 edges, 1 pairs; 1 writes, 2 reads 204 to 208");
  CHECK(races(fork, {nothing, reads, writes}) == "2 edges, 1 pairs; 1 reads, 2 writes 204 to 208");
  CHECK(races(fork, {nothing, counts, writes}) == "2 edges, 1 pairs; 1 writes, 2 writes 203 to 204");
  CHECK(races(fork, {writes, writes, writes}) == "2 edges, 1 pairs; 1 writes, 2 writes 100 to 104");
  CHECK(races(diamond, {writes, writes, nothing, writes}) == "4 edges, 1 pairs");
  CHECK(races({{}, {}, {0}, {1}}, {writes, nothing, nothing, reads}) ==
        "2 edges, 4 pairs; 0 writes, 3 reads 204 to 208");
}

TEST_CASE("a report names kernel, block, thread and launch") {
  const std::string report = report_of_fault("divergent barrier");
  CHECK_THAT(report, Catch::Contains("in kernel") && Catch::Contains("divergent_barrier"));
  CHECK_THAT(report, Catch::Contains("block (0, 0, 0), thread (") && Catch::Contains("launched at "));
  CHECK_THAT(report, Catch::Contains("fault_kernels.cu:"));
}
