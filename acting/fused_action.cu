#include <algorithm>
#include <utility>
#include <vector>

#include "acting/fused_action.cuh"
#include "acting/fused_layers.cuh"
#include "acting/select.h"
#include "cuda/device_array.cuh"
#include "kernels/critic.h"
#include "kernels/flow.h"

namespace r2pac::cuda {
namespace {

using namespace fused;

/// s.x from noise to clipped chunks, which replace the noise in `candidates` [count, chunk_dim], too.
template <Precision kPrecision>
__device__ void integrate(const Table& table, const Run& run, const Shared& s, const float* observation,
                          float* candidates, int count) {
  const Net& flow = table.nets[0];
  const int thread = static_cast<int>(threadIdx.x), columns = kRowTile * run.candidate_tiles;
  for (int i = thread; i < run.chunk_dim * columns; i += kThreads) {
    const int input = i / columns, candidate = i % columns;
    s.x[i] = candidate < count ? candidates[candidate * run.chunk_dim + input] : 0.0f;
  }
  float constant[2][2];
  constant_part(flow, run, observation, constant);
  const FirstShare mine;
  __syncthreads();
  const float dt = 1.0f / static_cast<float>(run.flow_steps);
  const int other =
      (run.branches - 1) * kRowTile;  // rows from the unconditional field to the conditional one
  for (int n = 0; n < run.flow_steps; ++n) {
    const float time = static_cast<float>(n) * dt;
    float base[2][2];
#pragma unroll
    for (int j = 0; j < 2; ++j) {  // read again in each step: registers are scarce, and it waits in a cache
      const float of_time = time * weight_at(flow.time, 0, mine.column + j, flow.width);
      base[0][j] = constant[0][j] + of_time;
      base[1][j] = constant[1][j] + of_time;
    }
    run_net<kPrecision>(table, flow, run, s, base, run.branches, run.candidate_tiles);
    for (int i = thread; i < run.chunk_dim * columns; i += kThreads) {
      const float* velocity = s.out + i / columns * kRows + i % columns;
      s.x[i] = formula::euler_step(s.x[i],
                                   formula::guided_velocity(velocity[0], velocity[other], run.guidance), dt);
    }
    __syncthreads();
  }
  for (int i = thread; i < run.chunk_dim * columns; i += kThreads) {
    const int input = i / columns, candidate = i % columns;
    s.x[i] = formula::clip_action(s.x[i]);
    if (candidate < count) candidates[candidate * run.chunk_dim + input] = s.x[i];
  }
  __syncthreads();
}

/// The greatest critic's value of the candidates of s.x, to `q_cost` [count]. The thread 0 of the block keeps
/// the best of all groups so far: the least cost, of equal ones the first, NaN only if all are.
template <Precision kPrecision>
__device__ void score(const Table& table, const Run& run, const Shared& s, const float* observation,
                      int first, int count, float* q_cost, float& best_q_cost) {
  const int thread = static_cast<int>(threadIdx.x);
  float cost = 0;
  for (int k = 0; k < run.critics; ++k) {
    const Net& critic = table.nets[1 + k];
    float base[2][2];
    constant_part(critic, run, observation, base);
    run_net<kPrecision>(table, critic, run, s, base, 1, run.candidate_tiles);
    if (thread < count) cost = k == 0 || cost < s.out[thread] ? s.out[thread] : cost;
  }
  if (thread < count) s.q_cost[thread] = q_cost[thread] = cost;
  __syncthreads();
  if (thread != 0) return;
  for (int c = 0; c < count; ++c) {
    if (first + c > 0 && !formula::beats(s.q_cost[c], best_q_cost)) continue;
    best_q_cost = s.q_cost[c];
    *s.best = first + c;
  }
}

/// One block per observation. Its rows are 16 candidates in both fields of guidance, or up to 32 candidates
/// in one; more candidates follow in groups. With 16 candidates, nets of 512 and guidance: 16 warps, each 32
/// rows by 32 columns of every hidden layer.
template <Precision kPrecision>
__global__ void __launch_bounds__(kThreads)
    action_kernel(const __grid_constant__ Table table, const __grid_constant__ Run run) {
  const Shared s = share(run);
  const int thread = static_cast<int>(threadIdx.x);
  const std::size_t n = blockIdx.x;
  const ActionBuffers<float>& to = run.buffers;
  const float* observation = to.observations + n * static_cast<std::size_t>(run.observation_dim);
  float* const candidates = to.candidates + n * static_cast<std::size_t>(run.candidates * run.chunk_dim);
  const int columns = kRowTile * run.candidate_tiles;
  float best_q_cost = 0;
  if (thread == 0) *s.best = 0;
  for (int first = 0; first < run.candidates; first += columns) {
    const int left = run.candidates - first, count = left < columns ? left : columns;
    integrate<kPrecision>(table, run, s, observation, candidates + first * run.chunk_dim, count);
    if (run.score) {
      float* q_cost = to.q_cost + n * static_cast<std::size_t>(run.candidates) + first;
      score<kPrecision>(table, run, s, observation, first, count, q_cost, best_q_cost);
    }
  }
  __syncthreads();
  for (int i = thread; i < run.chunk_dim; i += kThreads)
    to.chosen[n * static_cast<std::size_t>(run.chunk_dim) + i] = candidates[*s.best * run.chunk_dim + i];
  if (run.score && thread == 0) to.chosen_q_cost[n] = best_q_cost;
  if (!run.values) return;
  for (int v = 0; v < 2; ++v) {
    const Net& net = table.nets[1 + run.critics + v];
    float base[2][2];
    constant_part(net, run, observation, base);
    run_net<kPrecision>(table, net, run, s, base, 1, 1);
    if (thread == 0) (v == 0 ? to.v_reward : to.v_cost)[n] = s.out[0];
  }
}

constexpr int kPackThreads = 256;

/// blockIdx.y is a layer or, after those, a net whose head is packed; the blocks of a row share its work.
template <Precision kPrecision>
__global__ void __launch_bounds__(kPackThreads) pack_kernel(const __grid_constant__ Table table) {
  const int job = static_cast<int>(blockIdx.y),
            first = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x),
            threads = static_cast<int>(gridDim.x * blockDim.x);
  if (job >= table.layer_count) {
    const Net& net = table.nets[job - table.layer_count];
    const int depth = padded(net.depth);
    for (int i = first; i < net.outputs * depth; i += threads)
      net.packed_head[i] = i % depth < net.depth ? net.head[i % depth * net.outputs + i / depth] : 0.0f;
    return;
  }
  const Layer& layer = table.layers[job];
  constexpr int kValues = Operand<kPrecision>::kValues;
  const int steps = steps_of<kPrecision>(layer.in), vectors = vectors_of<kPrecision>(layer);
  for (int i = first; i < vectors; i += threads) {
    const int lane = i % 32, q = i / 32 % 4, step = i / 128 % steps, group = i / 128 / steps;
    const int in_tile = layout::b_column(lane);  // of 8; D's column of place in_tile / 2
    const int column = kGroup * group + group_column<kPrecision>(in_tile / 2, 2 * q + in_tile % 2);
    std::uint32_t words[4];
#pragma unroll
    for (int w = 0; w < 4; ++w) {
      float values[kValues];
#pragma unroll
      for (int v = 0; v < kValues; ++v) {
        const int k = (kStepWords * step + 4 * layout::place(lane) + w) * kValues + v;
        values[v] = k < layer.in ? weight_at(layer.weight, k, column, layer.out) : 0.0f;
      }
      words[w] = Operand<kPrecision>::word(values);
    }
    store_vector(layer.packed + 4 * i, uint4{words[0], words[1], words[2], words[3]});
  }
  auto* bias = reinterpret_cast<float*>(layer.packed + 4 * vectors);
  for (int i = first; i < padded(layer.out); i += threads) bias[i] = weight_at(layer.bias, 0, i, layer.out);
}

/// All nets as this file sees them; the packed pointers are still null.
Table table_of(const ActionWeights<float>& weights) {
  Table table;
  const auto add = [&table](Net net, const MlpWeights<float>& mlp, std::size_t first_hidden) {
    const LayerWeights<float>& last = mlp.layers.back();
    net.head = last.weight;
    net.head_bias = last.bias;
    net.depth = last.in;
    net.outputs = last.out;
    net.activation = mlp.activation;
    net.first_layer = table.layer_count;
    net.layers = static_cast<int>(mlp.layers.size() - 1 - first_hidden);
    for (std::size_t l = first_hidden; l + 1 < mlp.layers.size(); ++l) {
      const LayerWeights<float>& layer = mlp.layers[l];
      table.layers[table.layer_count++] = {layer.weight, layer.bias, nullptr, layer.in, layer.out};
    }
    table.nets[table.net_count++] = net;
  };
  const FlowWeights<float>& flow = weights.flow;
  Net net{};
  net.observation = flow.observation;
  net.label = flow.label;
  net.chunk = flow.chunk;
  net.time = flow.time;
  net.bias = flow.bias;
  net.width = flow.first_width;
  add(net, flow.rest, 0);
  constexpr bool kObservationAlone = false, kWithChunk = true;
  const auto add_mlp = [&](const MlpWeights<float>& mlp, bool with_chunk) {
    const LayerWeights<float>& first = mlp.layers.front();
    Net plain{};
    plain.observation = first.weight;
    plain.bias = first.bias;
    plain.width = first.out;
    if (with_chunk) plain.chunk = first.weight + flow.observation_dim * first.out;
    add(plain, mlp, 1);
  };
  for (const MlpWeights<float>& critic : weights.q_cost) add_mlp(critic, kWithChunk);
  for (const MlpWeights<float>* value : {&weights.v_reward, &weights.v_cost})
    if (!value->layers.empty()) add_mlp(*value, kObservationAlone);
  return table;
}

/// How a block's rows and shared memory are laid out.
struct Shape {
  int candidate_tiles = 1, stride = 0;
  std::size_t bytes = 0;
};
Shape shape_of(const Table& table, int branches, int candidates, int chunk_dim) {
  Shape shape;
  int widest = 0;
  for (int i = 0; i < table.net_count; ++i) widest = std::max(widest, table.nets[i].width);
  for (int i = 0; i < table.layer_count; ++i) widest = std::max(widest, table.layers[i].out);
  shape.candidate_tiles = branches == 1 && candidates > kRowTile ? 2 : 1;
  shape.stride = stride_of(widest);
  shape.bytes = shared_floats(shape.stride, chunk_dim, shape.candidate_tiles) * sizeof(float);
  return shape;
}

std::string misfit_of_net(const std::string& name, const MlpWeights<float>& mlp, std::size_t least_layers) {
  const auto too_wide = [&](int width) {
    return name + " has a layer of " + std::to_string(width) + ", wider than " +
           std::to_string(FusedAction::kMaxWidth);
  };
  if (mlp.layers.size() < least_layers) return name + " has no hidden layer";
  if (mlp.activation != Activation::gelu_erf && mlp.activation != Activation::gelu_tanh)
    return name + " has another activation than GELU";
  for (const LayerWeights<float>& layer : mlp.layers) {
    if (layer.gain != nullptr) return name + " has a layer normalisation";
    if (&layer != &mlp.layers.back() && layer.out > FusedAction::kMaxWidth) return too_wide(layer.out);
  }
  return {};
}

}  // namespace

