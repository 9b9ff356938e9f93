// Operations that record themselves on a tape together with their gradients. Shapes are checked when they
// are recorded; a mismatch throws InvalidArgument naming operation, argument, expected and actual shape.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/optimizer.h"
#include "engine/parameters.h"
#include "engine/tape.h"
#include "kernels/pointwise.h"

namespace r2pac {

/// Throws InvalidArgument unless x has the expected shape.
void require_shape(const char* operation, const char* argument, const Shape& expected, const Shape& actual);

/// What an application of a layer contributes to the gradient while gradients are enabled.
enum class Gradient {
  learn,    ///< to the layer's parameters, if they are trainable, and to its argument, if that wants one
  frozen,   ///< to its argument only
  constant  ///< nothing: its result is a constant
};

/// y [K, B, out] = activation(x W + b), x [1 or K, B, in]. A layer may be applied any number of times on a
/// tape: the gradients add up, the last application first. A layer of more members than the parameters have
/// takes the others from a follower; one that learns does so for the parameters' own, the others are
/// constants.
template <class T>
Tensor<T> dense_layer(Tape<T>& tape, Parameters<T>& parameters, const DenseLayer& layer, Tensor<T> x,
                      Activation activation, Gradient gradient = Gradient::learn);

/// activation(x), x [K, B, D].
template <class T>
Tensor<T> activate(Tape<T>& tape, Tensor<T> x, Activation activation);

/// x + y, both [K, B, D], as a residual connection wants it.
template <class T>
Tensor<T> add(Tape<T>& tape, Tensor<T> x, Tensor<T> y);

/// x [K, B, D] with each value 0 with probability `dropped` in [0, 1) and divided by 1 - dropped otherwise.
/// The choice is a function of (seed; step, row, member, column) and `which`, in [0, 4096), by which the
/// dropouts of one step differ. K * D at most 2^20 rounded.
template <class T>
Tensor<T> dropout(Tape<T>& tape, Tensor<T> x, double dropped, std::uint64_t seed, const StepState* state,
                  int which);
/// The factors of a dropout by themselves, 0 or 1 / (1 - dropped), and x times such factors, both of the
/// shape of x. A gradient flows to x only.
template <class T>
Tensor<T> dropout_factors(Tape<T>& tape, const Shape& shape, double dropped, std::uint64_t seed,
                          const StepState* state, int which);
template <class T>
Tensor<T> drop_out(Tape<T>& tape, Tensor<T> x, Tensor<T> factors);

/// Layer normalisation over columns, [K, B, D] -> [K, B, D].
template <class T>
Tensor<T> layer_norm(Tape<T>& tape, Parameters<T>& parameters, const NormLayer& layer, Tensor<T> x,
                     Gradient gradient = Gradient::learn);

/// [1, B, c1 + c2 + ...] from parts [1, B, ci]; gradients flow to the parts that want them. The parts that
/// want one must be neighbours.
template <class T>
Tensor<T> concatenate(Tape<T>& tape, const std::vector<Tensor<T>>& parts);

/// [1, B, cols] of one constant.
template <class T>
Tensor<T> filled(Tape<T>& tape, const std::string& name, Shape shape, double value);

/// rows(r) = table(label(r)), with label [1, B, 1] and a table entry [1, labels, cols].
template <class T>
Tensor<T> embedding(Tape<T>& tape, Parameters<T>& parameters, int table, Tensor<T> label,
                    Gradient gradient = Gradient::learn);

/// The entry [1, 1, n] of free parameters, such as a policy's log deviations or (n = 1) a multiplier, as each
/// row of [1, rows, n]; its gradient is the sum over rows.
template <class T>
Tensor<T> free_vector(Tape<T>& tape, Parameters<T>& parameters, int entry, int rows,
                      Gradient gradient = Gradient::learn);

/// [K, B, 1] -> [1, B, 1]; the gradient goes to the chosen member, the first of equal ones.
template <class T>
Tensor<T> ensemble_min(Tape<T>& tape, Tensor<T> x);
template <class T>
Tensor<T> ensemble_max(Tape<T>& tape, Tensor<T> x);

/// [K, B1 + B2, D] from `learning` [K, B1, D] above `constant` [K, B2, D], so that one call takes both
/// through a network, whose gradient concerns the upper rows only. Only on a device of whole batches.
template <class T>
Tensor<T> stack_rows(Tape<T>& tape, Tensor<T> learning, Tensor<T> constant);

}  // namespace r2pac
