// The table of settings. It has one entry for each, which says all that is special about it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "settings/settings.h"

namespace r2pac {

/// The type that a value must have in a TOML file.
enum class Kind { boolean, integer, real, text, integers, real_or_text };
/// A member, its description, and how text becomes its value. The text is what TOML has after `key =`,
/// strings without quotes.
struct Field {
  Kind kind;
  std::string_view key, doc;
  std::string range;
  SettingStage stage;
  std::function<std::string(const Settings&)> format;       ///< as TOML spells it
  std::function<bool(Settings&, std::string_view)> parse;   ///< false: not a value of the range
  std::function<void(Settings&, const Task&)> preset = {};  ///< the task's own value, if tasks have one
};

/// One entry for every member of Settings, in the order of the structure.
const std::vector<Field>& settings_table();

}  // namespace r2pac
