// Random numbers of the CUDA kernels against base/philox.h, double precision and cuRAND's host generator.
#include <catch2/catch.hpp>
#include <cmath>
#include <numbers>
#include <vector>

#include "any_order.h"
#include "base/error.h"
#include "cuda/device_array.cuh"
#include "cuda_host/block.h"
#include "kernels/random.cuh"
#include "near.h"
#ifdef R2PAC_WITH_CURAND
#include <curand.h>
#endif

using namespace r2pac;

namespace {

constexpr int kRows = 997, kLanes = 1003;  // 10^6 values; rows start at every alignment
constexpr std::uint64_t kStep = (std::uint64_t{1} << 40) + 12345;

/// Calls check(row, lane, value) for each value of [rows, lanes].
template <class Check>
void for_each_value(const std::vector<float>& values, int rows, int lanes, Check check) {
  REQUIRE(values.size() == static_cast<std::size_t>(rows) * static_cast<std::size_t>(lanes));
  auto value = values.begin();
  for (int r = 0; r < rows; ++r)
    for (int l = 0; l < lanes; ++l)
      check(static_cast<std::uint32_t>(r), static_cast<std::uint32_t>(l), *value++);
}

}  // namespace

TEST_CASE("cuda: uniform numbers are the CPU's bit for bit") {
  const std::uint64_t seed = any_order() * 0x123456789ull + 5;
  const auto [rows, lanes] = GENERATE(std::pair{kRows, kLanes}, std::pair{1, 1}, std::pair{3, 2},
                                      std::pair{5, 3}, std::pair{67, 4}, std::pair{1, 257});
  cuda::DeviceArray<float> out(static_cast<std::size_t>(rows) * static_cast<std::size_t>(lanes));
  cuda::fill_uniform(seed, Purpose::test, kStep, rows, lanes, out.data(), nullptr);
  std::size_t different = 0;
  for_each_value(out.host(), rows, lanes, [&](std::uint32_t r, std::uint32_t l, float value) {
    different += value != random_uniform(seed, Purpose::test, kStep, r, l);
  });
  CHECK(different == 0);
}

TEST_CASE("cuda: normal numbers are right to the error that is stated, and near the CPU's") {
  const std::uint64_t seed = any_order() + 7;
  cuda::DeviceArray<float> out(std::size_t{kRows} * kLanes);
  cuda::fill_normal(seed, Purpose::flow_noise, kStep, kRows, kLanes, out.data(), nullptr);
  // 2.5 units in the last place (random.cuh), a unit being at most epsilon times the value.
  constexpr double relative = 2.5 * std::numeric_limits<float>::epsilon();
  constexpr double angle = 4.2e-7;  // of the host's angle, which the layer's "device" uses, too
  std::size_t wrong = 0, far_from_cpu = 0;
  for_each_value(out.host(), kRows, kLanes, [&](std::uint32_t r, std::uint32_t l, float value) {
    const std::uint32_t pair = l / 2 * 2;
    const auto uniform = [&](std::uint32_t lane) {
      return static_cast<double>(random_uniform(seed, Purpose::flow_noise, kStep, r, lane));
    };
    const double radius = std::sqrt(-2 * std::log(uniform(pair)));
    const double turn = 2 * std::numbers::pi * uniform(pair + 1);
    const double exact = radius * (l % 2 == 0 ? std::cos(turn) : std::sin(turn));
    wrong += !near(value, exact, radius * angle + std::abs(exact) * relative);
    far_from_cpu += !near(value, random_normal(seed, Purpose::flow_noise, kStep, r, l), 1.1e-6 * radius);
  });
  CHECK(wrong == 0);
  CHECK(far_from_cpu == 0);
}

TEST_CASE("cuda: random numbers of shapes that cannot be are refused") {
  cuda::DeviceArray<float> out(1);
  const auto fill = [&](int rows, int lanes) {
    cuda::fill_uniform(1, Purpose::test, 0, rows, lanes, out.data(), nullptr);
  };
  CHECK_THROWS_AS(fill(0, 4), InvalidArgument);
  CHECK_THROWS_AS(fill(4, 0), InvalidArgument);
  CHECK_THROWS_AS(fill(1 << 20, 1 << 13), InvalidArgument);
}

#ifdef R2PAC_WITH_CURAND
TEST_CASE("cuda: our Philox in cuRAND's layout is cuRAND's host generator bit for bit") {
  const std::uint64_t order = any_order();
  const std::uint64_t seed = std::vector<std::uint64_t>{0, 1, 0x9e3779b97f4a7c15}[order % 3];
  // 2^20 values pass through all 2^16 subsequences four times; the rest ends inside a group of four.
  const std::size_t n = GENERATE(std::size_t{1}, std::size_t{6}, (std::size_t{1} << 20) + 1027);
  CAPTURE(seed, n);
  cuda::DeviceArray<float> out(n);
  cuda::fill_curand_layout(seed, n, out.data(), nullptr);

  std::vector<float> expected(n);
  curandGenerator_t generator = nullptr;
  REQUIRE(curandCreateGeneratorHost(&generator, CURAND_RNG_PSEUDO_PHILOX4_32_10) == CURAND_STATUS_SUCCESS);
  CHECK(curandSetPseudoRandomGeneratorSeed(generator, seed) == CURAND_STATUS_SUCCESS);
  CHECK(curandGenerateUniform(generator, expected.data(), n) == CURAND_STATUS_SUCCESS);
  CHECK(curandDestroyGenerator(generator) == CURAND_STATUS_SUCCESS);

  const std::vector<float> values = out.host();
  std::size_t different = 0;
  for (std::size_t i = 0; i < n; ++i) different += !(values[i] == expected[i]);
  CHECK(different == 0);
}
#endif
