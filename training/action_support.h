// How far a policy's actions lie from those that were recorded in like states. An estimate from data
// extrapolates where they are far.
#pragma once

#include <cstdint>
#include <span>

#include "data/dataset.h"

namespace r2pac {

/// An action is far where its distance to the nearest of the actions that were recorded in the ten most
/// similar states of other episodes exceeds kUsualShare of the distances of recorded actions themselves. So
/// of a policy that acts as the data do a share of 1 - kUsualShare is far.
inline constexpr double kUsualShare = 0.95;
/// A policy with more far actions than that leaves the data.
inline constexpr double kFarWarning = 0.25;

/// The share of far actions, over some hundred recorded states that are drawn at random. Distances are
/// Euclidean, of columns in standard deviations; states are compared with some thousand others.
/// actions  [stored_rows, A] of the policy. data: two episodes or more (InvalidArgument)
double far_action_share(const Dataset& data, std::span<const float> actions, std::uint64_t seed);

}  // namespace r2pac
