// Choosing one of several sampled chunks.
#pragma once

#include "base/host_device.h"

namespace r2pac {

namespace formula {

/// Whether a later candidate's cost beats the best so far: of equal ones the first stays, and a NaN is beaten
/// by all.
template <class T>
R2_FORMULA bool beats(T cost, T best) {
  return cost < best || best != best;
}

}  // namespace formula

/// The index of the least cost [candidates]; of several equal ones the first. A NaN is never chosen unless
/// all are. (PAPER.md, SELECT)
template <class T>
int least_cost(const T* cost, int candidates);

/// chosen [chunk_dim] and *chosen_cost: the candidate of least cost among chunks [candidates, chunk_dim].
template <class T>
void choose_least_cost(const T* cost, const T* chunks, int candidates, int chunk_dim, T* chosen,
                       T* chosen_cost);

}  // namespace r2pac
