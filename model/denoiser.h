// The denoiser: a residual network that tells the noise in a diffused action, given the state and the step of
// the diffusion (docs/methods.md, FISOR).
#pragma once

#include "acting/policy_sampler.h"
#include "engine/diffusion.h"
#include "model/recorder.h"

namespace r2pac {

inline constexpr DiffusionSchedule kDiffusion{5};

/// Its networks, with `blocks` blocks. Their order is that of memory.
DenoiserNames denoiser_names(int blocks);

/// Declares it for actions of `dimensions`: as many blocks as the actor has hidden layers, all of one width.
/// Its followers are what acts. Throws Error(settings) where widths differ.
void declare_denoiser(const Settings& settings, Dimensions dimensions, Declaration& declaration);

/// The draws of one of several passes of a step.
template <class T>
struct DiffusionDraw {
  Tensor<T> noise;                  ///< [1, B, A], standard normal
  Tensor<T> time;                   ///< [1, B, 1], in 0 .. steps - 1
  std::vector<Tensor<T>> dropouts;  ///< [1, B, width] of each block
};
template <class T>
DiffusionDraw<T> draw_diffusion(Recorder<T>& r, int rows, int pass);

/// Records what the learning denoiser takes for the noise in the actions [1, B, A] after the draw's steps, in
/// `observations` [1, B, S]: [1, B, A].
template <class T>
Tensor<T> predicted_noise(Recorder<T>& r, const DiffusionDraw<T>& draw, Tensor<T> observations,
                          Tensor<T> actions);

}  // namespace r2pac
