// Operations of kernels/optidice.h that record themselves on a tape together with their gradients. Columns
// are [1, B, 1] unless they say otherwise.
#pragma once

#include <string>

#include "engine/tape.h"

namespace r2pac {

/// What the operations know of a batch of transitions.
template <class T>
struct Transitions {
  Tensor<T> rewards, costs, mask, initial;
  double discount;
  double initial_weight;  ///< (1 - discount) / share of initial states in the data
};

template <class T>
struct Ratios {
  Tensor<T> error, ratio;
};
/// The temporal difference of reward less multiplier * cost by nu, and how much more often than the data the
/// transition should be visited. No gradient.
template <class T>
Ratios<T> dice_ratios(Tape<T>& tape, const Transitions<T>& batch, Tensor<T> multiplier, Tensor<T> nu,
                      Tensor<T> nu_next, double alpha);
/// The loss of nu for ratios by this nu, as a batch mean. Gradients flow to nu and nu_next.
template <class T>
Tensor<T> dice_loss(Tape<T>& tape, const std::string& name, const Transitions<T>& batch, Tensor<T> nu,
                    Tensor<T> nu_next, const Ratios<T>& ratios, double alpha);

template <class T>
struct CostBound {
  Tensor<T> loss;              ///< batch mean of the weighted levels, kept
  Tensor<T> divergence, cost;  ///< [1, 1, 1] of the weights, and the weighted mean cost: the bound
};
/// An upper bound of the cost of what the ratios visit: the mean over a batch weighted by the softmax of
/// levels / temperature, which chi lowers. Gradients of the loss flow to chi and chi_next.
template <class T>
CostBound<T> cost_bound(Tape<T>& tape, const std::string& name, const Transitions<T>& batch, Tensor<T> ratio,
                        Tensor<T> chi, Tensor<T> chi_next, Tensor<T> temperature, const StepState* state);

/// x [1, B, C] + factor * deviation [C] * noise [1, B, C]; deviation in the device's memory. No gradient.
template <class T>
Tensor<T> perturbed(Tape<T>& tape, Tensor<T> x, const T* deviation, double factor, Tensor<T> noise);

/// The inverse of tanh of x [1, B, C]; beyond +-(1 - 1e-6) that of these ends. No gradient.
template <class T>
Tensor<T> before_tanh(Tape<T>& tape, Tensor<T> x);

/// [1, B, 1] of a number x [1, 1, 1]. No gradient.
template <class T>
Tensor<T> in_each_row(Tape<T>& tape, Tensor<T> x, int rows);

}  // namespace r2pac
