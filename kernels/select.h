// Choosing one of several sampled chunks.
#pragma once

namespace r2pac {

/// The index of the least cost [candidates]; of several equal ones the first. A NaN is never chosen unless
/// all are. (PAPER.md, SELECT)
template <class T>
int least_cost(const T* cost, int candidates);

}  // namespace r2pac
