// The fused sampler kernel against the CPU's sampler in double.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "acting/fused_action.cuh"
#include "acting/select.h"
#include "acting_references.h"
#include "any_order.h"
#include "base/error.h"
#include "cuda_host/block.h"

using namespace r2pac;
using namespace r2pac::acting_test;
using cuda::DeviceArray;
using cuda::FusedAction;

namespace {

Answer<float> run_kernel(const Case& c, FusedAction& action, const std::vector<float>& observations,
                         const std::vector<float>& noise) {
  const std::size_t n = size(c.observations), all = n * size(c.candidates);
  const float poison = -12345;
  const DeviceArray<float> on_observations(observations), candidates(noise), q_cost(std::vector(all, poison)),
      chosen(n * kChunk), chosen_q_cost(std::vector(n, poison)), v_reward(std::vector(n, poison)),
      v_cost(std::vector(n, poison));
  action.run({.observations = on_observations.data(),
              .candidates = candidates.data(),
              .q_cost = q_cost.data(),
              .chosen = chosen.data(),
              .chosen_q_cost = chosen_q_cost.data(),
              .v_reward = v_reward.data(),
              .v_cost = v_cost.data()},
             {c.observations, c.score, c.values}, nullptr);
  return {candidates.host(),    q_cost.host(),   chosen.host(),
          chosen_q_cost.host(), v_reward.host(), v_cost.host()};
}

/// Root of the mean of squares, and greatest, of the differences from the reference.
struct Distance {
  double mean = 0, greatest = 0;
};
Distance distance(const std::vector<float>& x, const std::vector<double>& expected) {
  REQUIRE(x.size() == expected.size());
  Distance d;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double diff = static_cast<double>(x[i]) - expected[i];
    d.mean += diff * diff / static_cast<double>(x.size());
    if (!(std::abs(diff) <= d.greatest)) d.greatest = std::abs(diff);
  }
  d.mean = std::sqrt(d.mean);
  return d;
}

/// The kernel may err twice as much as the naive one: both round the same operands, so only the order of sums
/// tells them apart. Half a unit in the last place of the values is granted to either, since a naive sum of
/// few terms may be exact by luck.
void check_close(const std::vector<float>& got, const std::vector<float>& plain,
                 const std::vector<double>& expected) {
  const Distance mine = distance(got, expected), theirs = distance(plain, expected);
  double size_of_values = 0;
  for (const double v : expected) size_of_values = std::max(size_of_values, std::abs(v));
  const double unit = size_of_values * std::numeric_limits<float>::epsilon() / 2;
  CAPTURE(mine.mean, theirs.mean, mine.greatest, theirs.greatest);
  CHECK(mine.mean <= 2 * std::max(theirs.mean, unit));
  CHECK(mine.greatest <= 2 * std::max(theirs.greatest, unit));
}

void check_case(const Case& c, Precision precision) {
  CAPTURE(c.hidden, static_cast<int>(c.activation), c.label, c.guidance, c.candidates, c.score, c.values,
          static_cast<int>(precision));
  const Nets nets = make_nets(c);
  const auto observations = normals(size(c.observations) * kObservation, 20),
             noise = normals(size(c.observations) * size(c.candidates) * kChunk, 21);
  DeviceNets device(nets);
  const FlowOptions options{kFlowSteps, c.guidance, c.label};
  REQUIRE(FusedAction::misfit(device.weights, options, c.candidates, precision, 99 << 10).empty());
  FusedAction action(device.weights, options, c.candidates, precision);
  action.pack(nullptr);
  const Answer<float> got = run_kernel(c, action, observations, noise);
  const Answer<float> plain = naive(c, nets, precision, observations, noise);
  const Answer<double> expected = reference(c, nets, observations, noise);

  check_close(got.candidates, plain.candidates, expected.candidates);
  const auto untouched = [](const std::vector<float>& x) {
    return std::all_of(x.begin(), x.end(), [](float v) { return v == -12345; });
  };
  if (c.score) {
    check_close(got.q_cost, plain.q_cost, expected.q_cost);
  } else {
    CHECK(untouched(got.q_cost));
    CHECK(untouched(got.chosen_q_cost));
  }
  if (c.values) {
    check_close(got.v_reward, plain.v_reward, expected.v_reward);
    check_close(got.v_cost, plain.v_cost, expected.v_cost);
  } else {
    CHECK(untouched(got.v_reward));
    CHECK(untouched(got.v_cost));
  }
  for (int n = 0; n < c.observations; ++n) {  // the choice follows from the kernel's own Q_c
    const float* q_cost = got.q_cost.data() + size(n) * size(c.candidates);
    const int best = c.score ? least_cost(q_cost, c.candidates) : 0;
    const float* chunk = got.candidates.data() + (size(n) * size(c.candidates) + size(best)) * kChunk;
    CHECK(std::equal(chunk, chunk + kChunk, got.chosen.begin() + n * kChunk));
    if (c.score) CHECK(got.chosen_q_cost[size(n)] == q_cost[best]);
  }
}

}  // namespace

