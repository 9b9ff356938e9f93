#include "acting/denoiser.h"

#include <algorithm>

#include "kernels/vector_kernels.h"

namespace r2pac {
namespace {

constexpr std::size_t size(int n) { return static_cast<std::size_t>(n); }

template <class T>
int buffer_width(const DenoiserWeights<T>& w) {
  int width = std::max({w.time.width(), w.entrance.width(), w.exit.width()});
  for (const auto& block : w.blocks) width = std::max(width, block.mlp.width());
  return width;
}

}  // namespace

template <class T>
std::size_t denoiser_scratch(const DenoiserWeights<T>& w, int candidates) {
  if (!w.exists()) return 0;
  const std::size_t per_candidate =
      size(w.inputs() + 3 * w.width() + w.exit.layers.back().out + 2 * buffer_width(w));
  return size(candidates) * per_candidate + size(2 * w.frequency_count + w.width());
}

template <class T>
void denoise(const DenoiserWeights<T>& w, const DiffusionSchedule& schedule, const T* observation,
             int candidates, const T* noise, std::size_t noise_stride, T* x, T* scratch) {
  const VectorKernels<T>& kernels = vector_kernels<T>();
  const int width = w.width(), inputs = w.inputs(), chunk = w.exit.layers.back().out,
            times = w.time.layers.back().out, states = inputs - chunk - times;
  const std::size_t values = size(candidates) * size(width), numbers = size(candidates) * size(chunk);
  T* const features = scratch;
  T* const zeros = features + 2 * w.frequency_count;
  T* const input = zeros + width;
  T* const state = input + size(candidates) * size(inputs);
  T* const normalized = state + values;
  T* const change = normalized + values;
  T* const predicted = change + values;
  T* const buffers = predicted + numbers;
  std::fill_n(zeros, width, T(0));
  const auto steps = static_cast<T>(schedule.steps);
  for (int step = schedule.steps - 1; step >= 0; --step) {
    const auto t = static_cast<T>(step);
    for (int f = 0; f < 2 * w.frequency_count; ++f)
      features[f] = formula::wave(t * w.frequencies[f % w.frequency_count], f >= w.frequency_count);
    T* const time = input + chunk + states;  // of the first candidate, whose place it is
    mlp_forward(w.time, features, 1, time, buffers);
    for (int c = 0; c < candidates; ++c) {
      T* const row = input + size(c) * size(inputs);
      std::copy_n(x + size(c) * size(chunk), chunk, row);
      std::copy_n(observation, states, row + chunk);
      if (c > 0) std::copy_n(time, times, row + chunk + states);
    }
    mlp_forward(w.entrance, input, candidates, state, buffers);
    for (const auto& block : w.blocks) {
      kernels.layer_norm(state, candidates, width, block.gain, block.bias, normalized, nullptr, nullptr,
                         block.epsilon);
      mlp_forward(block.mlp, normalized, candidates, change, buffers);
      for (std::size_t i = 0; i < values; ++i) state[i] += change[i];
    }
    kernels.bias_activation(state, size(width), candidates, width, zeros, Activation::mish, nullptr, 0);
    mlp_forward(w.exit, state, candidates, predicted, buffers);
    for (std::size_t i = 0; i < numbers; ++i)
      x[i] = formula::denoised(x[i], predicted[i], step > 0 ? noise[i] : T(0), t, steps);
    noise += noise_stride;
  }
}

template <class T>
double denoiser_multiply_adds(const DenoiserWeights<T>& w, const DiffusionSchedule& schedule,
                              int candidates) {
  if (!w.exists()) return 0;
  const auto of = [](const MlpWeights<T>& mlp) {
    double sum = 0;
    for (const LayerWeights<T>& layer : mlp.layers) sum += static_cast<double>(layer.in) * layer.out;
    return sum;
  };
  double per_candidate = of(w.entrance) + of(w.exit);
  for (const auto& block : w.blocks) per_candidate += of(block.mlp);
  return schedule.steps * (of(w.time) + candidates * per_candidate);
}

#define R2_INSTANTIATE(T)                                                                             \
  template std::size_t denoiser_scratch(const DenoiserWeights<T>&, int);                              \
  template void denoise(const DenoiserWeights<T>&, const DiffusionSchedule&, const T*, int, const T*, \
                        std::size_t, T*, T*);                                                         \
  template double denoiser_multiply_adds(const DenoiserWeights<T>&, const DiffusionSchedule&, int);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
