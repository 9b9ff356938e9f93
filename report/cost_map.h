// Where the built-in robot is safe, in the eyes of a policy.
#pragma once

#include "report/reach_avoid_figure.h"
#include "training/policy.h"

namespace r2pac {

/// V_c at each point of a grid over the arena, for a robot that drives towards the goal's side at nearly full
/// speed: at rest the mouth of the short cut is still safe. Throws InvalidArgument for another task's policy.
CostMap cost_map(const Policy& policy);

}  // namespace r2pac
