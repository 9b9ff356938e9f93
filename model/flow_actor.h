// The flow actor: a velocity field that learns to carry noise to labelled chunks (PAPER.md, FLOW-PATH,
// FLOW-LOSS).
#pragma once

#include "model/recorder.h"

namespace r2pac {

inline constexpr char kVelocity[] = "velocity", kLabelTable[] = "label_table";

/// Declares the velocity field and its table of labels.
void declare_flow_actor(const Settings& settings, Dimensions dimensions, Declaration& declaration);

/// The flow-matching loss of the batch's chunks under `label` [1, B, 1], some of which are dropped; of each
/// window as much as `weights` [1, B, 1] say.
template <class T>
void learn_flow(Recorder<T>& r, Tensor<T> label, Tensor<T> weights = nullptr);

}  // namespace r2pac
