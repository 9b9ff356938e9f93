// The optimiser's pass over one parameter tensor.
#pragma once

#include <cstddef>
#include <vector>

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

/// Adam's step number count.at(state->completed) and Polyak. *squares = sum of squared gradients, which are
/// then multiplied by *gradient_scale unless that is null.
template <class T>
void update_parameters(const UpdateArguments<T>& arguments, const AdamSettings& settings,
                       const StepState* state, const UpdateCount& count, T* squares,
                       const T* gradient_scale = nullptr);

/// *scale = the factor that shortens a gradient to the norm `clip`, from the sums of its squares [n].
template <class T>
void clip_gradient(const T* squares, std::size_t n, double clip, T* scale);

/// Ends a gradient step, and begins the next: counts it, and notes it as the first bad one if one of squares
/// [n] or of the losses is not finite and none is known yet.
template <class T>
void finish_step(StepState* state, const T* squares, std::size_t n, const std::vector<const T*>& losses);

}  // namespace r2pac
