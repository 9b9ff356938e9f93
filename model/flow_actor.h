// The flow actor: a network that learns the velocity at which noise moves to labelled chunks (PAPER.md,
// FLOW-PATH, FLOW-LOSS).
#pragma once

#include "model/recorder.h"

namespace r2pac {

inline constexpr char kVelocity[] = "velocity", kLabelTable[] = "label_table";

/// Declares the velocity field and its table of labels.
void declare_flow_actor(const Settings& settings, Dimensions dimensions, Declaration& declaration);

/// Records the flow-matching loss of the batch's chunks with `label` [1, B, 1]; some labels are dropped. The
/// loss of each window is multiplied by `weights` [1, B, 1], if given.
template <class T>
void learn_flow(Recorder<T>& r, Tensor<T> label, Tensor<T> weights = nullptr);

/// The same with the labels that `label` records for each window; none where the settings drop all of them.
template <class T>
void learn_labelled_flow(Recorder<T>& r, const RecordColumn<T>& label);

}  // namespace r2pac
