// Acting on a CUDA device.
#pragma once

#include <memory>

#include "acting/actor.h"
#include "engine/cuda_device.cuh"

namespace r2pac::cuda {

/// The actor for these networks, by a fixed rule: the fused kernel if it can run them and the choice is by
/// least cost, else a graph of library products. The environment variable R2PAC_CUDA_SAMPLER (fused or
/// layered) replaces the rule. Throws Error(settings) if the variable names neither, or asks for a kernel
/// that cannot run these networks.
std::unique_ptr<Actor<float>> make_actor(const ActorSpec<float>& spec, CudaDevice& device);

}  // namespace r2pac::cuda
