// The methods that can be trained, and which settings go with a choice. How each works: model/.
#pragma once

#include <string_view>
#include <vector>

namespace r2pac {

/// A method as `r2pac methods` lists it.
struct MethodInfo {
  std::string_view name, description, source;
};
const std::vector<MethodInfo>& method_list();

/// A value that another setting takes with a choice, unless the user gives one; if `fixed`, no other is
/// possible.
struct Companion {
  std::string_view key, value;
  bool fixed = false;
};

/// What goes with `key` = `value`.
struct Companions {
  std::string_view key, value;
  std::vector<Companion> settings;
};
const std::vector<Companions>& companions();

}  // namespace r2pac
