// The CUDA reductions against sums in double and the CPU's quantile.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "any_order.h"
#include "base/error.h"
#include "base/philox.h"
#include "cuda/device_array.cuh"
#include "cuda_host/block.h"
#include "kernels/reduce.cuh"
#include "kernels/reduce.h"
#include "near.h"

using namespace r2pac;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                kInfinity = std::numeric_limits<float>::infinity();
constexpr double kEpsilon = std::numeric_limits<float>::epsilon();

/// A tensor on both sides: normal numbers with `gap` NaN between members and `offset` NaN before the first.
struct Tensor {
  Tensor(int nets, int rows, int cols, std::size_t gap, std::size_t offset, std::uint32_t number)
      : stride(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols) + gap),
        host(offset + static_cast<std::size_t>(nets) * stride, kNan),
        device(0) {
    for (int k = 0; k < nets; ++k)
      for (std::size_t i = 0; i < stride - gap; ++i)
        host[offset + static_cast<std::size_t>(k) * stride + i] = random_normal(
            19, Purpose::test, number, static_cast<std::uint32_t>(k), static_cast<std::uint32_t>(i));
    device = cuda::DeviceArray<float>(host);
    on_host = {host.data() + offset, stride, nets, rows, cols};
    on_device = {device.data() + offset, stride, nets, rows, cols};
  }
  std::size_t stride;
  std::vector<float> host;
  cuda::DeviceArray<float> device;
  View<float> on_host, on_device;
};

/// What a sum is made of.
struct Case {
  int nets, rows, cols;  // of x
  int factor_nets = 0;   // 0: no factor
  bool one_factor_per_row = false;
  bool labelled = false, across_members = false;
  std::size_t gap = 0, offset = 0, factor_offset = 0;
};

const std::vector<Case> cases = {
    {1, 1, 1},
    {1, 1, 130},
    {3, 257, 31},
    {2, 1023, 1},                             // means
    {3, 509, 64, 0, false, false, false, 4},  // four columns at a time
    {2, 37, 12, 0, false, false, false, 8},   // with lanes to spare
    {1, 3, 4},
    {2, 67, 36, 0, false, false, false, 1},    // a second member that is not aligned
    {1, 65, 8, 0, false, false, false, 0, 3},  // nor the first
    {3, 255, 33, 1, true},                     // a head's gradient, of one factor
    {1, 129, 20, 3, true},                     // one input, several members' factors
    {4, 61, 1, 4},                             // one column, one factor each
    {2, 300, 36, 2, false, false, false, 4},   // gains
    {1, 31, 5, 3},
    {2, 31, 8, 2, false, false, false, 0, 0, 2},  // factors that are not aligned
    {2, 253, 33, 0, false, true},
    {1, 512, 16, 0, false, true},
    {4, 127, 1, 0, false, false, true},  // a loss
    {3, 33, 12, 3, false, false, true},
    {3, 70, 7, 0, false, true, true, 2},
};

constexpr float kLabel = 2;

/// All cases, each with its own data; `sums` and `outs` refer to it.
struct Problem {
  Problem() {
    std::uint32_t number = 0;
    for (const Case& c : cases) {
      x.emplace_back(c.nets, c.rows, c.cols, c.gap, c.offset, ++number);
      factor.emplace_back(std::max(c.factor_nets, 1), c.rows, c.one_factor_per_row ? 1 : c.cols, c.gap,
                          c.factor_offset, ++number);
      std::vector<float> of_rows;
      for (int r = 0; r < c.rows; ++r)
        of_rows.push_back(
            static_cast<float>(random_below(3, Purpose::test, number, static_cast<std::uint32_t>(r), 3)));
      // Rows with another label have no part, whatever they hold.
      if (c.labelled && of_rows[0] != kLabel) {
        x.back().host[c.offset] = kNan;
        x.back().device = cuda::DeviceArray<float>(x.back().host);
        x.back().on_device.data = x.back().device.data() + c.offset;
      }
      labels.push_back(of_rows);
      device_labels.emplace_back(of_rows);
      members.push_back(std::max(c.nets, c.factor_nets));
      out.emplace_back(std::vector<float>(out_stride(c) * static_cast<std::size_t>(members.back()), kNan));
      cuda::ColumnSum sum;
      sum.x = x.back().on_device;
      if (c.factor_nets > 0) sum.factor = factor.back().on_device;
      if (c.labelled) sum.label = kLabel;
      sum.labels = device_labels.back().data();
      sum.across_members = c.across_members;
      sum.scale = scale(number);
      sum.out = out.back().data();
      sum.out_stride = out_stride(c);
      sums.push_back(sum);
    }
  }
  static float scale(std::size_t number) { return 1 / static_cast<float>(number); }
  static std::size_t out_stride(const Case& c) { return static_cast<std::size_t>(c.cols) + 3; }

