// What the engine offers any method, as small tapes: record(workbench) returns the losses.
// test_engine_features checks their gradients on the CPU, test_cuda_features on a CUDA device.
#pragma once

#include "engine/diffusion.h"
#include "engine/losses.h"
#include "engine/optidice.h"
#include "engine/sampling.h"
#include "workbench.h"

namespace r2pac::cases {

/// A chain of layers, a normalisation and a table, on two inputs.
inline constexpr auto layers_applied_twice = []<class T>(Workbench<T>& w) {
  std::vector<Tensor<T>> losses;
  for (const Tensor<T> x : {w.input, w.other, w.actions}) {
    Tensor<T> y = w.layer(w.second, w.layer(w.first, x));
    if (x != w.actions) y = layer_norm(w.tape, w.parameters, w.norm, y);
    losses.push_back(squared_error_loss(w.tape, "loss", w.layer(w.head, y, Activation::identity), w.wanted));
    losses.push_back(squared_error_loss(w.tape, "critics", w.layer(w.critics, x), w.wanted));
    const Tensor<T> row = embedding(w.tape, w.parameters, w.table, w.label);
    losses.push_back(squared_error_loss(w.tape, "rows", w.layer(w.judges, row), w.wanted));
  }
  return losses;
};

/// Gradients pass frozen layers to what learns before them, and stop at constant ones.
inline constexpr auto frozen_layers = []<class T>(Workbench<T>& w) {
  const auto frozen = [&](const DenseLayer& l, Tensor<T> x, Gradient gradient) {
    return dense_layer(w.tape, w.fixed, l, x, Activation::gelu_tanh, gradient);
  };
  const auto loss = [&](const char* name, Tensor<T> y) {
    return squared_error_loss(w.tape, name, y, w.wanted);
  };
  const Tensor<T> learned = w.layer(w.first, w.input);
  const Tensor<T> normal =
      layer_norm(w.tape, w.fixed, w.norm, frozen(w.second, learned, Gradient::frozen), Gradient::frozen);
  return std::vector<Tensor<T>>{
      loss("head", frozen(w.head, normal, Gradient::frozen)),
      loss("judges", frozen(w.judges, frozen(w.first, w.input, Gradient::frozen), Gradient::frozen)),
      loss("constant", w.layer(w.judges, frozen(w.first, w.input, Gradient::constant))),
      loss("both", w.layer(w.head, frozen(w.second, learned, Gradient::frozen)))};
};

/// Several losses on one tensor and on overlapping members of an ensemble, some members without any.
inline constexpr auto losses_on_one_tensor = []<class T>(Workbench<T>& w) {
  Tape<T>& t = w.tape;
  const Tensor<T> q = w.layer(w.critics, w.input, Activation::identity);
  const Tensor<T> y = w.layer(w.head, w.layer(w.first, w.other));
  const Tensor<T> one = w.layer(w.judges, w.layer(w.first, w.actions));
  const Tensor<T> velocity = w.layer(w.first, w.actions);
  return std::vector<Tensor<T>>{squared_error_loss(t, "last", t.members(q, 2, 1), w.wanted),
                                expectile_loss(t, "middle", t.members(q, 1, 1), w.wanted, 0.9, Side::upper),
                                squared_error_loss(t, "all", q, w.weights),
                                squared_error_loss(t, "first two", t.members(q, 0, 2), w.wanted),
                                expectile_loss(t, "upper", y, w.wanted, 0.9, Side::upper),
                                squared_error_loss(t, "y", y, w.weights),
                                expectile_loss(t, "lower", y, w.weights, 0.7, Side::lower),
                                squared_error_loss(t, "one of three", t.members(one, 1, 1), w.wanted),
                                flow_matching_loss(t, "flow", velocity, w.noise, w.data),
                                squared_error_loss(t, "velocity", velocity, w.noise)};
};

/// Each loss with weights of the rows, alone and as a second contribution.
inline constexpr auto weighted_losses = []<class T>(Workbench<T>& w) {
  Tape<T>& t = w.tape;
  const Tensor<T> q = w.layer(w.critics, w.input), y = w.layer(w.head, w.layer(w.first, w.input)),
                  velocity = w.layer(w.second, w.layer(w.first, w.other));
  return std::vector<Tensor<T>>{squared_error_loss(t, "q", q, w.wanted, w.weights),
                                squared_error_loss(t, "q again", q, w.wanted, w.weights),
                                expectile_loss(t, "y", y, w.wanted, 0.8, Side::lower, w.weights),
                                expectile_loss(t, "y again", y, w.wanted, 0.8, Side::upper, w.weights),
                                flow_matching_loss(t, "velocity", velocity, w.noise, w.data, w.weights),
                                flow_matching_loss(t, "velocity again", velocity, w.data, w.noise, w.weights),
                                squared_error_loss(t, "columns", velocity, w.data, w.weights)};
};

/// Least and greatest members, some of them of one ensemble.
inline constexpr auto ensemble_extremes = []<class T>(Workbench<T>& w) {
  Tape<T>& t = w.tape;
  const Tensor<T> q = w.layer(w.critics, w.input, Activation::identity), p = w.layer(w.judges, w.data);
  return std::vector<Tensor<T>>{
      squared_error_loss(t, "least", ensemble_min(t, q), w.wanted),
      squared_error_loss(t, "greatest", ensemble_max(t, t.members(q, 1, 2)), w.wanted),
      expectile_loss(t, "pair", ensemble_max(t, t.members(p, 0, 2)), w.wanted, 0.7, Side::upper)};
};

/// Free vectors, twice, and a scalar.
inline constexpr auto free_parameters = []<class T>(Workbench<T>& w) {
  Tape<T>& t = w.tape;
  const auto vector = [&] { return free_vector(t, w.parameters, w.vector, w.rows); };
  const Tensor<T> scalar = free_vector(t, w.parameters, w.scalar, w.rows);
  return std::vector<Tensor<T>>{
      squared_error_loss(t, "data", vector(), w.data),
      squared_error_loss(t, "noise", vector(), w.noise, w.weights),
      squared_error_loss(t, "head", w.layer(w.head, concatenate<T>(t, {w.input, scalar})), w.wanted),
      expectile_loss(t, "scalar", scalar, w.wanted, 0.9, Side::upper)};
};

/// A Gaussian of learned mean and free deviations, weighted and not.
inline constexpr auto gaussians = []<class T>(Workbench<T>& w) {
  Tape<T>& t = w.tape;
  const Tensor<T> mean = activate(t, w.layer(w.first, w.actions, Activation::identity), Activation::tanh);
  const Tensor<T> deviation = free_vector(t, w.parameters, w.vector, w.rows);
  return std::vector<Tensor<T>>{gaussian_loss(t, "plain", mean, deviation, w.data),
                                gaussian_loss(t, "weighted", mean, deviation, w.noise, w.weights)};
};

/// Samples and divergences of Gaussians, some of whose deviations are beyond their range; linear losses and
/// the mean of what is far, alone and as a second contribution.
inline constexpr auto sampled_gaussians = []<class T>(Workbench<T>& w) {
  Tape<T>& t = w.tape;
  const DeviationRange<T> range{T(-2), T(1)};
  const Tensor<T> mean = w.layer(w.first, w.actions, Activation::identity),
                  deviation = w.layer(w.second, w.layer(w.first, w.other), Activation::identity);
  const Tensor<T> sample = gaussian_sample(t, mean, deviation, w.noise, range);
  const Tensor<T> one = w.layer(w.head, sample), two = w.layer(w.head, w.layer(w.first, w.input));
  const Tensor<T> bound = mean_square(t, "bound", w.label, filled(t, "zero", w.wanted->shape, 0.5));
  const Tensor<T> distances = concatenate<T>(t, {w.label, w.weights});
  const Tensor<T> far = mean_of_far(t, concatenate<T>(t, {one, two}), distances, bound);
  return std::vector<Tensor<T>>{squared_error_loss(t, "sample", sample, w.data),
                                divergence_loss(t, "divergence", mean, deviation, range, 0.7),
                                divergence_loss(t, "again", mean, deviation, range, 0.1),
                                linear_loss(t, "far", far, -1.5, w.weights, bound),
                                linear_loss(t, "one", one, 0.3)};
};

/// The losses of stationary distribution corrections, of values in states before and after transitions.
inline constexpr auto distribution_corrections = []<class T>(Workbench<T>& w) {
  Tape<T>& t = w.tape;
  const Transitions<T> batch{w.wanted, w.weights, w.label, w.label, 0.9, 0.3};
  const Tensor<T> before = w.layer(w.head, w.layer(w.first, w.input)),
                  after = w.layer(w.head, w.layer(w.second, w.layer(w.first, w.other)));
  const Ratios<T> ratios = dice_ratios(t, batch, w.label, before, after, 0.5);
  const CostBound<T> bound = cost_bound(t, "bound", batch, w.weights, after, before,
                                        filled(t, "temperature", w.wanted->shape, 0.8), w.state());
  return std::vector<Tensor<T>>{dice_loss(t, "dice", batch, before, after, ratios, 0.5), bound.loss};
};

/// The gate's loss, whose chunks pass in some rows, alone and as a second contribution.
inline constexpr auto gates = []<class T>(Workbench<T>& w) {
  Tape<T>& t = w.tape;
  const Tensor<T> bound = mean_square(t, "bound", w.label, filled(t, "zero", w.wanted->shape, 0)),
                  square = mean_square(t, "square", w.wanted, w.weights);
  const Gate<T> gate{w.wanted, w.weights, bound, square, bound, 0.7};
  const Tensor<T> reward = w.layer(w.head, w.layer(w.first, w.input)),
                  cost = ensemble_max(t, w.layer(w.critics, w.other, Activation::identity));
  return std::vector<Tensor<T>>{gate_loss(t, "gate", reward, cost, gate),
                                gate_loss(t, "gate again", cost, reward, gate),
                                sum_of_means(t, "passed", gate_passed(t, reward, cost, gate))};
};

/// Every activation, in layers of one and of more outputs and by itself, and residual connections.
inline constexpr auto activations = []<class T>(Workbench<T>& w) {
  Tape<T>& t = w.tape;
  std::vector<Tensor<T>> losses;
  const Tensor<T> members = w.layer(w.critics, w.input, Activation::identity);
  for (const Activation a : {Activation::identity, Activation::gelu_erf, Activation::gelu_tanh,
                             Activation::relu, Activation::tanh, Activation::mish, Activation::softplus}) {
    const Tensor<T> x = w.layer(w.first, w.input, a);
    const Tensor<T> y = add(t, x, w.layer(w.second, activate(t, x, a), Activation::identity));
    losses.push_back(squared_error_loss(t, "head", w.layer(w.head, add(t, y, w.noise), a), w.wanted));
    losses.push_back(squared_error_loss(t, "members", activate(t, t.members(members, 0, 2), a), w.wanted));
    losses.push_back(squared_error_loss(t, "double", add(t, y, y), w.data));
  }
  return losses;
};

/// A normalisation before a residual block and one of another epsilon, whose arguments have other readers.
inline constexpr auto normalised_residual = []<class T>(Workbench<T>& w) {
  Tape<T>& t = w.tape;
  NormLayer wide = w.norm;
  wide.epsilon = 0.5;
  const Tensor<T> x = w.layer(w.first, w.input);
  const Tensor<T> block = w.layer(w.second, layer_norm(t, w.parameters, w.norm, x));
  const Tensor<T> y = add(t, x, block);
  const Tensor<T> joined = concatenate<T>(t, {w.wanted, w.layer(w.head, y), w.weights, w.label});
  return std::vector<Tensor<T>>{
      squared_error_loss(t, "wide", layer_norm(t, w.parameters, wide, y), w.data),
      squared_error_loss(t, "joined", layer_norm(t, w.fixed, wide, joined, Gradient::frozen), w.data),
      squared_error_loss(t, "y", y, w.noise)};
};

/// Features of times whose frequencies learn, read twice, and diffused actions through a layer that drops
/// out.
inline constexpr auto diffusions = []<class T>(Workbench<T>& w) {
  Tape<T>& t = w.tape;
  const Tensor<T> features = fourier_features(t, free_vector(t, w.parameters, w.vector, w.rows), w.label);
  const Tensor<T> diffused =
      clamp_columns(t, diffuse_actions(t, w.actions, w.other, w.label, DiffusionSchedule{3}), 0.8);
  const Tensor<T> x = w.layer(w.first, diffused);
  const Tensor<T> kept = drop_out(t, x, dropout_factors(t, x->shape, 0.3, 9, w.state(), 5));
  return std::vector<Tensor<T>>{
      squared_error_loss(t, "features", features, concatenate<T>(t, {w.data, w.noise})),
      squared_error_loss(t, "weighted", features, concatenate<T>(t, {w.noise, w.data}), w.weights),
      squared_error_loss(t, "kept", kept, w.data)};
};

/// Two dropouts, one of an ensemble.
inline constexpr auto dropouts = []<class T>(Workbench<T>& w) {
  Tape<T>& t = w.tape;
  const auto drop = [&](Tensor<T> x, int which) { return dropout(t, x, 0.4, 9, w.state(), which); };
  const Tensor<T> x = w.layer(w.first, w.input);
  return std::vector<Tensor<T>>{
      squared_error_loss(t, "head", w.layer(w.head, drop(x, 0)), w.wanted),
      squared_error_loss(t, "x", drop(x, 1), w.data),
      squared_error_loss(t, "critics", drop(w.layer(w.critics, w.input), 2), w.wanted)};
};

}  // namespace r2pac::cases
