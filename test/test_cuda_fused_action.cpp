// The fused sampler kernel against the CPU's sampler in double.
#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <span>

#include "acting/fused_action.cuh"
#include "acting/select.h"
#include "any_order.h"
#include "base/error.h"
#include "base/philox.h"
#include "cuda/device_array.cuh"
#include "cuda_host/block.h"
#include "cuda_host/round.h"
#include "kernels/critic.h"
#include "kernels/dense.h"
#include "kernels/flow.h"

using namespace r2pac;
using cuda::DeviceArray;
using cuda::FusedAction;

namespace {

std::size_t size(int n) { return static_cast<std::size_t>(n); }

// ---- Networks
// ----------------------------------------------------------------------------------------------

struct Case {
  std::vector<int> hidden;
  Activation activation = Activation::gelu_erf;
  int label = kLabelGood;
  double guidance = 2;
  int candidates = 16;
  int observations = 2;
  bool score = true, values = true;
  std::vector<int> critic_hidden = {};  // hidden, if empty
};

constexpr int kObservation = 7, kLabel = 3, kChunk = 6, kFlowSteps = 3;

/// Dense layers, each a weight [in, out] and a bias.
struct Net {
  std::vector<int> widths;  // in, hidden ..., out
  std::vector<std::vector<float>> weight, bias;
};

Net make_net(std::vector<int> widths, std::uint64_t lane) {
  Net net{std::move(widths), {}, {}};
  for (std::size_t l = 0; l + 1 < net.widths.size(); ++l) {
    const int in = net.widths[l], out = net.widths[l + 1];
    const double scale = 1.3 / std::sqrt(in);
    std::vector<float> w(size(in) * size(out)), b(size(out));
    for (std::size_t i = 0; i < w.size(); ++i)
      w[i] = static_cast<float>(scale * static_cast<double>(random_normal(11, Purpose::test, lane,
                                                                          static_cast<std::uint32_t>(2 * l),
                                                                          static_cast<std::uint32_t>(i))));
    for (std::size_t i = 0; i < b.size(); ++i)
      b[i] = 0.2f * random_normal(11, Purpose::test, lane, static_cast<std::uint32_t>(2 * l + 1),
                                  static_cast<std::uint32_t>(i));
    net.weight.push_back(w);
    net.bias.push_back(b);
  }
  return net;
}

std::vector<float> joined(std::initializer_list<std::span<const float>> parts) {
  std::vector<float> all;
  for (const auto& part : parts)
    for (const float value : part) all.push_back(value);
  return all;
}

std::vector<float> normals(std::size_t count, std::uint64_t lane) {
  std::vector<float> x(count);
  for (std::size_t i = 0; i < count; ++i)
    x[i] = random_normal(12, Purpose::test, lane, 0, static_cast<std::uint32_t>(i));
  return x;
}

struct Nets {
  Net flow;  // of (observation, label, chunk, time), PAPER.md's order
  std::vector<float> labels;
  std::vector<Net> critics;
  Net v_reward, v_cost;
  Activation activation;
};

Nets make_nets(const Case& c) {
  const auto widths = [](int in, const std::vector<int>& hidden, int out) {
    std::vector<int> all{in};
    all.insert(all.end(), hidden.begin(), hidden.end());
    all.push_back(out);
    return all;
  };
  const std::vector<int>& critic = c.critic_hidden.empty() ? c.hidden : c.critic_hidden;
  Nets nets{make_net(widths(kObservation + kLabel + kChunk + 1, c.hidden, kChunk), 1),
            normals(3 * kLabel, 2),
            {},
            make_net(widths(kObservation, critic, 1), 5),
            make_net(widths(kObservation, critic, 1), 6),
            c.activation};
  for (std::uint64_t k = 0; k < 2; ++k)
    nets.critics.push_back(make_net(widths(kObservation + kChunk, critic, 1), 7 + k));
  return nets;
}

/// What acting says about some observations, in the order of ActionBuffers.
template <class T>
struct Answer {
  std::vector<T> candidates, costs, chosen, chosen_cost, v_reward, v_cost;
};

// ---- The CPU's sampler in double
// -----------------------------------------------------------------------------

/// Weights in T with what candidates.h wants of them: packed for the CPU, or plain on the device.
template <class T>
struct Arena {
  std::vector<std::vector<T>> kept;
  const T* keep(std::vector<T> values) { return kept.emplace_back(std::move(values)).data(); }
  const T* pack(const T* weight, int in, int out) {
    std::vector<T> packed(native_dense<T>().packed_size(in, out));
    native_dense<T>().pack(weight, in, out, out, false, packed.data());
    return keep(std::move(packed));
  }
};

template <class T>
MlpWeights<T> cpu_mlp(Arena<T>& arena, const Net& net, Activation activation, std::size_t first) {
  MlpWeights<T> mlp{{}, activation};
  for (std::size_t l = first; l < net.weight.size(); ++l) {
    LayerWeights<T> layer;
    layer.in = net.widths[l];
    layer.out = net.widths[l + 1];
    layer.weight = arena.keep({net.weight[l].begin(), net.weight[l].end()});
    layer.bias = arena.keep({net.bias[l].begin(), net.bias[l].end()});
    layer.packed = arena.pack(layer.weight, layer.in, layer.out);
    mlp.layers.push_back(layer);
  }
  return mlp;
}

Answer<double> reference(const Case& c, const Nets& nets, const std::vector<float>& observations,
                         const std::vector<float>& noise) {
  Arena<double> arena;
  arena.kept.reserve(1000);
  FlowWeights<double> flow;
  const int d = c.hidden[0];
  const double* first = arena.keep({nets.flow.weight[0].begin(), nets.flow.weight[0].end()});
  flow.observation_dim = kObservation;
  flow.label_dim = kLabel;
  flow.chunk_dim = kChunk;
  flow.first_width = d;
  flow.observation = arena.pack(first, kObservation, d);
  flow.label = arena.pack(first + kObservation * d, kLabel, d);
  flow.chunk = arena.pack(first + (kObservation + kLabel) * d, kChunk, d);
  flow.time = first + (kObservation + kLabel + kChunk) * d;
  flow.bias = arena.keep({nets.flow.bias[0].begin(), nets.flow.bias[0].end()});
  flow.label_table = arena.keep({nets.labels.begin(), nets.labels.end()});
  flow.rest = cpu_mlp(arena, nets.flow, nets.activation, 1);
  std::vector<MlpWeights<double>> critics;
  for (const Net& critic : nets.critics) critics.push_back(cpu_mlp(arena, critic, nets.activation, 0));
  const FlowOptions options{kFlowSteps, c.guidance, c.label};

  Answer<double> answer;
  answer.candidates.assign(noise.begin(), noise.end());
  std::vector<double> flow_memory(flow_scratch(flow, c.candidates)),
      score_memory(score_scratch(critics[0], c.candidates));
  for (int n = 0; n < c.observations; ++n) {
    const std::vector<double> s(observations.begin() + n * kObservation,
                                observations.begin() + (n + 1) * kObservation);
    double* x = answer.candidates.data() + size(n) * size(c.candidates) * kChunk;
    integrate_flow(flow, options, s.data(), c.candidates, x, flow_memory.data());
    std::vector<double> cost(size(c.candidates));
    extreme_score(critics, Extreme::greatest, s.data(), kObservation, x, kChunk, c.candidates, cost.data(),
                  score_memory.data());
    answer.costs.insert(answer.costs.end(), cost.begin(), cost.end());
    for (const auto& [net, to] :
         {std::pair{&nets.v_reward, &answer.v_reward}, std::pair{&nets.v_cost, &answer.v_cost}}) {
      const MlpWeights<double> mlp = cpu_mlp(arena, *net, nets.activation, 0);
      std::vector<double> buffers(2 * size(mlp.width()));
      mlp_forward(mlp, s.data(), 1, &to->emplace_back(), buffers.data());
    }
  }
  return answer;
}

// ---- A naive kernel of the same precision
// ---------------------------------------------------------------------

/// Loops in fp32; only the products of the hidden layers after the first round their operands.
std::vector<float> naive_forward(const Net& net, Activation activation, Precision precision,
                                 std::vector<float> x) {
  const std::size_t layers = net.weight.size();
  const auto operand = [precision](float value, bool rounds) {
    if (!rounds) return value;
    return precision == Precision::bf16 ? cuda_host::round_bf16(value) : cuda_host::round_tf32(value);
  };
  for (std::size_t l = 0; l < layers; ++l) {
    const bool hidden = l + 1 < layers, rounds = l > 0 && hidden;
    const std::size_t out = size(net.widths[l + 1]);
    std::vector<float> y(out);
    for (std::size_t j = 0; j < out; ++j) {
      float sum = 0;
      for (std::size_t i = 0; i < x.size(); ++i)
        sum += operand(x[i], rounds) * operand(net.weight[l][i * out + j], rounds);
      sum += net.bias[l][j];
      y[j] = !hidden                              ? sum
             : activation == Activation::gelu_erf ? formula::gelu_erf(sum).value
                                                  : formula::gelu_tanh(sum).value;
    }
    x = y;
  }
  return x;
}

Answer<float> naive(const Case& c, const Nets& nets, Precision precision,
                    const std::vector<float>& observations, const std::vector<float>& noise) {
  Answer<float> answer;
  answer.candidates = noise;
  const float dt = 1.0f / kFlowSteps;
  for (int n = 0; n < c.observations; ++n) {
    const std::vector<float> s(observations.begin() + n * kObservation,
                               observations.begin() + (n + 1) * kObservation);
    for (int i = 0; i < c.candidates; ++i) {
      float* x = answer.candidates.data() + (size(n) * size(c.candidates) + size(i)) * kChunk;
      const auto velocity = [&](int label, float time) {
        const std::span labels(nets.labels);
        const std::vector<float> input =
            joined({s, labels.subspan(size(label) * kLabel, kLabel), {x, kChunk}, {&time, 1}});
        return naive_forward(nets.flow, nets.activation, precision, input);
      };
      for (int step = 0; step < kFlowSteps; ++step) {
        const float time = static_cast<float>(step) * dt;
        const auto without = velocity(kLabelNull, time), with = velocity(c.label, time);
        for (std::size_t j = 0; j < kChunk; ++j)
          x[j] = formula::euler_step(
              x[j], formula::guided_velocity(without[j], with[j], static_cast<float>(c.guidance)), dt);
      }
      for (int j = 0; j < kChunk; ++j) x[j] = formula::clip_action(x[j]);
      const std::vector<float> pair = joined({s, {x, kChunk}});
      float cost = -std::numeric_limits<float>::infinity();
      for (const Net& critic : nets.critics)
        cost = std::max(cost, naive_forward(critic, nets.activation, precision, pair)[0]);
      answer.costs.push_back(cost);
    }
    answer.v_reward.push_back(naive_forward(nets.v_reward, nets.activation, precision, s)[0]);
    answer.v_cost.push_back(naive_forward(nets.v_cost, nets.activation, precision, s)[0]);
  }
  return answer;
}

// ---- The kernel
// ------------------------------------------------------------------------------------------------

/// Plain weights on the device.
struct DeviceNets {
  std::vector<DeviceArray<float>> kept;
  ActionWeights<float> weights;

