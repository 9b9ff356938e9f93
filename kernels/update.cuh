// The optimiser on a CUDA device: Adam and Polyak over all tensors of a group in one launch, and the step's
// end.
#pragma once

#include <cuda_runtime_api.h>

#include <vector>

#include "kernels/update.h"

namespace r2pac::cuda {

/// Pieces of one launch of update_parameters and of finish_step; more take more launches.
inline constexpr int kUpdatePieces = 128, kFinishPieces = 512;
/// Losses that finish_step can look at.
inline constexpr int kStepLosses = 32;

/// Partial sums of squared gradients, which update_parameters leaves for finish_step: values of device memory
/// needed for the pieces' sizes.
std::size_t update_scratch(const std::vector<UpdateArguments<float>>& pieces);

/// kernels/update.h's update_parameters for every piece: step number count.at(state->completed). Fastest
/// where a piece's arrays have the same alignment. scratch [update_scratch] is overwritten.
///
/// The corrections 1 - beta^t are made on the device as -expm1(t log(beta)) in single precision: rounding
/// log(beta) and the product changes them by at most 2^-23 of their value, and expm1 by 2^-23 more.
void update_parameters(const std::vector<UpdateArguments<float>>& pieces, const AdamSettings& settings,
                       const StepState* state, const UpdateCount& count, float* scratch, cudaStream_t stream,
                       const float* gradient_scale = nullptr);
/// Launches that it takes.
int update_launches(const std::vector<UpdateArguments<float>>& pieces);

/// The partial sums alone.
void square_gradients(const std::vector<UpdateArguments<float>>& pieces, float* scratch, cudaStream_t stream);
/// kernels/update.h's clip_gradient, from all partial sums [n], added in a fixed order.
void clip_gradient(const float* partial_squares, std::size_t n, double clip, float* scale,
                   cudaStream_t stream);

/// ++state->step.
void begin_next_step(StepState* state, cudaStream_t stream);

/// After update_parameters of the same pieces: squares[i] = sum of squared gradients of piece i, in a fixed
/// order; then kernels/update.h's finish_step, which leaves state->step alone. losses: device addresses of
/// one value each. Throws InvalidArgument beyond kStepLosses.
void finish_step(const std::vector<UpdateArguments<float>>& pieces, StepState* state,
                 const std::vector<const float*>& losses, const float* scratch, float* squares,
                 cudaStream_t stream);

}  // namespace r2pac::cuda
