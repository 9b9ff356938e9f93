// How a policy acts where it is not to be as trained: the flags from --candidates to --label.
#pragma once

#include <optional>
#include <string>

#include "acting/select.h"
#include "model/policy.h"

namespace CLI {
class App;
}

namespace r2pac {

struct ActingFlags {
  std::optional<int> flow_steps, candidates;
  std::optional<double> guidance;
  std::optional<Selection> selection;
  std::optional<double> threshold;  ///< of Selection::region, instead of the policy's l
  std::string label = "1";          ///< "1" follows the good label, "null" clones the data
};

void add_acting_flags(CLI::App& verb, ActingFlags& flags);

/// The policy's own options with those that are given.
SamplerOptions acting_options(const Policy& policy, const ActingFlags& flags);

}  // namespace r2pac
