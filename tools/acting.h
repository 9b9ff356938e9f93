// The flags by which a policy acts with other settings than it was trained with: --set, and those that name
// one setting each.
#pragma once

#include <string>
#include <vector>

#include "policy/policy.h"

namespace CLI {
class App;
}

namespace r2pac {

struct ActingFlags {
  std::vector<std::string> overrides;  ///< --set key=value
  struct Flag {
    std::string name, key, text;
  };
  std::vector<Flag> flags;  ///< the others, which win

  bool given() const { return !overrides.empty() || !flags.empty(); }
};

void add_acting_flags(CLI::App& verb, ActingFlags& flags);

/// Throws Error: usage for a flag, settings for --set.
void change_acting(Settings& settings, const ActingFlags& flags);

/// The policy's own settings with those that are given. Throws Error: usage for a flag, settings for --set.
Settings acting_settings(const Policy& policy, const ActingFlags& flags);

}  // namespace r2pac
