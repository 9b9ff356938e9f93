// The methods that can be trained, and which settings go with a choice. The methods themselves are in model/.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace r2pac {

struct Task;

/// A method as `r2pac methods` lists it.
struct MethodInfo {
  std::string_view name, description, source;
  int version = 1;  ///< raised when the same settings and data give other numbers, or defaults change
};
const std::vector<MethodInfo>& method_list();

/// A value that a setting takes with a choice of another one, unless the user gives a value. If `fixed`, no
/// other value is possible, or no other one but `other`.
struct Companion {
  std::string_view key, value;
  bool fixed = false;
  std::string_view other = {};                    ///< of a fixed one: the only other value that is possible
  std::string (*of_task)(const Task&) = nullptr;  ///< the value where the task is known; `value` elsewhere
};

/// The values that go with `key` = `value`.
struct Companions {
  std::string_view key, value;
  std::vector<Companion> settings;
};
const std::vector<Companions>& companions();

/// Settings by name and their texts.
using SettingTexts = std::vector<std::pair<std::string_view, std::string_view>>;

/// Sizes and steps for a purpose, and what else the purpose needs; --preset.
struct RunPreset {
  std::string_view name, description;
  SettingTexts settings;  ///< of a method that `of_methods` does not name; empty: the preset is not for it
  std::vector<std::pair<std::string_view, SettingTexts>> of_methods = {};
  bool is_for(std::string_view method) const;
};
const std::vector<RunPreset>& run_presets();
/// The preset of that name. Throws Error(usage) where there is none.
const RunPreset& run_preset(std::string_view name);
/// What the preset says for a method. Throws Error(usage) if it is not for that method.
const SettingTexts& settings_of(const RunPreset& preset, std::string_view method);

}  // namespace r2pac
