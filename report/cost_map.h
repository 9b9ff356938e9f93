// A map of V_c: where a policy estimates that the built-in robot is safe.
#pragma once

#include "policy/policy.h"
#include "report/reach_avoid_figure.h"

namespace r2pac {

/// V_c at each point of a grid over the arena, for a robot that drives towards the goal's side at nearly full
/// speed. At rest the robot would be safe even at the entry of the short cut. Throws InvalidArgument for
/// another task's policy.
CostMap cost_map(const Policy& policy);

}  // namespace r2pac