  std::vector<Tensor> x, factor;
  std::vector<std::vector<float>> labels;
  std::vector<int> members;
  std::vector<cuda::DeviceArray<float>> device_labels, out;
  std::vector<cuda::ColumnSum> sums;
};

/// Sum i in double against what the device gave, and that nothing beside it was written.
void check_sum(const Problem& problem, std::size_t i, const std::vector<float>& out) {
  const Case& c = cases[i];
  const View<float>&x = problem.x[i].on_host, &factor = problem.factor[i].on_host;
  const int outer = c.across_members ? 1 : problem.members[i];
  const auto scale = static_cast<double>(problem.sums[i].scale);
  std::size_t wrong = 0, touched = 0;
  std::vector<bool> written(out.size());
  for (int k = 0; k < outer; ++k) {
    for (int j = 0; j < c.cols; ++j) {
      double sum = 0, magnitude = 0, count = 0;
      for (int m = k; m < (c.across_members ? problem.members[i] : k + 1); ++m) {
        for (int r = 0; r < c.rows; ++r) {
          if (c.labelled && problem.labels[i][static_cast<std::size_t>(r)] != kLabel) continue;
          double term = static_cast<double>(x.row(m, r)[j]);
          if (c.factor_nets > 0) term *= static_cast<double>(factor.row(m, r)[c.one_factor_per_row ? 0 : j]);
          sum += term;
          magnitude += std::abs(term);
          ++count;
        }
      }
      const std::size_t at =
          static_cast<std::size_t>(k) * Problem::out_stride(c) + static_cast<std::size_t>(j);
      written[at] = true;
      // A sum of n products in any order: one rounding per product, sum and scale.
      wrong += !near(static_cast<double>(out[at]), scale * sum, (count + 1) * kEpsilon * scale * magnitude);
    }
  }
  for (std::size_t at = 0; at < out.size(); ++at) touched += !written[at] && !std::isnan(out[at]);
  CAPTURE(i, c.nets, c.rows, c.cols);
  CHECK(wrong == 0);
  CHECK(touched == 0);
}

bool same(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// One threshold on the device and on the CPU.
struct Thresholds {
  float device, cpu;
};
Thresholds thresholds(const std::vector<float>& x, double alpha, double keep, float before,
                      unsigned long long step) {
  std::vector<float> values = x, work(x.size());
  const int rows = static_cast<int>(x.size());
  const StepState state{step};
  Thresholds result{0, before};
  update_threshold(View<float>{values.data(), 0, 1, rows, 1}, alpha, keep, &state, 5, &result.cpu,
                   work.data());
  const cuda::DeviceArray<float> device_x(x), threshold(std::vector<float>{before});
  const cuda::DeviceArray<StepState> device_state(std::vector<StepState>{state});
  cuda::update_threshold(View<float>{device_x.data(), 0, 1, rows, 1}, alpha, keep, device_state.data(), 5,
                         threshold.data(), nullptr);
  result.device = threshold.host()[0];
  return result;
}

}  // namespace

TEST_CASE("cuda: column sums of every form, in one launch") {
  any_order();
  Problem problem;
  cuda::column_sums(problem.sums, nullptr);
  for (std::size_t i = 0; i < cases.size(); ++i) check_sum(problem, i, problem.out[i].host());
}

TEST_CASE("cuda: column sums have the same bits in any order of threads") {
  cuda_host::set_seed(0);
  Problem problem;
  cuda::column_sums(problem.sums, nullptr);
  std::vector<std::vector<float>> expected;
  for (const auto& out : problem.out) expected.push_back(out.host());
  cuda_host::set_seed(GENERATE(std::uint64_t{1}, std::uint64_t{77}));
  cuda::column_sums(problem.sums, nullptr);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::vector<float> out = problem.out[i].host();
    CHECK(std::equal(out.begin(), out.end(), expected[i].begin(), expected[i].end(), same));
  }
}

TEST_CASE("cuda: more column sums than one table holds") {
  any_order();
  const Tensor x(1, 9, 97, 0, 0, 1);
  const cuda::DeviceArray<float> out(std::vector<float>(97, kNan));
  std::vector<cuda::ColumnSum> sums(97);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    sums[i].x = x.on_device;
    sums[i].x.cols = 1;  // another matrix of the same memory: 9 numbers from i on
    sums[i].x.data += i;
    sums[i].out = out.data() + i;
  }
  cuda::column_sums(sums, nullptr);
  const std::vector<float> values = out.host();
  for (std::size_t i = 0; i < sums.size(); ++i) {
    double sum = 0, magnitude = 0;
    for (std::size_t r = 0; r < 9; ++r) {
      sum += static_cast<double>(x.host[i + r]);
      magnitude += std::abs(static_cast<double>(x.host[i + r]));
    }
    CHECK(near(static_cast<double>(values[i]), sum, 9 * kEpsilon * magnitude));
  }
  cuda::column_sums({}, nullptr);
}

