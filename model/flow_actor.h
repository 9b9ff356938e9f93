// The flow actor: a network that learns the velocity at which noise moves to labelled chunks (PAPER.md,
// FLOW-PATH, FLOW-LOSS).
#pragma once

#include "model/recorder.h"

namespace r2pac {

inline constexpr char kVelocity[] = "velocity", kLabelTable[] = "label_table";

/// Declares the velocity field and its table of labels.
void declare_flow_actor(const Settings& settings, Dimensions dimensions, Declaration& declaration);

/// Random numbers of this step for a flow, drawn once.
template <class T>
struct FlowDraw {
  Tensor<T> noise;  ///< [1, B, hA], standard normal
  Tensor<T> time;   ///< [1, B, 1], uniform on (0, 1)
};
template <class T>
FlowDraw<T> draw_flow(Recorder<T>& r);

/// What the flow as it is makes of `noise` [1, B, hA] for the batch's observations, in `steps` Euler steps
/// along the label good: chunks [1, B, hA] as constants.
template <class T>
Tensor<T> flow_chunks(Recorder<T>& r, Tensor<T> noise, int steps);

/// Records the flow-matching loss of the batch's chunks with `label` [1, B, 1]; some labels are dropped. The
/// loss of each window is multiplied by `weights` [1, B, 1], if given.
template <class T>
void learn_flow(Recorder<T>& r, Tensor<T> label, Tensor<T> weights = nullptr);

/// The same with the labels that `label` records for each window; none where the settings drop all of them.
template <class T>
void learn_labelled_flow(Recorder<T>& r, const RecordColumn<T>& label);

}  // namespace r2pac