struct FusedAction::Plan {
  Precision precision;
  Table table;
  Run run{};
  std::size_t shared_bytes;
  bool has_values;
  DeviceArray<std::uint32_t> packed;
};

std::string FusedAction::misfit(const ActionWeights<float>& weights, const FlowOptions& options,
                                int candidates, Precision precision, std::size_t shared_limit) {
  if (precision == Precision::fp32) return "fp32 has no tensor cores";
  if (candidates < 1) return "there are no candidates";
  if (weights.denoiser.exists()) return "it acts by a denoiser";
  if (options.flow_steps < 1) return "there are no flow steps";
  if (weights.flow.first_width > kMaxWidth)
    return "the flow has a layer of " + std::to_string(weights.flow.first_width) + ", wider than " +
           std::to_string(kMaxWidth);
  if (weights.v_reward.layers.empty() != weights.v_cost.layers.empty())
    return "one of V_r and V_c is missing";
  if (!weights.q_cost.empty() && weights.state_of(weights.q_cost) != weights.flow.observation_dim)
    return "the flow sees a budget and the cost critics do not";
  std::size_t layers = weights.flow.rest.layers.size(), nets = 1;
  std::string reason = misfit_of_net("the flow", weights.flow.rest, 1);
  const auto count = [&](const std::string& name, const MlpWeights<float>& mlp) {
    if (reason.empty()) reason = misfit_of_net(name, mlp, 2);
    layers += mlp.layers.size();
    ++nets;
  };
  for (const MlpWeights<float>& critic : weights.q_cost) count("a cost critic", critic);
  if (!weights.v_reward.layers.empty()) {
    count("V_r", weights.v_reward);
    count("V_c", weights.v_cost);
  }
  if (!reason.empty()) return reason;
  if (nets > kMaxNets) return std::to_string(nets) + " nets are more than " + std::to_string(kMaxNets);
  if (layers > kMaxLayers)
    return std::to_string(layers) + " layers are more than " + std::to_string(kMaxLayers);
  const std::size_t bytes =
      shape_of(table_of(weights), flow_branches(options).count, candidates, weights.flow.chunk_dim).bytes;
  if (bytes > shared_limit)
    return "a block needs " + std::to_string(bytes) + " bytes of shared memory and has " +
           std::to_string(shared_limit);
  return {};
}

