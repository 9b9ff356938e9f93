// The nearest of a list of names, for "did you mean" in error messages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace r2pac {

/// The candidate with the smallest edit distance to `name`, ignoring case, or "" when none is near
/// (distance above a third of the longer name, rounded up).
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

/// "did you mean `x`?" or, when nothing is near, the whole list.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace r2pac
