#include <algorithm>
#include <array>
#include <set>

#include "model/text_value.h"
#include "report/table.h"

namespace r2pac {
namespace {

/// Settings that no trained number depends on, or that name what a table's row is about.
constexpr std::array<std::string_view, 5> kNoVariant = {"seed", "task", "log_every", "checkpoint_every",
                                                        "keep_checkpoints"};
/// Settings that say how a policy acts, which scores state themselves.
constexpr std::array<std::string_view, 4> kOfActing = {"guidance_scale", "flow_steps", "num_candidates",
                                                       "selection"};

/// The settings in which some task's preset departs from the defaults.
const std::set<std::string>& preset_keys() {
  static const std::set<std::string> keys = [] {
    std::set<std::string> found;
    for (const Task& task : all_tasks()) {
      Settings of_task = preset(task);
      of_task.task.clear();
      for (const SettingDifference& difference : differences(Settings{}, of_task))
        found.insert(difference.key);
    }
    return found;
  }();
  return keys;
}

/// The value of a key that makes no difference to what it describes; equal to any other.
constexpr std::string_view kIndifferent = "*";

/// A flow without critics that never sees a label imitates the data, whatever else is set.
bool is_cloning(const Settings& s) {
  return s.schedule == Schedule::sequential && s.resolved_critic_steps() == 0 && s.label_dropout == 1;
}

void make_indifferent(VariantKeys& keys, std::initializer_list<std::string_view> names) {
  for (auto& [name, value] : keys)
    if (std::ranges::find(names, name) != names.end()) value = kIndifferent;
}

std::string unquoted(std::string text) {
  std::erase(text, '"');
  return text;
}

}  // namespace

VariantKeys training_keys(const Settings& settings) {
  const std::optional<Task> task = task_from_file_name(settings.task);
  const std::optional<Settings> of_task = task ? std::optional(preset(*task)) : std::nullopt;
  VariantKeys keys = {{"method", is_cloning(settings) ? "cloning" : ""}};
  for (const SettingInfo& info : settings_fields()) {
    if (std::ranges::find(kNoVariant, info.key) != kNoVariant.end()) continue;
    const std::string key(info.key), value = setting_text(settings, key);
    const bool as_preset = of_task && preset_keys().contains(key) && value == setting_text(*of_task, key);
    keys.emplace_back(key, as_preset ? "preset" : unquoted(value));
  }
  if (is_cloning(settings)) make_indifferent(keys, {"schedule", "critic_steps", "label_dropout"});
  return keys;
}

VariantKeys scoring_keys(const ScoredPolicy& s) {
  VariantKeys keys = training_keys(s.settings);
  std::erase_if(keys,
                [](const auto& key) { return std::ranges::find(kOfActing, key.first) != kOfActing.end(); });
  keys.emplace_back("selection", s.selection);
  keys.emplace_back("candidates", std::to_string(s.candidates));
  keys.emplace_back("guidance", format_number(s.guidance));
  keys.emplace_back("flow_steps", std::to_string(s.flow_steps));
  keys.emplace_back("threshold", s.threshold);
  keys.emplace_back("label", s.label);
  keys.emplace_back("kappa", s.cost_limit == s.settings.cost_limit ? "" : format_number(s.cost_limit));
  keys.emplace_back("env", task_alias(s.env) == s.place() ? "" : s.env);
  if (s.candidates == 1) make_indifferent(keys, {"selection", "threshold"});
  if (s.selection == "least-cost") make_indifferent(keys, {"threshold"});
  if (is_cloning(s.settings)) make_indifferent(keys, {"label"});
  if (is_cloning(s.settings) || s.label == "null") make_indifferent(keys, {"guidance"});
  return keys;
}

std::string checkpoint_text(const ScoredPolicy& s) {
  const Settings& settings = s.settings;
  const std::int64_t total =
      settings.steps + (settings.schedule == Schedule::joint ? 0 : settings.resolved_critic_steps());
  const bool is_end = s.checkpoint == "last" && s.step == static_cast<std::uint64_t>(total);
  return is_end || s.checkpoint == "safe-best" ? s.checkpoint : "step " + std::to_string(s.step);
}

std::vector<std::string> variant_texts(const std::vector<VariantKeys>& keys) {
  std::vector<std::string> texts(keys.size());
  for (std::size_t k = 0; !keys.empty() && k < keys[0].size(); ++k) {
    std::set<std::string_view> values;
    for (const VariantKeys& one : keys) values.insert(one[k].second);
    values.erase(kIndifferent);
    if (values.size() < 2) continue;
    for (std::size_t i = 0; i < keys.size(); ++i)
      if (!keys[i][k].second.empty() && keys[i][k].second != kIndifferent)
        texts[i] += (texts[i].empty() ? "" : ", ") + keys[i][k].first + "=" + keys[i][k].second;
  }
  return texts;
}

}  // namespace r2pac
