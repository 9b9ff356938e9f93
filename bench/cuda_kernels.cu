#include "acting/fused_action.cuh"
#include "bench/cuda_measure.h"
#include "bench/suites.h"
#include "cuda/cuda.cuh"
#include "kernels/dense.cuh"
#include "kernels/random.cuh"
#include "kernels/update.cuh"
#include "model/method.h"

namespace r2pac {
namespace {

using cuda::DeviceArray;
using cuda::Stream;

constexpr std::size_t size(int n) { return static_cast<std::size_t>(n); }
constexpr double gigabytes(double values) { return values * sizeof(float) / 1e9; }

/// Sizes of the step and of the sampler; `small` ones where times mean nothing.
struct Sizes {
  explicit Sizes(bool small) {
    if (!small) return;
    batch = 33;
    settings.hidden = {24, 24, 24, 24};
    settings.flow_steps = 2;
    settings.num_candidates = 3;
    observations = {1, 2};
    quantiles = {100, 1030};
  }
  int batch = 1024;
  Settings settings;
  std::vector<int> observations = {1, 132}, quantiles = {1024, 8192};
  Dimensions dimensions{72, 2, 5};

  int width() const { return settings.hidden.front(); }
  int pair() const { return dimensions.observation + dimensions.chunk(); }
};

/// What the rows share.
class KernelRows {
 public:
  KernelRows(const BenchTarget& target, const RowSink& sink)
      : clock_(target.precision, target.timed()),
        sizes_(!target.timed()),
        device_(target.device),
        method_(make_method<float>(sizes_.settings, sizes_.dimensions)),
        networks_(method_.networks, sizes_.settings.initializer, 0, *device_),
        state_(std::vector<StepState>(1)),
        sink_(sink) {}

  void products();
  void activations();
  void heads();
  void sums();
  void quantiles();
  void row_program();
  void optimizer();
  void actions();

 private:
  struct Product {
    int nets, rows, depth, cols;
    bool shared_input = false, input_transposed = false, weight_transposed = false;
  };
  void product(const std::string& name, const Product& p);

  /// Random numbers in [0, 1).
  DeviceArray<float> filled(std::size_t n) {
    DeviceArray<float> values(n);
    cuda::fill_uniform(1, Purpose::test, 0, 1, static_cast<int>(n), values.data(), clock_.queue().stream());
    return values;
  }
  static View<float> view(const DeviceArray<float>& of, int nets, int rows, int cols) {
    return {of.data(), size(rows) * size(cols), nets, rows, cols};
  }
  std::string shape(int nets, int rows, int cols) const {
    return std::to_string(nets) + " x [" + std::to_string(rows) + ", " + std::to_string(cols) + "]";
  }
  /// One row: `work` launches kernels that compute `gflop` and must move `values` numbers.
  void row(const std::string& name, const std::string& shape, double gflop, double values, int launches,
           const std::function<void(cudaStream_t)>& work) {
    BenchRow row;
    row.name = name;
    row.shape = shape;
    row.gflop = gflop;
    row.gigabytes = gigabytes(values);
    sink_(clock_.measure(
        row, [&] { clock_.queue().launch(launches, [&](const Stream& stream) { work(stream.get()); }); }));
  }

