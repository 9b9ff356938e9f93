// Acting on the CPU.
#pragma once

#include <memory>

#include "acting/actor.h"
#include "engine/executor.h"
#include "kernels/precision.h"

namespace r2pac {

/// An actor on the pool's threads; the pool outlives it. Its layers bring the products that they take;
/// `precision` is what they were packed for.
template <class T>
std::unique_ptr<Actor<T>> cpu_actor(const ActorSpec<T>& spec, ThreadPool& pool, Precision precision);

}  // namespace r2pac
