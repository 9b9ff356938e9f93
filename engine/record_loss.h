// How a loss records itself on a tape; for the files that define losses.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/losses.h"
#include "engine/operations.h"

namespace r2pac {

/// The rows of a slice, or a view of nothing where there is no tensor.
template <class T>
View<T> rows_of(Tensor<T> x, const Slice& slice) {
  return x != nullptr ? x->view(slice) : View<T>{};
}

/// Records the gradient of a loss by one of its arguments. gradient(slice, scale, d, weights, add) makes the
/// row operation of its rows; `reads` are all tensors that it reads.
template <class T, class Gradient>
void record_gradient(Tape<T>& tape, const std::string& name, Tensor<T> argument, std::vector<Tensor<T>> reads,
                     Tensor<T> weights, Gradient gradient) {
  if (!argument->requires_gradient) return;
  want_all_columns(argument);
  tape.on_backward(nullptr, [=, &tape, rows = argument->shape.rows]() mutable {
    const bool add = !tape.first_contribution(argument);
    const Tensor<T> d = tape.gradient(argument);
    const T scale = T(1) / static_cast<T>(rows);  // the mean's derivative
    if (add) reads.push_back(d);
    tape.row_operation(name + " backward", argument->gradient_rows, reads, {d}, [=](const Slice& slice) {
      return gradient(slice, scale, d->view(slice), rows_of(weights, slice), add);
    });
  });
}

/// Records a loss. value(slice, loss, weights) makes the row operation of its rows' values,
/// gradient(slice, scale, d, weights, add) that of their gradient.
template <class T, class Value, class Gradient>
Tensor<T> record_loss(Tape<T>& tape, const std::string& name, Tensor<T> prediction,
                      std::vector<Tensor<T>> reads, Tensor<T> weights, Value value, Gradient gradient) {
  const int rows = prediction->shape.rows;
  reads.push_back(prediction);
  if (weights != nullptr) {
    require_shape(name.c_str(), "weights", {1, rows, 1}, weights->shape);
    reads.push_back(weights);
  }
  const Tensor<T> loss = tape.value(name, {prediction->shape.nets, rows, 1});
  tape.row_operation(name, rows, reads, {loss}, [=](const Slice& slice) {
    return value(slice, loss->view(slice), rows_of(weights, slice));
  });
  record_gradient(tape, name, prediction, reads, weights, gradient);
  return sum_of_means(tape, name, loss);
}

}  // namespace r2pac