FusedAction::FusedAction(const ActionWeights<float>& weights, const FlowOptions& options, int candidates,
                         Precision precision) {
  constexpr auto kAnyDevice = static_cast<std::size_t>(-1);
  const std::string reason = misfit(weights, options, candidates, precision, kAnyDevice);
  if (!reason.empty()) throw InvalidArgument("FusedAction: " + reason);
  Table table = table_of(weights);
  const FlowBranches branches = flow_branches(options);
  const FlowWeights<float>& flow = weights.flow;
  const Shape shape = shape_of(table, branches.count, candidates, flow.chunk_dim);

  // Where each layer and head begins, in words; every part is whole vectors.
  std::vector<std::size_t> begins;
  std::size_t words = 0;
  const auto take = [&](int count) {
    begins.push_back(words);
    words += static_cast<std::size_t>(count);
  };
  for (int i = 0; i < table.layer_count; ++i) {
    const Layer& layer = table.layers[i];
    const int vectors = precision == Precision::bf16 ? vectors_of<Precision::bf16>(layer)
                                                     : vectors_of<Precision::tf32>(layer);
    take(4 * vectors + padded(layer.out));
  }
  for (int i = 0; i < table.net_count; ++i) take(table.nets[i].outputs * padded(table.nets[i].depth));
  DeviceArray<std::uint32_t> packed(words);
  for (int i = 0; i < table.layer_count; ++i)
    table.layers[i].packed = packed.data() + begins[static_cast<std::size_t>(i)];
  for (int i = 0; i < table.net_count; ++i)
    table.nets[i].packed_head =
        reinterpret_cast<float*>(packed.data() + begins[static_cast<std::size_t>(table.layer_count + i)]);

  Run run{};
  for (int b = 0; b < 2; ++b) run.label_row[b] = flow.label_table + branches.label[b] * flow.label_dim;
  run.observation_dim = flow.observation_dim;
  run.label_dim = flow.label_dim;
  run.chunk_dim = flow.chunk_dim;
  run.candidates = candidates;
  run.candidate_tiles = shape.candidate_tiles;
  run.branches = branches.count;
  run.flow_steps = options.flow_steps;
  run.critics = static_cast<int>(weights.q_cost.size());
  run.stride = shape.stride;
  run.guidance = branches.count == 2 ? static_cast<float>(options.guidance_scale) : 1.0f;
  plan_ = std::make_unique<Plan>(
      Plan{precision, table, run, shape.bytes, !weights.v_reward.layers.empty(), std::move(packed)});
}

