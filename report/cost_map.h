// A map of V_c: where a policy estimates that the built-in robot is safe.
#pragma once

#include <vector>

#include "data/dataset.h"
#include "policy/policy.h"
#include "report/reach_avoid_figure.h"

namespace r2pac {

/// V_c at each point of a grid over the arena, for a robot that drives towards the goal's side at nearly full
/// speed. At rest the robot would be safe even at the entry of the short cut. Throws InvalidArgument for
/// another task's policy.
/// coverage  of CostMap: from arena_coverage(), or empty
CostMap cost_map(const Policy& policy, std::vector<float> coverage = {});

/// How far the data's states support each point of cost_map()'s grid: 1 - exp(-n / 5), where n is the number
/// of states with about its position and velocity (Gaussian weights). Throws InvalidArgument for data of
/// another task.
std::vector<float> arena_coverage(const Dataset& data);

}  // namespace r2pac
