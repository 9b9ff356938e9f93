// The optimiser on the device against the CPU's code in double: its errors may be twice those of the
// CPU's code in float.
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "any_order.h"
#include "base/error.h"
#include "base/philox.h"
#include "cuda/device_array.cuh"
#include "cuda_host/block.h"
#include "kernels/update.cuh"
#include "near.h"

using namespace r2pac;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr double kEpsilon = std::numeric_limits<float>::epsilon();
constexpr unsigned long long kFirstStep = 1000;

/// A piece's size and how many values after an aligned address each of its arrays begins.
struct Shape {
  std::size_t size;
  std::array<std::size_t, 5> shift{};
  bool has_target = true;
};
constexpr std::array<std::size_t, 5> all(std::size_t shift) { return {shift, shift, shift, shift, shift}; }

/// The five arrays of all pieces, each array in one memory with NaN between the pieces.
enum Array { value, first_moment, second_moment, gradient, target };
template <class T>
using Arrays = std::array<std::vector<T>, 5>;

class Layout {
 public:
  explicit Layout(std::vector<Shape> shapes) : shapes_(std::move(shapes)) {
    std::size_t begin = 4;
    for (const Shape& shape : shapes_) {
      begins_.push_back(begin);
      begin += (shape.size + 3) / 4 * 4 + 8;
    }
    total_ = begin;
  }
  std::size_t pieces() const { return shapes_.size(); }
  const Shape& shape(std::size_t piece) const { return shapes_[piece]; }
  std::size_t at(std::size_t piece, Array array) const {
    return begins_[piece] + shapes_[piece].shift[array];
  }

  /// NaN, and numbers where a piece lies: moments that are possible, and normal otherwise.
  template <class T>
  Arrays<T> numbers() const {
    Arrays<T> arrays;
    for (int a = 0; a < 5; ++a) {
      const auto array = static_cast<Array>(a);
      arrays[array].assign(total_, std::numeric_limits<T>::quiet_NaN());
      for (std::size_t p = 0; p < pieces(); ++p)
        for (std::size_t i = 0; i < shapes_[p].size; ++i) {
          const float normal = random_normal(29, Purpose::test, static_cast<std::uint64_t>(a),
                                             static_cast<std::uint32_t>(p), static_cast<std::uint32_t>(i));
          arrays[array][at(p, array) + i] = static_cast<T>(array == second_moment ? normal * normal : normal);
        }
    }
    return arrays;
  }

  /// Piece p of arrays that begin at `memory`.
  template <class T>
  UpdateArguments<T> arguments(std::size_t p, const std::array<T*, 5>& memory) const {
    const auto begin = [&](Array array) { return memory[array] + at(p, array); };
    return {begin(value),
            begin(first_moment),
            begin(second_moment),
            begin(gradient),
            shapes_[p].has_target ? begin(target) : nullptr,
            shapes_[p].size};
  }

 private:
  std::vector<Shape> shapes_;
  std::vector<std::size_t> begins_;
  std::size_t total_ = 0;
};

/// The CPU's update of all pieces; returns the sums of squares.
template <class T>
std::vector<T> update_on_cpu(const Layout& layout, Arrays<T>& arrays, const AdamSettings& settings,
                             unsigned long long step) {
  std::vector<T> squares(layout.pieces());
  const StepState state{step, step};
  const std::array<T*, 5> memory = {arrays[0].data(), arrays[1].data(), arrays[2].data(), arrays[3].data(),
                                    arrays[4].data()};
  for (std::size_t p = 0; p < layout.pieces(); ++p)
    update_parameters(layout.arguments(p, memory), settings, &state, kFirstStep, &squares[p]);
  return squares;
}

/// All pieces on the device.
class Device {
 public:
  Device(const Layout& layout, const Arrays<float>& arrays, unsigned long long step,
         std::size_t loss_count = 3)
      : losses(std::vector<float>(loss_count, 0.5f)),
        state(std::vector<StepState>{{step, step}}),
        squares(std::vector<float>(layout.pieces() + 1, kNan)),
        scratch_(0) {
    std::array<float*, 5> addresses{};
    for (std::size_t a = 0; a < 5; ++a) {
      memory.emplace_back(arrays[a]);
      addresses[a] = memory[a].data();
    }
    for (std::size_t p = 0; p < layout.pieces(); ++p) pieces_.push_back(layout.arguments(p, addresses));
    for (std::size_t i = 0; i < loss_count; ++i) loss_addresses_.push_back(losses.data() + i);
    scratch_ = cuda::DeviceArray<float>(cuda::update_scratch(pieces_));
  }
  void update(const AdamSettings& settings, cudaStream_t stream = nullptr) {
    cuda::update_parameters(pieces_, settings, state.data(), kFirstStep, scratch_.data(), stream);
    cuda::finish_step(pieces_, state.data(), loss_addresses_, scratch_.data(), squares.data(), stream);
  }
  void set(const cuda::DeviceArray<float>& array, std::size_t i, float to) {
    R2_CUDA(cudaMemcpy(array.data() + i, &to, sizeof to, cudaMemcpyHostToDevice));
  }
  unsigned long long completed() const { return state.host()[0].completed; }
  unsigned long long first_bad_step() const { return state.host()[0].first_bad_step; }

