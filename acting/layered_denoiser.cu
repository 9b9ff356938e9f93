// Denoising candidates on a CUDA device, by library products with small kernels between them.
#include <algorithm>

#include "acting/layered_action.cuh"
#include "cuda/cuda.cuh"
#include "kernels/diffusion.h"

namespace r2pac::cuda {
namespace {

constexpr int kThreads = 256;

std::size_t size(int n) { return static_cast<std::size_t>(n); }
int blocks(std::size_t items) { return static_cast<int>((items + kThreads - 1) / kThreads); }
__device__ inline std::size_t item() { return std::size_t{blockIdx.x} * kThreads + threadIdx.x; }

/// features [2 count] = cosines and sines of t turns of the frequencies.
__global__ void __launch_bounds__(kThreads)
    wave_kernel(const float* frequencies, int count, float t, float* features) {
  const int f = static_cast<int>(item());
  if (f < 2 * count) features[f] = formula::wave(t * frequencies[f < count ? f : f - count], f >= count);
}

/// input(i, c) = chunk (i, c), state i and time beside each other.
__global__ void __launch_bounds__(kThreads)
    input_kernel(const float* chunks, const float* states, const float* time, int rows, int candidates,
                 int chunk, int state, int width, float* input) {
  const std::size_t at = item();
  if (at >= std::size_t(rows) * candidates * width) return;
  const std::size_t pair = at / width, column = at % width;
  input[at] = column < std::size_t(chunk)           ? chunks[pair * chunk + column]
              : column < std::size_t(chunk + state) ? states[pair / candidates * state + column - chunk]
                                                    : time[column - chunk - state];
}

/// x [n] += change [n].
__global__ void __launch_bounds__(kThreads) residual_kernel(const float* change, std::size_t n, float* x) {
  const std::size_t at = item();
  if (at < n) x[at] += change[at];
}

/// x(i, j) takes a step of denoising; noise: of row i for this step, `stride` behind that of row i - 1.
__global__ void __launch_bounds__(kThreads)
    denoise_kernel(const float* predicted, const float* noise, std::size_t stride, std::size_t per_row,
                   int rows, float t, float steps, float* x) {
  const std::size_t at = item();
  if (at >= rows * per_row) return;
  const float added = t > 0.0f ? noise[at / per_row * stride + at % per_row] : 0.0f;
  x[at] = formula::denoised(x[at], predicted[at], added, t, steps);
}

}  // namespace

std::unique_ptr<LayeredAction::DenoiserSpace> LayeredAction::make_denoiser_space(int rows) const {
  const DenoiserWeights<float>& w = spec_.weights.denoiser;
  if (!w.exists()) return nullptr;
  const std::size_t many = size(rows) * size(spec_.candidates);
  int inner = w.time.width();
  for (const auto& block : w.blocks) inner = std::max(inner, block.mlp.width());
  const auto floats = [](std::size_t count) { return DeviceArray<float>(count); };
  return std::unique_ptr<DenoiserSpace>(
      new DenoiserSpace{floats(size(2 * w.frequency_count)),
                        floats(size(w.time.layers.back().out)),
                        floats(many * size(w.inputs())),
                        floats(many * size(w.width())),
                        floats(many * size(w.width())),
                        floats(many * size(w.width())),
                        floats(many * size(w.exit.layers.back().out)),
                        {floats(many * size(inner)), floats(many * size(inner))}});
}

void LayeredAction::denoise(const ActionBuffers<float>& buffers, int rows) {
  const DenoiserWeights<float>& w = spec_.weights.denoiser;
  const DiffusionSchedule& schedule = spec_.weights.diffusion;
  DenoiserSpace& space = *workspace_->denoiser;
  const int many = rows * spec_.candidates, width = w.width(), chunk = spec_.weights.flow.chunk_dim;
  const std::size_t per_row = size(spec_.candidates) * size(chunk);
  float* const both[2] = {space.inner[0].data(), space.inner[1].data()};
  const auto view = [](DeviceArray<float>& array, int n, int cols) {
    return View<float>{array.data(), 0, 1, n, cols};
  };
  for (int t = schedule.steps - 1; t >= 0; --t) {
    launch("waves", [&](cudaStream_t stream) {
      cuda::launch(wave_kernel, blocks(size(2 * w.frequency_count)), kThreads, 0, stream, w.frequencies,
                   w.frequency_count, static_cast<float>(t), space.features.data());
    });
    forward({&w.time}, view(space.features, 1, 2 * w.frequency_count), both, space.time.data());
    launch("denoiser input", [&](cudaStream_t stream) {
      cuda::launch(input_kernel, blocks(size(many) * size(w.inputs())), kThreads, 0, stream,
                   buffers.candidates, buffers.observations, space.time.data(), rows, spec_.candidates, chunk,
                   spec_.weights.flow.observation_dim, w.inputs(), space.input.data());
    });
    forward({&w.entrance}, view(space.input, many, w.inputs()), both, space.state.data());
    const View<float> state = view(space.state, many, width),
                      normalized = view(space.normalized, many, width);
    for (const auto& block : w.blocks) {
      queue_.begin_call(Work::after_everything("block's normalisation"));
      backend_.layer_norm({state, block.gain, block.bias, 0, normalized, {}, {}, block.epsilon});
      forward({&block.mlp}, normalized, both, space.change.data());
      launch("residual", [&](cudaStream_t stream) {
        const std::size_t values = size(many) * size(width);
        cuda::launch(residual_kernel, blocks(values), kThreads, 0, stream, space.change.data(), values,
                     space.state.data());
      });
    }
    queue_.begin_call(Work::after_everything("mish"));
    backend_.activate(state, Activation::mish, normalized, {});
    forward({&w.exit}, normalized, both, space.predicted.data());
    launch("denoise", [&](cudaStream_t stream) {
      cuda::launch(denoise_kernel, blocks(size(rows) * per_row), kThreads, 0, stream, space.predicted.data(),
                   buffers.step_noise + size(schedule.steps - 1 - t) * per_row,
                   size(schedule.steps - 1) * per_row, per_row, rows, static_cast<float>(t),
                   static_cast<float>(schedule.steps), buffers.candidates);
    });
  }
}

}  // namespace r2pac::cuda