TEST_CASE("cuda: column sums that do not fit together are refused") {
  cuda::DeviceArray<float> memory(64);
  cuda::ColumnSum good;
  good.x = {memory.data(), 8, 2, 4, 2};
  good.out = memory.data();
  const auto refused = [](const cuda::ColumnSum& sum) {
    CHECK_THROWS_AS(cuda::column_sums({sum}, nullptr), InvalidArgument);
  };
  auto sum = good;
  sum.x.data = nullptr;
  refused(sum);
  sum = good;
  sum.out = nullptr;
  refused(sum);
  sum = good;
  sum.factor = {memory.data(), 8, 2, 3, 2};
  refused(sum);
  sum.factor = {memory.data(), 8, 3, 4, 2};
  refused(sum);
  sum.factor = {memory.data(), 8, 2, 4, 3};
  refused(sum);
  sum = good;
  sum.label = 1;
  refused(sum);
  sum.labels = memory.data();
  sum.factor = good.x;
  refused(sum);
}

TEST_CASE("cuda: the threshold is the CPU's quantile") {
  any_order();
  const int rows = GENERATE(1, 2, 3, 31, 32, 33, 255, 1023, 1024, 1025, 3001, cuda::kMaxQuantileRows);
  std::vector<float> x;
  for (int r = 0; r < rows; ++r)
    x.push_back(random_normal(11, Purpose::test, 0, static_cast<std::uint32_t>(r), 1));
  double largest = 0;
  for (const float value : x) largest = std::max(largest, static_cast<double>(std::abs(value)));
  for (const double alpha : {0.0, 0.05, 0.5, 0.9, 1.0}) {
    CAPTURE(rows, alpha);
    const Thresholds now = thresholds(x, alpha, 0, kNan, 9);
    // The same two order statistics, at most `largest`, so their difference at most twice that. Difference,
    // product and sum are rounded by half an epsilon each, or less often with a fused multiply-add.
    CHECK(near(now.device, now.cpu, 3 * kEpsilon * largest));
  }
}

TEST_CASE("cuda: ties, zeros of both signs, infinities and NaN in the threshold") {
  any_order();
  const std::vector<float> special = {-kInfinity, -3, -0.0f, 0.0f, 1e-42f, 1, kInfinity, kNan, -kNan};
  const auto kinds = GENERATE(4u, 6u, 9u);  // the last ones are infinity and NaN
  const std::uint32_t skip = GENERATE(0u, 1u);
  std::vector<float> x;
  for (std::uint32_t r = 0; r < 17; ++r)
    x.push_back(special[skip + random_below(23, Purpose::test, kinds, r, kinds - skip)]);
  for (int position = 0; position <= 32; ++position) {
    CAPTURE(kinds, skip, position);
    // At or halfway between order statistics: their halves are exact.
    const Thresholds now = thresholds(x, position / 32.0, 0, kNan, 9);
    CHECK(same(now.device, now.cpu));
  }
}

TEST_CASE("cuda: the threshold moves slowly after the first step") {
  any_order();
  const std::vector<float> x = {4, 1, 3, 2};
  const Thresholds first = thresholds(x, 0.5, 0.75, kNan, 5), later = thresholds(x, 0.5, 0.75, 10, 6);
  CHECK(first.device == 2.5f);
  CHECK(first.cpu == 2.5f);
  CHECK(later.device == 0.75f * 10 + 0.25f * 2.5f);
  CHECK(later.cpu == later.device);
}

TEST_CASE("cuda: a threshold of too many rows or of a matrix is refused") {
  const cuda::DeviceArray<float> x(std::vector<float>(cuda::kMaxQuantileRows + 1)), out(1);
  const cuda::DeviceArray<StepState> state(std::vector<StepState>(1));
  const auto update = [&](int nets, int rows, int cols) {
    cuda::update_threshold(View<float>{x.data(), 0, nets, rows, cols}, 0.5, 0, state.data(), 0, out.data(),
                           nullptr);
  };
  CHECK_THROWS_AS(update(1, cuda::kMaxQuantileRows + 1, 1), InvalidArgument);
  CHECK_THROWS_AS(update(1, 0, 1), InvalidArgument);
  CHECK_THROWS_AS(update(2, 2, 1), InvalidArgument);
  CHECK_THROWS_AS(update(1, 2, 2), InvalidArgument);
}