  std::vector<cuda::DeviceArray<float>> memory;
  cuda::DeviceArray<float> losses;
  cuda::DeviceArray<StepState> state;
  cuda::DeviceArray<float> squares;

 private:
  std::vector<UpdateArguments<float>> pieces_;
  std::vector<const float*> loss_addresses_;
  cuda::DeviceArray<float> scratch_;
};

const std::vector<Shape> shapes = {
    {1},
    {3, all(2)},
    {4},
    {31, all(1), false},
    {4095, all(3)},  // the shift pushes two values beyond the only chunk
    {4096, all(0), false},
    {4096, all(3)},
    {4097},
    {10007, all(1)},
    {0},
    {9001, {0, 1, 2, 3, 0}},  // nothing in common
    {517, {0, 0, 0, 0, 2}},   // a target with another alignment
    {517, {0, 0, 0, 0, 2}, false},
};

/// Largest error of array `a` over all pieces.
template <class T>
double largest_error(const Layout& layout, Array a, const std::vector<T>& actual,
                     const std::vector<double>& expected) {
  double largest = 0;
  for (std::size_t p = 0; p < layout.pieces(); ++p)
    for (std::size_t i = layout.at(p, a); i < layout.at(p, a) + layout.shape(p).size; ++i) {
      const double error = std::abs(static_cast<double>(actual[i]) - expected[i]);
      if (!(error <= largest)) largest = error;  // NaN, too
    }
  return largest;
}

}  // namespace

TEST_CASE("cuda: Adam and Polyak are as near to double precision as the CPU's") {
  any_order();
  const unsigned long long t = GENERATE(1u, 2u, 10u, 1000u, 2000000u);
  const AdamSettings settings{.learning_rate = 0.01, .polyak = 0.05};
  const Layout layout(shapes);
  Arrays<double> exact = layout.numbers<double>();
  Arrays<float> single = layout.numbers<float>();
  const Arrays<float> before = single;
  Device device(layout, single, kFirstStep + t - 1);
  std::vector<double> squares;
  for (unsigned long long step = 0; step < 3; ++step) {
    squares = update_on_cpu(layout, exact, settings, kFirstStep + t - 1 + step);
    update_on_cpu(layout, single, settings, kFirstStep + t - 1 + step);
    device.update(settings);
  }
  CHECK(device.completed() == kFirstStep + t + 2);
  CHECK(device.first_bad_step() == 0);

  for (const Array a : {value, first_moment, second_moment, target}) {
    CAPTURE(t, a);
    const std::vector<float> result = device.memory[a].host();
    CHECK(largest_error(layout, a, result, exact[a]) <= 2 * largest_error(layout, a, single[a], exact[a]));
    // Nothing else was touched: neither the gaps nor targets of pieces that have none.
    std::size_t touched = 0;
    for (std::size_t i = 0; i < result.size(); ++i)
      touched += std::isnan(before[a][i]) != std::isnan(result[i]);
    CHECK(touched == 0);
  }
  const std::vector<float> sums = device.squares.host();
  for (std::size_t p = 0; p < layout.pieces(); ++p) {
    CAPTURE(p);  // a sum of n squares in any order, one rounding per square and sum
    CHECK(near(sums[p], squares[p], static_cast<double>(layout.shape(p).size) * kEpsilon * squares[p]));
  }
  CHECK(std::isnan(sums.back()));
}

TEST_CASE("cuda: Adam's corrections have the error that is stated") {
  any_order();
  // Betas that single precision holds, a learning rate of 1, no epsilon, and zero moments and values: what
  // remains is the constants' error and the roundings that the CPU's code has, too.
  const AdamSettings settings{.learning_rate = 1, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 0, .polyak = 1};
  const Layout layout(std::vector<Shape>{Shape{101}});
  for (const unsigned long long t : {1ull, 2ull, 3ull, 10ull, 100ull, 1000ull, 30000ull, 1ull << 26}) {
    CAPTURE(t);
    Arrays<double> exact = layout.numbers<double>();
    Arrays<float> single = layout.numbers<float>();
    for (const Array a : {value, first_moment, second_moment})
      for (std::size_t i = 0; i < 101; ++i)
        exact[a][layout.at(0, a) + i] = single[a][layout.at(0, a) + i] = 0;
    Device device(layout, single, kFirstStep + t - 1);
    update_on_cpu(layout, exact, settings, kFirstStep + t - 1);
    update_on_cpu(layout, single, settings, kFirstStep + t - 1);
    device.update(settings);
    const std::vector<float> result = device.memory[value].host();
    double worst = 0, worst_cpu = 0;
    for (std::size_t i = layout.at(0, value); i < layout.at(0, value) + 101; ++i) {
      const double size = std::abs(exact[value][i]);
      worst = std::max(worst, std::abs(result[i] - exact[value][i]) / size);
      worst_cpu = std::max(worst_cpu, std::abs(single[value][i] - exact[value][i]) / size);
    }
    // update.cuh: 2 epsilon for 1 - beta1^t and half of that for the root of 1 - beta2^t; half an epsilon
    // each for root, inverse and quotient.
    CAPTURE(worst / kEpsilon, worst_cpu / kEpsilon);
    CHECK(worst <= worst_cpu + 4.5 * kEpsilon);
  }
}