  cuda::KernelClock clock_;
  Sizes sizes_;
  std::shared_ptr<Device> device_;
  Method<float> method_;
  Networks<float> networks_;
  DeviceArray<StepState> state_;
  const RowSink& sink_;
};

void KernelRows::product(const std::string& name, const Product& p) {
  const std::size_t a_size = size(p.rows) * size(p.depth), b_size = size(p.depth) * size(p.cols),
                    c_size = size(p.rows) * size(p.cols);
  const std::size_t nets = size(p.nets), inputs = p.shared_input ? 1 : nets;
  const DeviceArray<float> a = filled(inputs * a_size), b = filled(nets * b_size), c(nets * c_size);
  const cuda::Matrix of_a{a.data(), p.input_transposed ? p.rows : p.depth, p.shared_input ? 0 : a_size,
                          p.input_transposed};
  const cuda::Matrix of_b{b.data(), p.weight_transposed ? p.depth : p.cols, b_size, p.weight_transposed};
  BenchRow row;
  row.name = name;
  row.shape = std::to_string(p.nets) + " x [" + std::to_string(p.rows) + " x " + std::to_string(p.depth) +
              " x " + std::to_string(p.cols) + "]";
  row.gflop = 2e-9 * p.nets * p.rows * p.depth * p.cols;
  row.gigabytes = gigabytes(static_cast<double>(inputs * a_size + nets * (b_size + c_size)));
  sink_(clock_.measure(row, [&] {
    multiply(clock_.queue(), of_a, of_b, p.rows, p.depth, p.cols, c.data(), c_size, p.nets, false);
  }));
}

void KernelRows::products() {
  const int batch = sizes_.batch, width = sizes_.width(), pair = sizes_.pair();
  product("forward", {8, batch, width, width});
  product("forward, first layer", {8, batch, pair, width, true});
  product("input gradient", {4, batch, width, width, false, false, true});
  product("weight gradient", {4, width, batch, width, false, true});
  product("weight gradient, first layer", {4, pair, batch, width, true, true});
  const int branches = 2 * sizes_.settings.num_candidates;
  for (const int n : sizes_.observations)
    product("flow, " + std::to_string(n) + " obs", {1, n * branches, width, width});
}

void KernelRows::activations() {
  const int batch = sizes_.batch, width = sizes_.width();
  const double values = static_cast<double>(batch) * width;
  const DeviceArray<float> y = filled(8 * size(batch) * size(width)),
                           slope = filled(4 * size(batch) * size(width)), bias = filled(8 * size(width));
  // Four learning critics, whose slopes are kept, and their four targets.
  for (const auto& [activation, name] : {std::pair{Activation::gelu_erf, "bias, GELU (erf), slope"},
                                         {Activation::gelu_tanh, "bias, GELU (tanh), slope"}})
    row(name, shape(8, batch, width), 0, 20 * values, 1, [&, a = activation](cudaStream_t stream) {
      cuda::bias_activation(view(y, 8, batch, width), bias.data(), size(width), a,
                            view(slope, 4, batch, width), stream);
    });
  row("slope times gradient", shape(4, batch, width), 0, 12 * values, 1, [&](cudaStream_t stream) {
    cuda::scale(view(slope, 4, batch, width), view(y, 4, batch, width), stream);
  });
}

void KernelRows::heads() {
  const int batch = sizes_.batch, width = sizes_.width();
  const double values = static_cast<double>(batch) * width;
  const DeviceArray<float> x = filled(8 * size(batch) * size(width)), y = filled(8 * size(batch)),
                           weight = filled(8 * size(width)), bias = filled(8);
  DenseWeights<float> weights;
  weights.weight = weight.data();
  weights.weight_stride = size(width);
  weights.bias = bias.data();
  weights.bias_stride = 1;
  weights.in = width;
  weights.out = 1;
  row("heads", shape(8, batch, width), 0, 8 * values, 1, [&](cudaStream_t stream) {
    cuda::head({view(x, 8, batch, width), weights, Activation::identity, view(y, 8, batch, 1), {}}, stream);
  });
  row("heads, input gradient", shape(4, batch, width), 0, 4 * values, 1, [&](cudaStream_t stream) {
    cuda::head_input_gradient({view(y, 4, batch, 1), weights, 0, view(x, 4, batch, width), false}, stream);
  });
}

/// The gradients of biases, heads and label table, and a batch mean for each of four critics.
void KernelRows::sums() {
  const int batch = sizes_.batch;
  std::vector<DeviceArray<float>> kept;
  std::vector<cuda::ColumnSum> sums;
  double values = 0;
  const auto tensor = [&](int nets, int cols) {
    values += static_cast<double>(nets) * batch * cols;
    return view(kept.emplace_back(filled(size(nets) * size(batch) * size(cols))), nets, batch, cols);
  };
  const auto add = [&](const View<float>& x, const View<float>& factor) {
    cuda::ColumnSum sum;
    sum.x = x;
    sum.factor = factor;
    sum.out_stride = size(x.cols);
    sum.out = kept.emplace_back(size(x.nets) * size(x.cols)).data();
    sums.push_back(sum);
  };
  for (const char* network : {"q_r", "v_r", "velocity"})  // each with those that lie beside it
    for (const DenseLayer& layer : networks_.members(network).group->layers) {
      const View<float> d_y = tensor(layer.nets, layer.out);
      add(d_y, {});
      if (layer.out == 1) add(tensor(layer.nets, layer.in), d_y);
    }
  const View<float> label = tensor(1, 1), d_label = tensor(1, sizes_.settings.label_dim);
  for (int i = 0; i < 3; ++i) {
    add(d_label, {});
    sums.back().label = static_cast<float>(i);
    sums.back().labels = label.data;
  }
  for (int i = 0; i < 4; ++i) {
    add(tensor(2, 1), {});
    sums.back().across_members = true;
    sums.back().scale = 1.0f / static_cast<float>(batch);
  }
  row("column sums of a step", std::to_string(sums.size()) + " sums of " + std::to_string(batch) + " rows", 0,
      values, 1, [&](cudaStream_t stream) { cuda::column_sums(sums, stream); });
}

void KernelRows::quantiles() {
  const DeviceArray<float> threshold = filled(1);
  for (const int n : sizes_.quantiles) {
    const DeviceArray<float> x = filled(size(n));
    row("batch quantile", std::to_string(n), 0, n, 1, [&](cudaStream_t stream) {
      cuda::update_threshold(view(x, 1, n, 1), 0.9, 0, state_.data(), 0, threshold.data(), stream);
    });
  }
}

/// What a step begins with: the batch, the critics' input, noise and the flow's input.
void KernelRows::row_program() {
  const int batch = sizes_.batch, s = sizes_.dimensions.observation, chunk = sizes_.dimensions.chunk(),
            h = sizes_.dimensions.chunk_length, label = sizes_.settings.label_dim,
            velocity = s + label + chunk + 1;
  constexpr int kRows = 20000;
  const DeviceArray<float> observations = filled(kRows * size(s)), actions = filled(kRows * 2),
                           rewards = filled(kRows), costs = filled(kRows), continues = filled(kRows);
  std::vector<std::uint32_t> starts(kRows - size(h));
  for (std::size_t i = 0; i < starts.size(); ++i) starts[i] = static_cast<std::uint32_t>(i);
  const DeviceArray<std::uint32_t> on_starts(starts);
  WindowSource<float> source;
  source.observations = observations.data();
  source.actions = actions.data();
  source.rewards = rewards.data();
  source.costs = costs.data();
  source.continues = continues.data();
  source.starts = on_starts.data();
  source.windows = static_cast<std::uint32_t>(starts.size());
  source.observation_dim = s;
  source.action_dim = sizes_.dimensions.action;
  source.chunk_length = h;
  source.discount = 0.99f;

  std::vector<DeviceArray<float>> kept;
  const auto tensor = [&](int cols) {
    return view(kept.emplace_back(size(batch) * size(cols)), 1, batch, cols);
  };
  const WindowBatch<float> b{tensor(s), tensor(chunk), tensor(s), tensor(1), tensor(1), tensor(1)};
  const View<float> q_input = tensor(s + chunk), v_input = tensor(velocity), noise = tensor(chunk),
                    time = tensor(1), point = tensor(chunk);
  const std::vector<RowOperation<float>> operations = {GatherWindows<float>{source, 1, state_.data(), 0, b},
                                                       CopyColumns<float>{b.observations, q_input, 0},
                                                       CopyColumns<float>{b.actions, q_input, s},
                                                       DrawFlow<float>{1, state_.data(), 0, noise, time},
                                                       FlowPath<float>{noise, b.actions, time, point},
                                                       CopyColumns<float>{b.observations, v_input, 0},
                                                       CopyColumns<float>{point, v_input, s + label},
                                                       CopyColumns<float>{time, v_input, s + label + chunk}};
  // Each result is written once; the data set is read, and nothing else must be.
  const double read = 2 * s + chunk + 3 * h,
               written = read - 3 * h + 3 + s + chunk + velocity - label + 2 * chunk + 1;
  row("gather, noise, copies",
      std::to_string(batch) + " rows, " + std::to_string(operations.size()) + " operations", 0,
      batch * (read + written), 1, [&](cudaStream_t stream) { cuda::run_rows(operations, batch, stream); });
}

/// Adam and Polyak over every tensor of every network, and the step's end.
void KernelRows::optimizer() {
  const Parameters<float>&online = networks_.online, &follower = networks_.follower;
  std::vector<UpdateArguments<float>> pieces;
  double trained = 0, followed = 0;
  for (int i = 0; i < static_cast<int>(online.entries().size()); ++i) {
    const int follows = follower.find(online.entry(i).name);
    for (int net = 0; net < online.entry(i).shape.nets; ++net) {
      const std::size_t n = online.entry(i).net_size();
      pieces.push_back({online.value(i, net), online.first_moment(i, net), online.second_moment(i, net),
                        online.gradient(i, net), follows >= 0 ? follower.value(follows, net) : nullptr, n});
      trained += static_cast<double>(n);
      if (follows >= 0) followed += static_cast<double>(n);
    }
  }
  const DeviceArray<float> scratch(cuda::update_scratch(pieces)), squares(pieces.size()), loss = filled(1);
  row("Adam, Polyak, end of step", std::to_string(static_cast<long>(trained)) + " parameters", 0,
      7 * trained + 2 * followed, 2, [&](cudaStream_t stream) {
        cuda::update_parameters(pieces, {}, state_.data(), 0, scratch.data(), stream);
        cuda::finish_step(pieces, state_.data(), {loss.data()}, scratch.data(), squares.data(), stream);
      });
}

/// The fused sampler, where it can run: from noise to the chosen chunk.
void KernelRows::actions() {
  const Settings& settings = sizes_.settings;
  const FlowOptions options{settings.flow_steps, settings.guidance_scale};
  const int candidates = settings.num_candidates, s = sizes_.dimensions.observation,
            chunk = sizes_.dimensions.chunk();
  const std::vector<float> zeros(size(s), 0.0f), ones(size(s), 1.0f);
  const Sampler<float> sampler(networks_, method_.acting, {zeros, ones}, {options, candidates}, device_);
  const ActionWeights<float>& weights = sampler.weights();
  const Precision precision = clock_.queue().precision();
  int device = 0, shared = 0;
  R2_CUDA(cudaGetDevice(&device));
  R2_CUDA(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  if (!cuda::FusedAction::misfit(weights, options, candidates, precision, static_cast<std::size_t>(shared))
           .empty())
    return;
  cuda::FusedAction action(weights, options, candidates, precision);
  action.pack(clock_.queue().stream());
  double multiply_adds = flow_multiply_adds(weights.flow, options, candidates);
  for (const MlpWeights<float>& critic : weights.q_cost)
    for (const LayerWeights<float>& layer : critic.layers)
      multiply_adds += static_cast<double>(candidates) * layer.in * layer.out;
  for (const int n : sizes_.observations) {
    const DeviceArray<float> observations = filled(size(n) * size(s)),
                             chunks = filled(size(n) * size(candidates) * size(chunk)),
                             q_cost(size(n) * size(candidates)), chosen(size(n) * size(chunk)),
                             chosen_q_cost(size(n));
    ActionBuffers<float> buffers;
    buffers.observations = observations.data();
    buffers.candidates = chunks.data();
    buffers.q_cost = q_cost.data();
    buffers.chosen = chosen.data();
    buffers.chosen_q_cost = chosen_q_cost.data();
    row("fused action",
        std::to_string(n) + " obs, " + std::to_string(candidates) + " candidates, " +
            std::to_string(options.flow_steps) + " flow steps",
        2e-9 * multiply_adds * n, 0, 1, [&](cudaStream_t stream) {
          action.run(buffers, {n, true, false}, stream);
        });
  }
}

}  // namespace

void bench_cuda_kernels(const BenchTarget& target, const RowSink& sink) {
  KernelRows rows(target, sink);
  rows.products();
  rows.activations();
  rows.heads();
  rows.sums();
  rows.quantiles();
  rows.row_program();
  rows.optimizer();
  rows.actions();
}

}  // namespace r2pac
