#include <algorithm>

#include "acting/layered_action.cuh"
#include "acting/select.h"
#include "cuda/cuda.cuh"
#include "kernels/dense.cuh"
#include "kernels/flow.h"
#include "kernels/surplus.h"

namespace r2pac::cuda {
namespace {

constexpr int kThreads = 256;
constexpr bool kOverwrite = false;      // `accumulate` of a product
constexpr std::size_t kKeptGraphs = 8;  // unmeasured: other numbers were not tried

std::size_t size(int n) { return static_cast<std::size_t>(n); }
int blocks(std::size_t items) { return static_cast<int>((items + kThreads - 1) / kThreads); }
__device__ inline std::size_t item() { return std::size_t{blockIdx.x} * kThreads + threadIdx.x; }

/// What the label contributes to the velocity's first layer.
struct LabelPart {
  const float *bias, *label, *table;
  int dim, width, unconditional, conditional;
};

/// constant(b, i) [D] = observation i through the first layer [n, D] + label b's embedding through it + bias.
__global__ void __launch_bounds__(kThreads)
    constant_kernel(const float* observed, LabelPart part, int branches, int rows, float* constant) {
  const std::size_t at = item(), per_branch = std::size_t(rows) * part.width;
  if (at >= branches * per_branch) return;
  const int column = static_cast<int>(at % part.width);
  const float* const embedding =
      part.table + (at < per_branch ? part.unconditional : part.conditional) * part.dim;
  float sum = part.bias[column] + observed[at % per_branch];
  for (int l = 0; l < part.dim; ++l) sum += embedding[l] * part.label[l * part.width + column];
  constant[at] = sum;
}

/// out(b, i, c) [D] = activation(chunk part (i, c) + constant(b, i) + time * time's row).
template <Activation kActivation>
__global__ void __launch_bounds__(kThreads)
    first_layer_kernel(const float* chunk_part, const float* constant, const float* time_row, float time,
                       int branches, int rows, int candidates, int width, float* out) {
  const std::size_t at = item(), per_branch = std::size_t(rows) * candidates * width;
  if (at >= branches * per_branch) return;
  const std::size_t column = at % width, observation = at % per_branch / width / candidates,
                    branch = at / per_branch;
  const float sum = chunk_part[at % per_branch] + constant[(branch * rows + observation) * width + column] +
                    time * time_row[column];
  out[at] = formula::activate<kActivation>(sum).value;
}

/// x [n] takes an Euler step along the guided velocity of velocity [branches, n]; clipped if `last`.
__global__ void __launch_bounds__(kThreads) euler_kernel(const float* velocity, int branches, std::size_t n,
                                                         float guidance, float dt, bool last, float* x) {
  const std::size_t at = item();
  if (at >= n) return;
  const float v =
      branches == 2 ? formula::guided_velocity(velocity[at], velocity[n + at], guidance) : velocity[at];
  const float moved = formula::euler_step(x[at], v, dt);
  x[at] = last ? formula::clip_action(moved) : moved;
}

/// pairs(i, c) = the first `columns` numbers of state i [state_dim] beside chunk (i, c).
__global__ void __launch_bounds__(kThreads)
    pairs_kernel(const float* states, const float* chunks, int rows, int candidates, int state_dim,
                 int columns, int chunk_dim, float* pairs) {
  const std::size_t at = item(), width = columns + chunk_dim;
  if (at >= std::size_t(rows) * candidates * width) return;
  const std::size_t pair = at / width, column = at % width;
  pairs[at] = column < std::size_t(columns) ? states[pair / candidates * state_dim + column]
                                            : chunks[pair * chunk_dim + column - columns];
}

/// The last number of state i [state_dim] = what bound i leaves beyond V_c.
__global__ void __launch_bounds__(kThreads)
    surplus_kernel(const float* bounds, const float* v_cost, int rows, int state_dim, float* states) {
  const std::size_t row = item();
  if (row < std::size_t(rows))
    states[row * state_dim + state_dim - 1] = formula::surplus(bounds[row], v_cost[row]);
}

/// The values of several critics for all pairs: q [critics, pairs].
struct CriticValues {
  const float* q;
  int critics;  ///< 0: their values are not wanted

