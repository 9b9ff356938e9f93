#include "model/denoiser.h"

#include <algorithm>

#include "base/error.h"
#include "engine/operations.h"
#include "engine/sampling.h"

namespace r2pac {
namespace {

// Constants of the published code.
constexpr int kFrequencies = 32, kTimeWidth = 128, kInnerWidth = 4;  // the latter of blocks, in widths
constexpr double kFrequencyDeviation = 0.2, kDropped = 0.1;
constexpr double kRateSteps = 3e6;  // updates until the rate is zero
constexpr double kPolyak = 0.001;

}  // namespace

DenoiserNames denoiser_names(int blocks) {
  DenoiserNames names{"frequencies", "time", "entrance", {}, "exit"};
  for (int i = 0; i < blocks; ++i) names.blocks.push_back("block_" + std::to_string(i));
  return names;
}

void declare_denoiser(const Settings& settings, Dimensions dimensions, Declaration& declaration) {
  const std::vector<int>& widths = settings.resolved_actor_hidden();
  const int width = widths.front();
  if (std::ranges::any_of(widths, [&](int other) { return other != width; }))
    throw Error(ExitCode::settings, "the blocks of a denoiser have one width", "actor_hidden",
                "give one width as many times as there should be blocks");
  const DenoiserNames names = denoiser_names(static_cast<int>(widths.size()));
  Network network;
  network.activation = Activation::mish;
  network.followed = true;
  network.cosine_steps = kRateSteps;
  network.polyak = kPolyak;
  const auto declare = [&](const std::string& name, const std::vector<Columns>& inputs,
                           const std::vector<int>& hidden, int outputs) -> Network& {
    network.name = name;
    network.inputs = inputs;
    network.hidden = hidden;
    network.outputs = outputs;
    return declaration.networks.emplace_back(network);
  };
  declare(names.time, {{"frequencies", 2 * kFrequencies}}, {kTimeWidth}, kTimeWidth);
  declare(names.entrance,
          {{"chunk", dimensions.chunk()}, {"observation", dimensions.observation}, {"time", kTimeWidth}}, {},
          width);
  for (const std::string& name : names.blocks) {
    Network& block = declare(name, {{"features", width}}, {kInnerWidth * width}, width);
    block.input_norm = true;
    block.initializer = Initializer::lecun;
  }
  declare(names.exit, {{"features", width}}, {}, dimensions.chunk());
  Table frequencies{names.frequencies, names.time, 1, kFrequencies, TableStart::normal};
  frequencies.scale = kFrequencyDeviation;
  frequencies.followed = true;
  declaration.tables.push_back(frequencies);
}

template <class T>
DiffusionDraw<T> draw_diffusion(Recorder<T>& r, int rows, int pass) {
  Tape<T>& tape = r.tape();
  const std::vector<int>& widths = r.settings().resolved_actor_hidden();
  const std::string of_pass = "." + std::to_string(pass);
  const int blocks = static_cast<int>(widths.size());
  DiffusionDraw<T> draw{
      normal_noise(tape, rows, r.source().action_dim * r.chunk_length(), r.seed(), r.state(), pass),
      draw_times(tape, rows, kDiffusion, r.seed(), r.state(), pass),
      {}};
  for (int i = 0; i < blocks; ++i) {
    draw.dropouts.push_back(dropout_factors<T>(tape, {1, rows, widths.front()}, kDropped, r.seed(), r.state(),
                                               pass * blocks + i));
    r.trace("dropout" + of_pass + "." + std::to_string(i), draw.dropouts.back());
  }
  r.trace("noise" + of_pass, draw.noise);
  r.trace("time" + of_pass, draw.time);
  return draw;
}

template <class T>
Tensor<T> predicted_noise(Recorder<T>& r, const DiffusionDraw<T>& draw, Tensor<T> observations,
                          Tensor<T> actions) {
  Tape<T>& tape = r.tape();
  Networks<T>& networks = r.networks();
  const DenoiserNames names = denoiser_names(static_cast<int>(draw.dropouts.size()));
  const auto apply = [&](const std::string& name, Tensor<T> x) {
    return r.apply({{name, Weights::learning, x}}).front();
  };
  const Tensor<T> frequencies =
      free_vector(tape, networks.online, networks.table(names.frequencies), actions->shape.rows);
  const Tensor<T> time = apply(names.time, fourier_features(tape, frequencies, draw.time));
  const Tensor<T> diffused = diffuse_actions(tape, actions, draw.noise, draw.time, kDiffusion);
  Tensor<T> x = apply(names.entrance, concatenate<T>(tape, {diffused, observations, time}));
  for (std::size_t i = 0; i < names.blocks.size(); ++i)
    x = add(tape, x, apply(names.blocks[i], drop_out(tape, x, draw.dropouts[i])));
  return apply(names.exit, activate(tape, x, Activation::mish));
}

#define R2_INSTANTIATE(T)                                           \
  template DiffusionDraw<T> draw_diffusion(Recorder<T>&, int, int); \
  template Tensor<T> predicted_noise(Recorder<T>&, const DiffusionDraw<T>&, Tensor<T>, Tensor<T>);
R2_INSTANTIATE(float)
R2_INSTANTIATE(double)

}  // namespace r2pac