TEST_CASE("acting is as near the CPU's sampler in double as a naive kernel of its precision") {
  any_order();
  const auto precision = GENERATE(Precision::tf32, Precision::bf16);
  const auto c = GENERATE(
      Case{.hidden = {24, 40, 16}},  //
      Case{.hidden = {64, 64}, .activation = Activation::gelu_tanh, .candidates = 5, .values = false},
      Case{.hidden = {33}, .candidates = 20, .observations = 1},
      Case{.hidden = {41, 70}, .guidance = 0, .candidates = 20},
      Case{.hidden = {40, 24}, .guidance = 1, .candidates = 40, .observations = 1},
      Case{.hidden = {40, 24}, .label = kLabelNull, .candidates = 1, .observations = 3, .score = false},
      Case{.hidden = {40, 24}, .label = kLabelNull, .candidates = 5, .values = false},
      Case{.hidden = {24, 100}, .guidance = 0.5, .candidates = 1, .critic_hidden = {50, 20, 30}});
  check_case(c, precision);
}

TEST_CASE("the widest layers use every warp") {
  cuda_host::set_seed(77);
  const auto precision = GENERATE(Precision::tf32, Precision::bf16);
  check_case({.hidden = {490, 512}, .candidates = 3, .observations = 1, .critic_hidden = {9, 500}},
             precision);
}

TEST_CASE("an observation's answer has the same bits alone and among others, and pack renews the weights") {
  any_order();
  Case c{.hidden = {40, 24}, .candidates = 18, .observations = 3};
  const auto observations = normals(3 * kObservation, 20), noise = normals(3 * 18 * kChunk, 21);
  Nets nets = make_nets(c);
  DeviceNets device(nets);
  FusedAction action(device.weights, {kFlowSteps, c.guidance, c.label}, c.candidates, Precision::bf16);
  action.pack(nullptr);
  const Answer<float> together = run_kernel(c, action, observations, noise);
  c.observations = 1;
  for (int n = 0; n < 3; ++n) {
    const Answer<float> alone = run_kernel(
        c, action, {observations.begin() + n * kObservation, observations.begin() + (n + 1) * kObservation},
        {noise.begin() + n * 18 * kChunk, noise.begin() + (n + 1) * 18 * kChunk});
    CHECK(std::equal(alone.q_cost.begin(), alone.q_cost.end(), together.q_cost.begin() + n * 18));
    CHECK(std::equal(alone.chosen.begin(), alone.chosen.end(), together.chosen.begin() + n * kChunk));
    CHECK(alone.v_reward[0] == together.v_reward[size(n)]);
  }

  // The same memory with other values, as after a step of training.
  const auto change = [](const LayerWeights<float>& layer, std::vector<float>& host) {
    for (float& w : host) w = -0.5f * w;
    R2_CUDA(cudaMemcpy(const_cast<float*>(layer.weight), host.data(), host.size() * sizeof(float),
                       cudaMemcpyHostToDevice));
  };
  change(device.weights.flow.rest.layers[0], nets.flow.weight[1]);
  change(device.weights.flow.rest.layers[1], nets.flow.weight[2]);
  action.pack(nullptr);
  DeviceNets other(nets);
  FusedAction fresh(other.weights, {kFlowSteps, c.guidance, c.label}, c.candidates, Precision::bf16);
  fresh.pack(nullptr);
  const std::vector<float> s(observations.begin(), observations.begin() + kObservation),
      x(noise.begin(), noise.begin() + 18 * kChunk);
  const Answer<float> renewed = run_kernel(c, action, s, x);
  CHECK(renewed.candidates == run_kernel(c, fresh, s, x).candidates);
  CHECK(renewed.candidates !=
        std::vector<float>(together.candidates.begin(), together.candidates.begin() + 18 * kChunk));
}

