// Operations of kernels/diffusion.h that record themselves on a tape. All tensors have one member.
#pragma once

#include <cstdint>

#include "engine/tape.h"
#include "kernels/diffusion.h"

namespace r2pac {

/// Steps t of a schedule, uniform, [1, rows, 1]: a function of (seed; step, row) and `which`, by which the
/// draws of one step differ.
template <class T>
Tensor<T> draw_times(Tape<T>& tape, int rows, const DiffusionSchedule& schedule, std::uint64_t seed,
                     const StepState* state, int which);

/// x [1, B, C] within +-bound. No gradient.
template <class T>
Tensor<T> clamp_columns(Tape<T>& tape, Tensor<T> x, double bound);

/// Actions with the noise of steps 0 .. time; actions and noise [1, B, C], time [1, B, 1]. No gradient.
template <class T>
Tensor<T> diffuse_actions(Tape<T>& tape, Tensor<T> actions, Tensor<T> noise, Tensor<T> time,
                          const DiffusionSchedule& schedule);

/// [1, B, 2 F] of frequencies [1, B, F] and time [1, B, 1]: cosines, then sines. A gradient flows to the
/// frequencies.
template <class T>
Tensor<T> fourier_features(Tape<T>& tape, Tensor<T> frequencies, Tensor<T> time);

}  // namespace r2pac
