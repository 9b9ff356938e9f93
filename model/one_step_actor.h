// The one-step actor: a network that says a chunk in one pass, distilled from the flow under the eyes of the
// critics (SAFE_CHUNKS.md, ONE-STEP).
#pragma once

#include "model/method.h"

namespace r2pac {

inline constexpr char kOneStep[] = "one_step";

/// Makes a method of critics, region and labelled flow act in one step: adds the network `one_step`, of an
/// observation and a bound as a share of the region's end in [0, 1], and a last stage in which it learns.
template <class T>
void act_in_one_step(Method<T>& method, const Settings& settings, Dimensions dimensions);

}  // namespace r2pac