TEST_CASE("a NaN candidate spoils no other, and is chosen only if all are NaN") {
  any_order();
  const auto precision = GENERATE(Precision::tf32, Precision::bf16);
  const Case c{.hidden = {40, 24}, .candidates = 20, .observations = 1};
  const auto observations = normals(kObservation, 20);
  auto noise = normals(20 * kChunk, 21);
  DeviceNets device(make_nets(c));
  FusedAction action(device.weights, {kFlowSteps, c.guidance, c.label}, c.candidates, precision);
  action.pack(nullptr);
  const Answer<float> clean = run_kernel(c, action, observations, noise);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto best = size(least_cost(clean.q_cost.data(), 20));
  for (const std::size_t spoilt : {std::size_t{0}, best, std::size_t{17}}) noise[spoilt * kChunk + 2] = nan;
  const Answer<float> got = run_kernel(c, action, observations, noise);
  for (std::size_t i = 0; i < 20; ++i) {
    if (i == 0 || i == best || i == 17) {
      CHECK(std::isnan(got.q_cost[i]));
    } else {
      CHECK(got.q_cost[i] == clean.q_cost[i]);
    }
  }
  const auto chosen = size(least_cost(got.q_cost.data(), 20));
  CHECK(got.chosen_q_cost[0] == got.q_cost[chosen]);
  CHECK(std::equal(got.chosen.begin(), got.chosen.end(),
                   got.candidates.begin() + static_cast<std::ptrdiff_t>(chosen * kChunk)));
  for (std::size_t i = 0; i < 20; ++i) noise[i * kChunk] = nan;
  const Answer<float> none = run_kernel(c, action, observations, noise);
  CHECK(std::isnan(none.chosen_q_cost[0]));
  CHECK(std::isnan(none.chosen[0]));
}

TEST_CASE("of equal costs the first is chosen") {
  any_order();
  const Case c{.hidden = {40, 24}, .candidates = 20, .observations = 1};
  Nets nets = make_nets(c);
  for (Net& critic : nets.critics)  // blind to the chunk
    std::fill(critic.weight[0].begin() + kObservation * c.hidden[0], critic.weight[0].end(), 0.0f);
  DeviceNets device(nets);
  FusedAction action(device.weights, {kFlowSteps, c.guidance, c.label}, c.candidates, Precision::tf32);
  action.pack(nullptr);
  auto noise = normals(20 * kChunk, 21);
  noise[0] = std::numeric_limits<float>::quiet_NaN();  // 0 times NaN is NaN
  const Answer<float> got = run_kernel(c, action, normals(kObservation, 20), noise);
  REQUIRE(got.q_cost[1] == got.q_cost[19]);
  CHECK(std::equal(got.chosen.begin(), got.chosen.end(), got.candidates.begin() + kChunk));
}

TEST_CASE("what the kernel cannot run is said in words") {
  const Case c{.hidden = {40, 24}};
  DeviceNets device(make_nets(c));
  const FlowOptions options{kFlowSteps, 2, kLabelGood};
  const auto misfit = [&](const ActionWeights<float>& weights, Precision precision = Precision::tf32,
                          std::size_t limit = 99 << 10) {
    return FusedAction::misfit(weights, options, 16, precision, limit);
  };
  using Catch::Contains;
  CHECK(misfit(device.weights).empty());
  CHECK_THAT(misfit(device.weights, Precision::fp32), Contains("fp32"));
  CHECK_THAT(misfit(device.weights, Precision::tf32, 1000), Contains("needs") && Contains("1000"));
  ActionWeights<float> changed = device.weights;
  changed.q_cost[1].layers[0].gain = changed.q_cost[1].layers[0].bias;
  CHECK_THAT(misfit(changed), Contains("critic") && Contains("layer normalisation"));
  CHECK_THROWS_AS(FusedAction(changed, options, 16, Precision::tf32), InvalidArgument);
  changed = device.weights;
  changed.flow.first_width = 513;
  CHECK_THAT(misfit(changed), Contains("flow") && Contains("513"));
  changed = device.weights;
  changed.v_cost.layers.erase(changed.v_cost.layers.begin(), changed.v_cost.layers.end() - 1);
  CHECK_THAT(misfit(changed), Contains("V_c") && Contains("hidden"));
  changed = device.weights;
  changed.v_reward = changed.v_cost = {};
  FusedAction without(changed, options, 1, Precision::tf32);
  CHECK_THROWS_AS(without.run({}, {1, true, true}, nullptr), InvalidArgument);
}

TEST_CASE("nets of 512 fit the shared memory of every device since compute capability 8.0") {
  const Case c{.hidden = {512, 512}};
  DeviceNets device(make_nets(c));
  for (const Precision precision : {Precision::tf32, Precision::bf16})
    CHECK(FusedAction(device.weights, {kFlowSteps, 2, kLabelGood}, 16, precision).shared_bytes() < 99 << 10);
}
