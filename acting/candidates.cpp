#include "acting/candidates.h"

#include <algorithm>

#include "kernels/critic.h"
#include "kernels/flow.h"
#include "kernels/vector_kernels.h"

namespace r2pac {
namespace {

constexpr bool kOverwrite = false, kAdd = true;  // `accumulate` of a product

constexpr std::size_t size(int n) { return static_cast<std::size_t>(n); }

template <class T>
int flow_width(const FlowWeights<T>& flow) {
  return std::max(flow.first_width, flow.rest.width());
}

/// y [rows, out] = x [rows, in] * weight.
template <class T>
void multiply(const LayerWeights<T>& layer, const T* x, int rows, T* y) {
  if (layer.out == 1)
    vector_kernels<T>().dot(x, size(layer.in), rows, layer.in, layer.weight, T(0), y, 1);
  else
    layer.products->multiply(x, size(layer.in), rows, layer.in, layer.packed, layer.out, y, size(layer.out),
                             kOverwrite);
}

/// y [n] = activation(y).
template <class T>
void activate(Activation activation, std::size_t n, T* y) {
  constexpr std::size_t kZeros = 64;
  static constexpr T zeros[kZeros] = {};
  for (std::size_t at = 0; at < n; at += kZeros)
    vector_kernels<T>().bias_activation(y + at, 0, 1, static_cast<int>(std::min(kZeros, n - at)), zeros,
                                        activation, nullptr, 0);
}

/// One layer from x [rows, in] into y [rows, out]. norm_first: as MlpWeights has it.
template <class T>
void layer_forward(const LayerWeights<T>& layer, Activation activation, bool norm_first, const T* x, int rows,
                   T* y) {
  const VectorKernels<T>& kernels = vector_kernels<T>();
  const bool late = norm_first && layer.gain != nullptr;
  multiply(layer, x, rows, y);
  kernels.bias_activation(y, size(layer.out), rows, layer.out, layer.bias,
                          late ? Activation::identity : activation, nullptr, 0);
  if (layer.gain != nullptr)
    kernels.layer_norm(y, rows, layer.out, layer.gain, layer.norm_bias, y, nullptr, nullptr, layer.epsilon);
  if (late) activate(activation, size(rows) * size(layer.out), y);
}

}  // namespace

FlowBranches flow_branches(const FlowOptions& options) {
  if (options.label == kLabelNull || options.guidance_scale == 0) return {1, {kLabelNull, 0}};
  if (options.guidance_scale == 1) return {1, {options.label, 0}};
  return {2, {kLabelNull, options.label}};
}

template <class T>
int MlpWeights<T>::width() const {
  int widest = 0;
  for (const LayerWeights<T>& layer : layers) widest = std::max(widest, layer.out);
  return widest;
}

template <class T>
void mlp_forward(const MlpWeights<T>& mlp, const T* x, int rows, T* out, T* buffers) {
  T* buffer[2] = {buffers, buffers + size(rows) * size(mlp.width())};
  for (std::size_t i = 0; i < mlp.layers.size(); ++i) {
    const bool last = i + 1 == mlp.layers.size();
    T* y = last ? out : buffer[i % 2];
    layer_forward(mlp.layers[i], last ? mlp.output : mlp.activation, mlp.norm_first, x, rows, y);
    x = y;
  }
}

template <class T>
std::size_t flow_scratch(const FlowWeights<T>& flow, int candidates) {
  const int rows = 2 * candidates;
  return 3 * size(rows) * size(flow_width(flow)) + size(rows) * size(flow.chunk_dim) +
         4 * size(flow.first_width);
}

template <class T>
bool integrate_flow(const FlowWeights<T>& flow, const FlowOptions& options, const T* observation,
                    int candidates, T* x, T* scratch, Pace* pace) {
  const VectorKernels<T>& kernels = vector_kernels<T>();
  const FlowBranches branch = flow_branches(options);
  const int d = flow.first_width, rows = branch.count * candidates;
  T* const constant = scratch;             // [2, D]: observation, label and bias through the first layer
  T* const bias = constant + 2 * size(d);  // [2, D]: the same plus the time's part
  T* const velocity = bias + 2 * size(d);
  T* const first = velocity + 2 * size(candidates) * size(flow.chunk_dim);
  T* const buffers = first + 2 * size(candidates) * size(flow_width(flow));

  for (int b = 0; b < branch.count; ++b) {
    T* row = constant + size(b) * size(d);
    std::copy_n(flow.bias, d, row);
    dense<T>().multiply(observation, size(flow.observation_dim), 1, flow.observation_dim, flow.observation, d,
                        row, size(d), kAdd);
    dense<T>().multiply(flow.label_table + size(branch.label[b]) * size(flow.label_dim), size(flow.label_dim),
                        1, flow.label_dim, flow.label, d, row, size(d), kAdd);
  }
  EulerSteps<T> steps(options.flow_steps);
  for (int n = 0; n < steps.count; ++n) {
    if (pace != nullptr) {
      const int left = pace->begin(steps.count - n);
      if (left == 0) return false;
      if (left < steps.count - n) steps.shorten(n, left);
    }
    const T time = steps.time(n), dt = steps.dt;
    dense<T>().multiply(x, size(flow.chunk_dim), candidates, flow.chunk_dim, flow.chunk, d, first, size(d),
                        kOverwrite);
    for (int b = branch.count - 1; b >= 0; --b) {  // branch 0 last, for its place holds the common part
      T* y = first + size(b) * size(candidates) * size(d);
      if (b > 0) std::copy_n(first, size(candidates) * size(d), y);
      T* sum = bias + size(b) * size(d);
      for (int j = 0; j < d; ++j) sum[j] = constant[size(b) * size(d) + size(j)] + time * flow.time[j];
      kernels.bias_activation(y, size(d), candidates, d, sum, flow.rest.activation, nullptr, 0);
    }
    mlp_forward(flow.rest, first, rows, velocity, buffers);
    const std::size_t values = size(candidates) * size(flow.chunk_dim);
    if (branch.count == 2)
      guided_euler_step(velocity, velocity + values, static_cast<T>(options.guidance_scale), dt, values, x);
    else
      guided_euler_step(velocity, velocity, T(1), dt, values, x);
  }
  clip_actions(size(candidates) * size(flow.chunk_dim), x);
  if (pace != nullptr) pace->note(steps.count);
  return true;
}

template <class T>
std::size_t score_scratch(const MlpWeights<T>& critic, int candidates) {
  return size(candidates) * (size(critic.layers.front().in) + 1 + 2 * size(critic.width()));
}

template <class T>
void extreme_score(const std::vector<MlpWeights<T>>& critics, Extreme extreme, const T* observation,
                   int observation_dim, const T* chunks, int chunk_dim, int candidates, T* score,
                   T* scratch) {
  const std::size_t pair = size(observation_dim + chunk_dim);
  T* const pairs = scratch;
  T* const q = pairs + size(candidates) * pair;
  T* const buffers = q + candidates;
  for (int c = 0; c < candidates; ++c) {
    std::copy_n(observation, observation_dim, pairs + size(c) * pair);
    std::copy_n(chunks + size(c) * size(chunk_dim), chunk_dim, pairs + size(c) * pair + observation_dim);
  }
  for (std::size_t k = 0; k < critics.size(); ++k) {
    mlp_forward(critics[k], pairs, candidates, q, buffers);
    for (int c = 0; c < candidates; ++c)
      score[c] = k == 0                         ? q[c]
                 : extreme == Extreme::greatest ? std::max(score[c], q[c])
                                                : std::min(score[c], q[c]);
  }
}

template <class T>
double flow_multiply_adds(const FlowWeights<T>& flow, const FlowOptions& options, int candidates) {
  const int count = flow_branches(options).count;
  double per_step = static_cast<double>(candidates) * flow.chunk_dim * flow.first_width;
  for (const LayerWeights<T>& layer : flow.rest.layers)
    per_step += static_cast<double>(count) * candidates * layer.in * layer.out;
  return options.flow_steps * per_step +
         static_cast<double>(count) * (flow.observation_dim + flow.label_dim) * flow.first_width;
}

#define R2_INSTANTIATE(T)                                                                                    \
  template struct MlpWeights<T>;                                                                             \
  template void mlp_forward(const MlpWeights<T>&, const T*, int, T*, T*);                                    \
  template std::size_t flow_scratch(const FlowWeights<T>&, int);                                             \
  template bool integrate_flow(const FlowWeights<T>&, const FlowOptions&, const T*, int, T*, T*, Pace*);     \
  template std::size_t score_scratch(const MlpWeights<T>&, int);                                             \
  template void extreme_score(const std::vector<MlpWeights<T>>&, Extreme, const T*, int, const T*, int, int, \
                              T*, T*);                                                                       \
  template double flow_multiply_adds(const FlowWeights<T>&, const FlowOptions&, int);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
