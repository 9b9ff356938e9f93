// Denoising candidates on the CPU (docs/methods.md, FISOR): noise becomes chunks in a few steps of diffusion.
#pragma once

#include <cstddef>

#include "acting/candidates.h"
#include "kernels/diffusion.h"

namespace r2pac {

/// Values of working memory for `denoise` with `candidates` chunks.
template <class T>
std::size_t denoiser_scratch(const DenoiserWeights<T>& denoiser, int candidates);

/// Carries x [candidates, hA] from noise to chunks for one observation. noise: what the steps but the last
/// one add, [steps - 1, candidates, hA], a step's being noise_stride behind the one before.
template <class T>
void denoise(const DenoiserWeights<T>& denoiser, const DiffusionSchedule& schedule, const T* observation,
             int candidates, const T* noise, std::size_t noise_stride, T* x, T* scratch);

/// Multiply-adds of denoise.
template <class T>
double denoiser_multiply_adds(const DenoiserWeights<T>& denoiser, const DiffusionSchedule& schedule,
                              int candidates);

}  // namespace r2pac