  const float* keep(const std::vector<float>& values) { return kept.emplace_back(values).data(); }
  MlpWeights<float> mlp(const Net& net, Activation activation, std::size_t first) {
    MlpWeights<float> mlp{{}, activation};
    for (std::size_t l = first; l < net.weight.size(); ++l) {
      LayerWeights<float> layer;
      layer.weight = keep(net.weight[l]);
      layer.bias = keep(net.bias[l]);
      layer.in = net.widths[l];
      layer.out = net.widths[l + 1];
      mlp.layers.push_back(layer);
    }
    return mlp;
  }
  explicit DeviceNets(const Nets& nets) {
    FlowWeights<float>& flow = weights.flow;
    const int d = nets.flow.widths[1];
    const float* first = keep(nets.flow.weight[0]);
    flow.observation_dim = kObservation;
    flow.label_dim = kLabel;
    flow.chunk_dim = kChunk;
    flow.first_width = d;
    flow.observation = first;
    flow.label = first + kObservation * d;
    flow.chunk = first + (kObservation + kLabel) * d;
    flow.time = first + (kObservation + kLabel + kChunk) * d;
    flow.bias = keep(nets.flow.bias[0]);
    flow.label_table = keep(nets.labels);
    flow.rest = mlp(nets.flow, nets.activation, 1);
    for (const Net& critic : nets.critics) weights.cost_critics.push_back(mlp(critic, nets.activation, 0));
    weights.v_reward = mlp(nets.v_reward, nets.activation, 0);
    weights.v_cost = mlp(nets.v_cost, nets.activation, 0);
  }
};

Answer<float> run_kernel(const Case& c, FusedAction& action, const std::vector<float>& observations,
                         const std::vector<float>& noise) {
  const std::size_t n = size(c.observations), all = n * size(c.candidates);
  const float poison = -12345;
  const DeviceArray<float> on_observations(observations), candidates(noise), costs(std::vector(all, poison)),
      chosen(n * kChunk), chosen_cost(std::vector(n, poison)), v_reward(std::vector(n, poison)),
      v_cost(std::vector(n, poison));
  action.run({.observations = on_observations.data(),
              .candidates = candidates.data(),
              .costs = costs.data(),
              .chosen = chosen.data(),
              .chosen_cost = chosen_cost.data(),
              .v_reward = v_reward.data(),
              .v_cost = v_cost.data()},
             {c.observations, c.score, c.values}, nullptr);
  return {candidates.host(), costs.host(), chosen.host(), chosen_cost.host(), v_reward.host(), v_cost.host()};
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
    check_close(got.costs, plain.costs, expected.costs);
  } else {
    CHECK(untouched(got.costs));
    CHECK(untouched(got.chosen_cost));
  }
  if (c.values) {
    check_close(got.v_reward, plain.v_reward, expected.v_reward);
    check_close(got.v_cost, plain.v_cost, expected.v_cost);
  } else {
    CHECK(untouched(got.v_reward));
    CHECK(untouched(got.v_cost));
  }
  for (int n = 0; n < c.observations; ++n) {  // the choice follows from the kernel's own costs
    const float* costs = got.costs.data() + size(n) * size(c.candidates);
    const int best = c.score ? least_cost(costs, c.candidates) : 0;
    const float* chunk = got.candidates.data() + (size(n) * size(c.candidates) + size(best)) * kChunk;
    CHECK(std::equal(chunk, chunk + kChunk, got.chosen.begin() + n * kChunk));
    if (c.score) CHECK(got.chosen_cost[size(n)] == costs[best]);
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
    CHECK(std::equal(alone.costs.begin(), alone.costs.end(), together.costs.begin() + n * 18));
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
  const auto best = size(least_cost(clean.costs.data(), 20));
  for (const std::size_t spoilt : {std::size_t{0}, best, std::size_t{17}}) noise[spoilt * kChunk + 2] = nan;
  const Answer<float> got = run_kernel(c, action, observations, noise);
  for (std::size_t i = 0; i < 20; ++i) {
    if (i == 0 || i == best || i == 17) {
      CHECK(std::isnan(got.costs[i]));
    } else {
      CHECK(got.costs[i] == clean.costs[i]);
    }
  }
  const auto chosen = size(least_cost(got.costs.data(), 20));
  CHECK(got.chosen_cost[0] == got.costs[chosen]);
  CHECK(std::equal(got.chosen.begin(), got.chosen.end(),
                   got.candidates.begin() + static_cast<std::ptrdiff_t>(chosen * kChunk)));
  for (std::size_t i = 0; i < 20; ++i) noise[i * kChunk] = nan;
  const Answer<float> none = run_kernel(c, action, observations, noise);
  CHECK(std::isnan(none.chosen_cost[0]));
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
  REQUIRE(got.costs[1] == got.costs[19]);
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
  changed.cost_critics[1].layers[0].gain = changed.cost_critics[1].layers[0].bias;
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
