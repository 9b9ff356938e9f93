// Acting on a CUDA device.
#pragma once

#include <memory>

#include "acting/actor.h"
#include "engine/cuda_device.cuh"

namespace r2pac::cuda {

/// The actor for these networks: one fused kernel, or a graph of library products. If both can do it, each
/// call size is timed once with both; the environment variable R2PAC_CUDA_SAMPLER (fused or layered) decides
/// instead. Choices by region, calls that ask for rewards and given chunks take the graph.
/// Throws Error(settings) if the variable names neither, or asks for a kernel that cannot run these networks.
std::unique_ptr<Actor<float>> make_actor(const ActorSpec<float>& spec, CudaDevice& device);

}  // namespace r2pac::cuda
