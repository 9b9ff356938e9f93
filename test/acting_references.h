// What acting is compared with: the CPU's sampler in double, and a naive kernel of a device's precision.
#pragma once

#include <algorithm>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "acting_nets.h"
#include "cuda_host/round.h"
#include "kernels/dense.h"
#include "kernels/flow.h"
#include "kernels/precision.h"

namespace r2pac::acting_test {

/// Weights in T packed as candidates.h wants them on the CPU.
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
    layer.products = &native_dense<T>();
    layer.packed = arena.pack(layer.weight, layer.in, layer.out);
    mlp.layers.push_back(layer);
  }
  return mlp;
}

inline Answer<double> reference(const Case& c, const Nets& nets, const std::vector<float>& observations,
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
    answer.q_cost.insert(answer.q_cost.end(), cost.begin(), cost.end());
    for (const auto& [net, to] :
         {std::pair{&nets.v_reward, &answer.v_reward}, std::pair{&nets.v_cost, &answer.v_cost}}) {
      const MlpWeights<double> mlp = cpu_mlp(arena, *net, nets.activation, 0);
      std::vector<double> buffers(2 * size(mlp.width()));
      mlp_forward(mlp, s.data(), 1, &to->emplace_back(), buffers.data());
    }
  }
  return answer;
}

/// Loops in fp32; only the products of the hidden layers after the first round their operands.
inline std::vector<float> naive_forward(const Net& net, Activation activation, Precision precision,
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

inline Answer<float> naive(const Case& c, const Nets& nets, Precision precision,
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
      answer.q_cost.push_back(cost);
    }
    answer.v_reward.push_back(naive_forward(nets.v_reward, nets.activation, precision, s)[0]);
    answer.v_cost.push_back(naive_forward(nets.v_cost, nets.activation, precision, s)[0]);
  }
  return answer;
}

}  // namespace r2pac::acting_test
