// Acting on the CPU.
#pragma once

#include <memory>

#include "acting/actor.h"
#include "engine/executor.h"
#include "kernels/precision.h"

namespace r2pac {

/// An actor on the pool's threads; the pool outlives it. With bf16 (T = float, has_bf16_products()) the
/// products between hidden layers round their operands.
template <class T>
std::unique_ptr<Actor<T>> cpu_actor(const ActorSpec<T>& spec, ThreadPool& pool, Precision precision);

}  // namespace r2pac