FusedAction::~FusedAction() = default;
FusedAction::FusedAction(FusedAction&&) noexcept = default;
FusedAction& FusedAction::operator=(FusedAction&&) noexcept = default;

std::size_t FusedAction::shared_bytes() const { return plan_->shared_bytes; }

void FusedAction::pack(cudaStream_t stream) {
  constexpr unsigned kBlocks = 64;  // for each layer or head; unmeasured
  const dim3 grid(kBlocks, static_cast<unsigned>(plan_->table.layer_count + plan_->table.net_count));
  const auto kernel =
      plan_->precision == Precision::bf16 ? &pack_kernel<Precision::bf16> : &pack_kernel<Precision::tf32>;
  launch(kernel, grid, kPackThreads, 0, stream, plan_->table);
}

void FusedAction::run(const ActionBuffers<float>& buffers, const ActionRequest& request,
                      cudaStream_t stream) {
  if (request.rows < 1) throw InvalidArgument("FusedAction: there are no observations");
  if (request.score && plan_->run.critics == 0)
    throw InvalidArgument("FusedAction: there are no cost critics");
  if (request.values && !plan_->has_values) throw InvalidArgument("FusedAction: there are no V_r and V_c");
  if (request.q_reward) throw InvalidArgument("FusedAction: the kernel has no reward critics");
  Run run = plan_->run;
  run.buffers = buffers;
  run.score = request.score;
  run.values = request.values;
  const auto kernel =
      plan_->precision == Precision::bf16 ? &action_kernel<Precision::bf16> : &action_kernel<Precision::tf32>;
  launch(kernel, request.rows, kThreads, plan_->shared_bytes, stream, plan_->table, run);
}

}  // namespace r2pac::cuda