  __device__ float extreme(std::size_t pair, std::size_t pairs, Extreme which) const {
    float value = q[pair];
#pragma unroll 1  // the critics are one or two: unrolled, the loop would only take registers
    for (int k = 1; k < critics; ++k) {
      const float other = q[std::size_t(k) * pairs + pair];
      if (which == Extreme::greatest ? value < other : other < value) value = other;
    }
    return value;
  }
};

/// The last number of the state in each pair [width] = what its row's bound leaves beyond Q_c of the pair.
__global__ void __launch_bounds__(kThreads)
    surplus_of_pairs_kernel(const float* bounds, CriticValues q_cost, int rows, int candidates, int state_dim,
                            int width, float* pairs) {
  const std::size_t pair = item(), count = std::size_t(rows) * candidates;
  if (pair < count)
    pairs[pair * width + state_dim - 1] =
        formula::surplus(bounds[pair / candidates], q_cost.extreme(pair, count, kBelievedCost));
}

/// For each observation: Q_c and Q_r [candidates], where they are wanted, and the chosen chunk, by
/// region, surplus (the last number of the state [state_dim]) or of least Q_c; without Q_c the first chunk.
/// One block an observation; one thread compares, for the candidates are few.
__global__ void __launch_bounds__(kThreads)
    choose_kernel(CriticValues q_cost, CriticValues q_reward, Selection selection, int candidates,
                  int chunk_dim, int state_dim, ActionBuffers<float> buffers) {
  __shared__ int chosen;
  const std::size_t row = blockIdx.x, first = row * candidates, pairs = std::size_t{gridDim.x} * candidates;
  if (threadIdx.x == 0) {
    const bool within = selection == Selection::within;
    const bool by_surplus = selection == Selection::surplus;
    const int by_state =
        by_surplus ? formula::choice_by_surplus(buffers.observations[(row + 1) * state_dim - 1]) : -1;
    const float bound = selection == Selection::least_cost || by_surplus ? 0 : buffers.bounds[row];
    const bool safe = within || (selection == Selection::region && buffers.v_cost[row] <= bound);
    int best = 0;
    CandidateScore<float> of_best{};
    for (int c = 0; c < candidates; ++c) {
      CandidateScore<float> score{};
      if (q_cost.critics > 0)
        buffers.q_cost[first + c] = score.q_cost = q_cost.extreme(first + c, pairs, kBelievedCost);
      if (q_reward.critics > 0)
        buffers.q_reward[first + c] = score.q_reward = q_reward.extreme(first + c, pairs, kBelievedReward);
      if (c == 0 || (by_surplus ? c == by_state
                     : safe     ? formula::beats_in_region(score, of_best, bound, within)
                                : formula::beats(score.q_cost, of_best.q_cost))) {
        best = c;
        of_best = score;
      }
    }
    if (q_cost.critics > 0) buffers.chosen_q_cost[row] = of_best.q_cost;
    if (q_reward.critics > 0) buffers.chosen_q_reward[row] = of_best.q_reward;
    chosen = best;
  }
  __syncthreads();
  for (int j = static_cast<int>(threadIdx.x); j < chunk_dim; j += kThreads)
    buffers.chosen[row * chunk_dim + j] = buffers.candidates[(first + chosen) * chunk_dim + j];
}

/// to(i, c) [dim] = from(c, i): the candidates of each observation beside each other.
__global__ void __launch_bounds__(kThreads)
    gather_candidates_kernel(const float* from, int rows, int candidates, int dim, float* to) {
  const std::size_t at = item();
  if (at >= std::size_t(rows) * candidates * dim) return;
  const std::size_t row = at / dim / candidates, candidate = at / dim % candidates;
  to[at] = from[(candidate * rows + row) * dim + at % dim];
}

/// Values of a working buffer for the nets' layers and `pairs` rows.
std::size_t buffer_size(const std::vector<MlpWeights<float>>& nets, std::size_t pairs) {
  int width = 1;
  for (const MlpWeights<float>& net : nets) width = std::max(width, net.width());
  return nets.size() * pairs * size(width);
}

/// The distance of the second net's tensors from the first's.
std::size_t stride(const float* first, const float* second) {
  return static_cast<std::size_t>(second - first);
}

}  // namespace

LayeredAction::Workspace LayeredAction::make_workspace(int rows) const {
  const ActionWeights<float>& w = spec_.weights;
  const std::size_t n = size(rows), chunks = n * size(spec_.candidates), branches = size(branches_.count),
                    first = size(w.flow.first_width),
                    hidden = branches * chunks * std::max(first, size(w.flow.rest.width())),
                    scored = std::max(buffer_size(w.q_reward, chunks), buffer_size(w.q_cost, chunks)),
                    valued = n * std::max(size(w.v_cost.width()), w.means.size() * size(w.mean_width()));
  const auto floats = [](std::size_t count) { return DeviceArray<float>(count); };
  return {floats(branches * n * first),
          floats(chunks * first),
          {floats(hidden), floats(hidden)},
          floats(branches * chunks * size(w.flow.chunk_dim)),
          floats(chunks * size(w.flow.observation_dim + w.flow.chunk_dim)),
          {floats(scored), floats(scored)},
          floats(w.q_reward.size() * chunks),
          floats(w.q_cost.size() * chunks),
          {floats(valued), floats(valued)},
          floats(n * size(w.flow.observation_dim)),
          make_denoiser_space(rows),
          rows};
}

LayeredAction::LayeredAction(const ActorSpec<float>& spec, Queue& queue)
    : spec_(spec), queue_(queue), backend_(queue), branches_(flow_branches(spec.flow)) {}

std::string LayeredAction::description() const {
  return std::string("a graph of library products, ") + precision_name(queue_.precision());
}

void LayeredAction::launch(const char* name, const std::function<void(cudaStream_t)>& work) {
  queue_.begin_call(Work::after_everything(name));
  queue_.launch(1, [&](const Stream& stream) { work(stream.get()); });
}

/// Through networks of one shape and one input, as an ensemble. buffers: two of [nets, rows, widest].
void LayeredAction::forward(const std::vector<const MlpWeights<float>*>& nets, const View<float>& x,
                            float* const* buffers, float* out) {
  const auto& first = *nets.front();
  const auto& second = *nets.back();
  const std::size_t between = nets.size() > 1 ? nets.size() - 1 : 1;
  View<float> in = x;
  for (std::size_t l = 0; l < first.layers.size(); ++l) {
    const LayerWeights<float>&a = first.layers[l], &b = second.layers[l];
    const bool last = l + 1 == first.layers.size(), norm_first = first.norm_first && a.gain != nullptr;
    const View<float> y{last ? out : buffers[l % 2], size(x.rows) * size(a.out),
                        static_cast<int>(nets.size()), x.rows, a.out};
    DenseWeights<float> weights;
    weights.weight = a.weight;
    weights.weight_stride = stride(a.weight, b.weight) / between;
    weights.bias = a.bias;
    weights.bias_stride = stride(a.bias, b.bias) / between;
    weights.in = a.in;
    weights.out = a.out;
    weights.place = last ? LayerPlace::head : LayerPlace::hidden;
    queue_.begin_call(Work::after_everything("layer"));
    backend_.dense({in,
                    weights,
                    last         ? first.output
                    : norm_first ? Activation::identity
                                 : first.activation,
                    y,
                    {}});
    if (a.gain != nullptr)
      backend_.layer_norm({y, a.gain, a.norm_bias, stride(a.gain, b.gain) / between, y, {}, {}, a.epsilon});
    if (norm_first) backend_.activate(y, first.activation, y, {});
    in = y;
  }
}

void LayeredAction::integrate(const ActionBuffers<float>& buffers, int rows) {
  const FlowWeights<float>& flow = spec_.weights.flow;
  const int many = rows * spec_.candidates, d = flow.first_width;
  const std::size_t hidden = size(branches_.count) * size(many) * size(d);
  queue_.begin_call(Work::after_everything("observation part of the first layer"));
  multiply(queue_, {buffers.observations, flow.observation_dim, 0}, {flow.observation, d, 0}, rows,
           flow.observation_dim, d, workspace_->first.data(), 0, 1, kOverwrite);
  launch("observation and label", [&](cudaStream_t stream) {
    cuda::launch(constant_kernel, blocks(size(branches_.count) * size(rows) * size(d)), kThreads, 0, stream,
                 workspace_->first.data(),
                 LabelPart{flow.bias, flow.label, flow.label_table, flow.label_dim, d, branches_.label[0],
                           branches_.label[1]},
                 branches_.count, rows, workspace_->constant.data());
  });
  const float dt = 1.0f / static_cast<float>(spec_.flow.flow_steps);
  for (int n = 0; n < spec_.flow.flow_steps; ++n) {
    queue_.begin_call(Work::after_everything("chunk part of the first layer"));
    multiply(queue_, {buffers.candidates, flow.chunk_dim, 0}, {flow.chunk, d, 0}, many, flow.chunk_dim, d,
             workspace_->first.data(), 0, 1, kOverwrite);
    launch("first layer", [&](cudaStream_t stream) {
      const auto kernel =
          flow.rest.activation == Activation::gelu_erf    ? first_layer_kernel<Activation::gelu_erf>
          : flow.rest.activation == Activation::gelu_tanh ? first_layer_kernel<Activation::gelu_tanh>
                                                          : first_layer_kernel<Activation::relu>;
      cuda::launch(kernel, blocks(hidden), kThreads, 0, stream, workspace_->first.data(),
                   workspace_->constant.data(), flow.time, static_cast<float>(n) * dt, branches_.count, rows,
                   spec_.candidates, d, workspace_->hidden[1].data());
    });
    float* const both[2] = {workspace_->hidden[0].data(), workspace_->hidden[1].data()};
    forward({&flow.rest}, {workspace_->hidden[1].data(), 0, 1, branches_.count * many, d}, both,
            workspace_->velocity.data());
    launch("Euler step", [&](cudaStream_t stream) {
      const std::size_t values = size(many) * size(flow.chunk_dim);
      cuda::launch(euler_kernel, blocks(values), kThreads, 0, stream, workspace_->velocity.data(),
                   branches_.count, values, static_cast<float>(spec_.flow.guidance_scale), dt,
                   n + 1 == spec_.flow.flow_steps, buffers.candidates);
    });
  }
}

/// The candidates of a deterministic actor. They are within [-1, 1], for the last layer ends in tanh.
void LayeredAction::say_means(const ActionBuffers<float>& buffers, int rows) {
  const ActionWeights<float>& w = spec_.weights;
  std::vector<const MlpWeights<float>*> means;
  for (const MlpWeights<float>& mean : w.means) means.push_back(&mean);
  float* const both[2] = {workspace_->values[0].data(), workspace_->values[1].data()};
  const bool several = means.size() > 1;
  float* const out = several ? workspace_->velocity.data() : buffers.candidates;
  const View<float> seen{const_cast<float*>(buffers.mean_inputs), 0, 1, rows,
                         w.means.front().layers.front().in};
  if (w.by_surplus)
    for (std::size_t k = 0; k < means.size(); ++k)
      forward({means[k]}, first_columns(seen, means[k]->layers.front().in), both,
              out + k * size(rows) * size(w.flow.chunk_dim));
  else
    forward(means, seen, both, out);
  if (!several) return;
  launch("candidates", [&](cudaStream_t stream) {
    cuda::launch(gather_candidates_kernel, blocks(size(rows) * means.size() * size(w.flow.chunk_dim)),
                 kThreads, 0, stream, out, rows, static_cast<int>(means.size()), w.flow.chunk_dim,
                 buffers.candidates);
  });
}

/// States without what follows their first `columns` numbers, in working memory if that is not all.
View<float> LayeredAction::first_columns(const View<float>& states, int columns) {
  if (columns == states.cols) return states;
  View<float> seen = states;
  seen.data = workspace_->observations.data();
  seen.cols = columns;
  make_pairs(states.data, states.rows, 1, columns, nullptr, 0, seen.data);
  return seen;
}

void LayeredAction::score(const Call& call) {
  const ActionBuffers<float>& buffers = call.buffers;
  const ActionRequest& request = call.request;
  const FlowWeights<float>& flow = spec_.weights.flow;
  const int rows = request.rows, many = rows * spec_.candidates;
  int made = 0;  // numbers of a state in the pairs as they are
  const auto evaluate = [&](const std::vector<MlpWeights<float>>& nets, float* q) {
    const int columns = spec_.weights.state_of(nets), pair = columns + flow.chunk_dim;
    if (columns != made)
      make_pairs(buffers.observations, rows, spec_.candidates, columns, buffers.candidates, flow.chunk_dim,
                 workspace_->pairs.data());
    made = columns;
    if (spec_.weights.by_surplus && &nets == &spec_.weights.q_reward)
      launch("surplus of pairs", [&](cudaStream_t stream) {
        cuda::launch(surplus_of_pairs_kernel, blocks(size(many)), kThreads, 0, stream, buffers.bounds,
                     CriticValues{workspace_->q_cost.data(), static_cast<int>(spec_.weights.q_cost.size())},
                     rows, spec_.candidates, columns, pair, workspace_->pairs.data());
      });
    std::vector<const MlpWeights<float>*> critics;
    for (const MlpWeights<float>& critic : nets) critics.push_back(&critic);
    float* const both[2] = {workspace_->critics[0].data(), workspace_->critics[1].data()};
    forward(critics, {workspace_->pairs.data(), 0, 1, many, pair}, both, q);
  };
  if (request.score && !call.only_q_reward) evaluate(spec_.weights.q_cost, workspace_->q_cost.data());
  if (request.q_reward) evaluate(spec_.weights.q_reward, workspace_->q_reward.data());
}

void LayeredAction::make_pairs(const float* states, int rows, int candidates, int columns,
                               const float* chunks, int chunk_dim, float* pairs) {
  launch("pairs", [&](cudaStream_t stream) {
    cuda::launch(pairs_kernel, blocks(size(rows * candidates) * size(columns + chunk_dim)), kThreads, 0,
                 stream, states, chunks, rows, candidates, spec_.weights.flow.observation_dim, columns,
                 chunk_dim, pairs);
  });
}

Graph LayeredAction::record(const Call& call) {
  return queue_.capture([this, call] { enqueue(call); });
}

void LayeredAction::enqueue(const Call& call) {
  const ActionBuffers<float>& buffers = call.buffers;
  const ActionRequest& request = call.request;
  const ActionWeights<float>& w = spec_.weights;
  const Selection selection =
      request.score || !needs_cost(spec_.selection) ? spec_.selection : Selection::least_cost;
  const auto values_of = [](const DeviceArray<float>& q, const std::vector<MlpWeights<float>>& critics,
                            bool wanted) {
    return CriticValues{q.data(), wanted ? static_cast<int>(critics.size()) : 0};
  };
  float* const both[2] = {workspace_->values[0].data(), workspace_->values[1].data()};
  const View<float> observations{const_cast<float*>(buffers.observations), 0, 1, request.rows,
                                 w.flow.observation_dim};
  const auto evaluate = [&](const MlpWeights<float>& value, float* out) {
    forward({&value}, first_columns(observations, value.layers.front().in), both, out);
  };
  if (w.by_surplus) {
    evaluate(w.v_cost, buffers.v_cost);
    launch("surplus", [&](cudaStream_t stream) {
      cuda::launch(surplus_kernel, blocks(size(request.rows)), kThreads, 0, stream, buffers.bounds,
                   buffers.v_cost, request.rows, w.flow.observation_dim, buffers.observations);
    });
  }
  if (!spec_.chunks_are_given && !call.only_q_reward) {
    if (w.denoiser.exists())
      denoise(buffers, request.rows);
    else if (w.means.empty())
      integrate(buffers, request.rows);
    else
      say_means(buffers, request.rows);
  }
  if (request.score || request.q_reward) score(call);
  if (request.values) evaluate(w.v_reward, buffers.v_reward);
  if ((request.values || selection == Selection::region) && !w.by_surplus) evaluate(w.v_cost, buffers.v_cost);
  launch("choice", [&](cudaStream_t stream) {
    cuda::launch(choose_kernel, request.rows, kThreads, 0, stream,
                 call.only_q_reward && request.score ? CriticValues{buffers.q_cost, 1}
                                                     : values_of(workspace_->q_cost, w.q_cost, request.score),
                 values_of(workspace_->q_reward, w.q_reward, request.q_reward), selection, spec_.candidates,
                 w.flow.chunk_dim, w.flow.observation_dim, buffers);
  });
}

void LayeredAction::act(const ActionBuffers<float>& buffers, const ActionRequest& request) {
  run({buffers, request, false});
}

void LayeredAction::evaluate_q_reward(const ActionBuffers<float>& buffers, int rows, bool scored) {
  ActionRequest request;
  request.rows = rows;
  request.score = scored;
  request.q_reward = true;
  run({buffers, request, true});
}

void LayeredAction::run(const Call& call) {
  queue_.make_current();
  const auto known = std::find_if(calls_.begin(), calls_.end(),
                                  [&](const Captured& captured) { return captured.call == call; });
  if (known != calls_.end()) return known->graph.run();
  const int rows = call.request.rows;
  const bool fits = workspace_ != nullptr && rows <= workspace_->rows;
  if (!fits || calls_.size() == kKeptGraphs) calls_.clear();
  if (!fits) workspace_ = std::make_unique<Workspace>(make_workspace(rows));
  calls_.push_back({call, record(call)});
  calls_.back().graph.run();
}

}  // namespace r2pac::cuda
