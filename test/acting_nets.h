// Small networks for tests of acting, without the engine: drawn, plain, and on a CUDA device.
#pragma once

#include <cmath>
#include <initializer_list>
#include <span>
#include <vector>

#include "acting/candidates.h"
#include "base/philox.h"
#include "cuda/device_array.cuh"
#include "kernels/critic.h"

namespace r2pac::acting_test {

inline std::size_t size(int n) { return static_cast<std::size_t>(n); }

/// Networks and a call of them.
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

inline constexpr int kObservation = 7, kLabel = 3, kChunk = 6, kFlowSteps = 3;

/// Dense layers, each a weight [in, out] and a bias.
struct Net {
  std::vector<int> widths;  // in, hidden ..., out
  std::vector<std::vector<float>> weight, bias;
};

inline Net make_net(std::vector<int> widths, std::uint64_t lane) {
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

inline std::vector<float> joined(std::initializer_list<std::span<const float>> parts) {
  std::vector<float> all;
  for (const auto& part : parts)
    for (const float value : part) all.push_back(value);
  return all;
}

inline std::vector<float> normals(std::size_t count, std::uint64_t lane) {
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

inline Nets make_nets(const Case& c) {
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
  std::vector<T> candidates, q_cost, chosen, chosen_q_cost, v_reward, v_cost;
};

/// Plain weights on the device.
struct DeviceNets {
  std::vector<cuda::DeviceArray<float>> kept;
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
    for (const Net& critic : nets.critics) weights.q_cost.push_back(mlp(critic, nets.activation, 0));
    weights.v_reward = mlp(nets.v_reward, nets.activation, 0);
    weights.v_cost = mlp(nets.v_cost, nets.activation, 0);
  }
};

}  // namespace r2pac::acting_test
