// What the engine offers any method, as small tapes: record(workbench) returns the losses.
// test_engine_features checks their gradients on the CPU, test_cuda_features on a CUDA device.
#pragma once

#include "model/losses.h"
#include "workbench.h"

namespace r2pac::cases {

/// A chain of layers, a normalisation and a table, on two inputs.
inline constexpr auto layers_applied_twice = []<class T>(Workbench<T>& w) {
  std::vector<Tensor<T>> losses;
  for (const Tensor<T> x : {w.input, w.other, w.actions}) {
    Tensor<T> y = w.layer(w.second, w.layer(w.first, x));
    if (x != w.actions) y = layer_norm(w.tape, w.parameters, w.norm, y);
    losses.push_back(squared_error_loss(w.tape, "loss", w.layer(w.head, y, Activation::identity), w.wanted));
    losses.push_back(squared_error_loss(w.tape, "critics", w.layer(w.critics, x), w.wanted));
    const Tensor<T> row = embedding(w.tape, w.parameters, w.table, w.label);
    losses.push_back(squared_error_loss(w.tape, "rows", w.layer(w.judges, row), w.wanted));
  }
  return losses;
};

}  // namespace r2pac::cases
