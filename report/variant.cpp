#include <algorithm>
#include <set>

#include "report/table.h"
#include "settings/text_value.h"

namespace r2pac {
namespace {

/// The value of a key that makes no difference to what it describes; equal to any other.
constexpr std::string_view kIndifferent = "*";

/// A flow that never sees a label imitates the data, whatever else is set: by name, or as early versions
/// spelled it.
bool is_cloning(const Settings& s) {
  if (s.method == "cloning") return true;
  return s.schedule == Schedule::sequential && s.resolved_critic_steps() == 0 && s.label_dropout == 1;
}

void make_indifferent(VariantKeys& keys, std::initializer_list<std::string_view> names) {
  for (auto& [name, value] : keys)
    if (std::ranges::find(names, name) != names.end()) value = std::string(kIndifferent);
}

std::string unquoted(std::string text) {
  std::erase(text, '"');
  return text;
}

}  // namespace

VariantKeys training_keys(const Settings& settings) {
  const std::optional<Task> task = task_from_file_name(settings.task);
  const std::optional<Settings> of_task = task ? std::optional(preset(*task)) : std::nullopt;
  VariantKeys keys;
  for (const SettingInfo& info : settings_fields()) {
    const std::string key(info.key), value = setting_text(settings, key);
    if (info.stage == SettingStage::logging || key == "seed" || key == "task") continue;
    const bool as_preset = info.per_task && of_task && value == setting_text(*of_task, key);
    keys.emplace_back(key, as_preset ? "preset" : unquoted(value));
    if (key == "method")
      keys.back().second = method_of_training(settings) == "r2pac" ? "" : method_of_training(settings);
  }
  if (is_cloning(settings))
    make_indifferent(keys, {"schedule", "critic_steps", "label_dropout", "label", "guidance_scale"});
  return keys;
}

std::string method_of_training(const Settings& settings) {
  return is_cloning(settings) ? "cloning" : settings.method;
}

VariantKeys scoring_keys(const ScoredPolicy& s) {
  VariantKeys keys = training_keys(s.settings);
  for (const SettingInfo& info : settings_fields())
    if (info.stage == SettingStage::acting)
      std::erase_if(keys, [&](const auto& key) { return key.first == info.key; });
  keys.emplace_back("selection", s.selection);
  keys.emplace_back("candidates", std::to_string(s.candidates));
  keys.emplace_back("guidance", format_number(s.guidance));
  keys.emplace_back("flow_steps", std::to_string(s.flow_steps));
  keys.emplace_back("region_bound", s.threshold);
  keys.emplace_back("label", s.label);
  keys.emplace_back("kappa", s.cost_limit == s.settings.cost_limit ? "" : format_number(s.cost_limit));
  keys.emplace_back("env", task_alias(s.env) == s.place() ? "" : s.env);
  keys.emplace_back("act_with", s.act_with);
  keys.emplace_back("program", s.program);
  if (!s.program.empty()) {  // nothing else is known
    for (auto& [name, value] : keys) {
      if (name == "method") value = s.method;
      if (name != "method" && name != "kappa" && name != "env" && name != "program")
        value = std::string(kIndifferent);
    }
  }
  if (s.settings.actor == ActorKind::one_step && s.act_with.empty()) {
    make_indifferent(keys, {"selection", "flow_steps", "guidance", "label"});
  } else {
    if (s.candidates == 1) make_indifferent(keys, {"selection", "region_bound"});
    if (s.selection == "least-cost") make_indifferent(keys, {"region_bound"});
  }
  if (is_cloning(s.settings)) make_indifferent(keys, {"label"});
  if (is_cloning(s.settings) || s.label == "null") make_indifferent(keys, {"guidance"});
  return keys;
}

std::string checkpoint_text(const ScoredPolicy& s) {
  const Settings& settings = s.settings;
  std::int64_t total = settings.steps;
  if (settings.schedule == Schedule::sequential && settings.method != "cloning") {  // that has one stage
    total += settings.resolved_critic_steps();
    if (settings.actor == ActorKind::one_step) total += settings.resolved_distill_steps();
  }
  const bool is_end =
      s.checkpoint == "last" && (!s.program.empty() || s.step == static_cast<std::uint64_t>(total));
  const std::string text =
      is_end || s.checkpoint == "safe-best" ? s.checkpoint : "step " + std::to_string(s.step);
  return text + (s.while_training ? " (while training)" : s.stale ? " (stale)" : "");
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
