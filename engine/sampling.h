// Operations of kernels/sampling.h that record themselves on a tape together with their gradients. All
// tensors have one member.
#pragma once

#include <cstdint>
#include <string>

#include "engine/tape.h"
#include "kernels/sampling.h"

namespace r2pac {

/// Standard normal noise [1, B, cols], a function of (seed; step, row, column) and `which` in [0, 2^16), by
/// which the draws of one step differ. Throws InvalidArgument for more than 2^16 columns.
template <class T>
Tensor<T> normal_noise(Tape<T>& tape, int rows, int cols, std::uint64_t seed, const StepState* state,
                       int which);

/// Samples of Gaussians from standard normal noise, all [1, B, C]. Gradients flow to mean and log_deviation.
template <class T>
Tensor<T> gaussian_sample(Tape<T>& tape, Tensor<T> mean, Tensor<T> log_deviation, Tensor<T> noise,
                          const DeviationRange<T>& range);

/// The mean over columns of how far each Gaussian is from the standard normal (Kullback and Leibler), [1, B,
/// 1] from [1, B, C]. No gradient.
template <class T>
Tensor<T> divergence(Tape<T>& tape, Tensor<T> mean, Tensor<T> log_deviation, const DeviationRange<T>& range);
/// `factor` times the batch mean of the same, as a loss. Gradients flow to mean and log_deviation.
template <class T>
Tensor<T> divergence_loss(Tape<T>& tape, const std::string& name, Tensor<T> mean, Tensor<T> log_deviation,
                          const DeviationRange<T>& range, double factor);

/// earned + discount * mask * value, the last term only where cost <= limit; [1, B, 1] each, the limit [1, 1,
/// 1]. mask null: 1; cost and limit null: nothing is left out. No gradient.
template <class T>
Tensor<T> limited_backup(Tape<T>& tape, const std::string& name, Tensor<T> earned, Tensor<T> mask,
                         Tensor<T> value, double discount, Tensor<T> cost = nullptr,
                         Tensor<T> limit = nullptr);

/// `factor` times the batch mean of weights * x as a loss, [1, B, 1] each, and times exp(log_factor) [1, 1,
/// 1] where that is not null. weights null: 1. A gradient flows to x only.
template <class T>
Tensor<T> linear_loss(Tape<T>& tape, const std::string& name, Tensor<T> x, double factor,
                      Tensor<T> weights = nullptr, Tensor<T> log_factor = nullptr);

/// [1, B, 1] from x [1, B, C]: the mean over columns, in which those with a distance [1, B, C] below bound
/// [1, 1, 1] count as zeros. A gradient flows to x only.
template <class T>
Tensor<T> mean_of_far(Tape<T>& tape, Tensor<T> x, Tensor<T> distance, Tensor<T> bound);

/// The mean of x [1, B, 1], and the quantile of all values of x [1, B, C] with linear interpolation, as [1,
/// 1, 1] for use within the step. No gradient.
template <class T>
Tensor<T> batch_mean(Tape<T>& tape, const std::string& name, Tensor<T> x);
template <class T>
Tensor<T> batch_quantile(Tape<T>& tape, const std::string& name, Tensor<T> x, double alpha,
                         const StepState* state);

/// Moves log [1, 1, 1] by rate * exp(log) * (goal - measured [1, 1, 1]), within +-bound.
template <class T>
void dual_ascent(Tape<T>& tape, Tensor<T> log, Tensor<T> measured, double rate, double goal, double bound);

}  // namespace r2pac
