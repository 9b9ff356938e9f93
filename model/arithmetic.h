// How much a method computes, counted from its networks.
#pragma once

#include <vector>

#include "model/method.h"

namespace r2pac {

/// Operations of one gradient step that trains `stages` together, in GFLOP, a multiply-add as two: forward
/// passes (critics also those of their followers, values also at the states after), weight gradients, and
/// input gradients of all but the first layer (of the label's columns there).
double step_gflop(const Settings& settings, const Method<float>& method,
                  const std::vector<Stage<float>>& stages);

/// Operations of all steps of a training, in GFLOP.
double training_gflop(const Settings& settings, const Method<float>& method);

/// Operations of one decision, in GFLOP: candidates, flow steps, with and without label where guided, and the
/// critics' judgement of each candidate.
double action_gflop(const Settings& settings, const Method<float>& method);

/// Numbers that a method trains in its networks.
double trained_numbers(const Method<float>& method);

}  // namespace r2pac