TEST_CASE("cuda: updates have the same bits in any order of threads, and in a graph") {
  const Layout layout(shapes);
  const AdamSettings settings;
  cuda_host::set_seed(0);
  Device expected(layout, layout.numbers<float>(), kFirstStep);
  for (int step = 0; step < 3; ++step) expected.update(settings);

  cuda_host::set_seed(GENERATE(std::uint64_t{1}, std::uint64_t{77}));
  Device device(layout, layout.numbers<float>(), kFirstStep);
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t replay = nullptr;
  R2_CUDA(cudaStreamCreate(&stream));
  R2_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  device.update(settings, stream);
  R2_CUDA(cudaStreamEndCapture(stream, &graph));
  R2_CUDA(cudaGraphInstantiate(&replay, graph, 0));
  for (int step = 0; step < 3; ++step) R2_CUDA(cudaGraphLaunch(replay, stream));
  R2_CUDA(cudaStreamSynchronize(stream));
  R2_CUDA(cudaGraphExecDestroy(replay));
  R2_CUDA(cudaGraphDestroy(graph));
  R2_CUDA(cudaStreamDestroy(stream));

  CHECK(device.completed() == kFirstStep + 3);
  const auto same = [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  const auto same_array = [&](const cuda::DeviceArray<float>& a, const cuda::DeviceArray<float>& b) {
    const std::vector<float> left = a.host(), right = b.host();
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), same);
  };
  for (std::size_t a = 0; a < 5; ++a) CHECK(same_array(device.memory[a], expected.memory[a]));
  CHECK(same_array(device.squares, expected.squares));
}

TEST_CASE("cuda: the first step with a gradient or loss that is not finite is kept") {
  any_order();
  const Layout layout(std::vector<Shape>{{5}, {4099, all(1)}, {33}});
  const AdamSettings settings;
  Device device(layout, layout.numbers<float>(), 7000);
  device.update(settings);
  CHECK(device.first_bad_step() == 0);
  const bool is_loss = GENERATE(false, true);
  const std::array values = {kNan, std::numeric_limits<float>::infinity(), 1e30f};  // the last: when squared
  const float bad = values[GENERATE(0u, 1u, 2u)];
  const std::size_t i = GENERATE(0u, 1u, 2u);
  if (is_loss)
    device.set(device.losses, i, bad);
  else
    device.set(device.memory[gradient], layout.at(i, gradient) + layout.shape(i).size - 1, bad);
  CAPTURE(is_loss, bad, i);
  const unsigned long long found = is_loss && bad == 1e30f ? 0 : 7002;
  device.update(settings);
  CHECK(device.first_bad_step() == found);
  device.update(settings);
  CHECK(device.first_bad_step() == found);
  CHECK(device.completed() == 7003);
}

TEST_CASE("cuda: more pieces than one table holds, and none") {
  any_order();
  const std::size_t count = GENERATE(0u, 128u, 129u, 512u, 513u);
  const Layout layout(std::vector<Shape>(count, Shape{3, all(1)}));
  Arrays<double> exact = layout.numbers<double>();
  Device device(layout, layout.numbers<float>(), kFirstStep, cuda::kStepLosses);
  device.update({});
  const std::vector<double> squares = update_on_cpu<double>(layout, exact, {}, kFirstStep);
  const std::vector<float> sums = device.squares.host();
  for (std::size_t p = 0; p < count; ++p) CHECK(near(sums[p], squares[p], 3 * kEpsilon * squares[p]));
  CHECK(device.completed() == kFirstStep + 1);
  CHECK(device.first_bad_step() == 0);
  for (const std::size_t p : {std::size_t{0}, count - 1}) {
    if (count == 0) break;
    Device spoilt(layout, layout.numbers<float>(), kFirstStep);
    spoilt.set(spoilt.memory[gradient], layout.at(p, gradient), kNan);
    spoilt.update({});
    CHECK(spoilt.first_bad_step() == kFirstStep + 1);
  }
}

TEST_CASE("cuda: more losses than finish_step looks at are refused") {
  const Layout layout(std::vector<Shape>{Shape{5}});
  Device device(layout, layout.numbers<float>(), kFirstStep, cuda::kStepLosses + 1);
  CHECK_THROWS_AS(device.update({}), InvalidArgument);
  CHECK(device.completed() == kFirstStep);
}
