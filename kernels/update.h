// The optimiser's schedule over one parameter tensor.
#pragma once

#include <cstddef>

#include "kernels/optimizer.h"
#include "kernels/view.h"

namespace r2pac {

template <class T>
struct UpdateArguments {
  T *value, *first_moment, *second_moment;
  const T* gradient;
  T* target;  ///< null for none
  std::size_t size;
};

/// Adam's step number state->step - first_step + 1 and Polyak. *squares = sum of squared gradients.
template <class T>
void update_parameters(const UpdateArguments<T>& arguments, const AdamSettings& settings,
                       const StepState* state, unsigned long long first_step, T* squares);

/// ++state->step.
void advance(StepState* state);

}  // namespace r2pac
