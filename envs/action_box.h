// Bounds of an environment's actions, and how a policy's actions become the environment's.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace r2pac {

/// The actions that an environment takes, one pair of bounds a component; a bound may be infinite. Both NaN:
/// the environment does not state them.
struct ActionBox {
  std::vector<double> low, high;  ///< [A]

  /// Whether there is an action between the bounds of a component, or these are unknown.
  bool is_valid(std::size_t component) const;
};

/// The policy's own box: [-1, 1] in every component.
ActionBox policy_box(std::size_t action_dim);
ActionBox unknown_box(std::size_t action_dim);

/// "[-2, 2]", or the components one by one where they differ.
std::string to_text(const ActionBox& box);

/// Turns a policy's actions, which lie within [-1, 1], into an environment's.
class ActionMap {
 public:
  /// rescale  map [-1, 1] onto finite bounds that are others
  /// Actions pass as they are where bounds are [-1, 1], infinite or unknown.
  /// Throws Error(usage) that names both boxes where bounds are others and `rescale` is false, and where
  /// actions of
  /// [-1, 1] would leave bounds of which only one is finite. where  for that error
  ActionMap(ActionBox box, bool rescale, const std::string& where);

  const ActionBox& box() const { return box_; }
  const std::vector<std::string>& warnings() const { return warnings_; }  ///< sentences for the user

  /// An action of [-1, 1]; the result lies within the bounds, whatever the rounding.
  float operator()(std::size_t component, float action) const;

 private:
  ActionBox box_;
  std::vector<bool> rescaled_;  // [A]
  std::vector<std::string> warnings_;
};

}  // namespace r2pac
