#include "settings/methods.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/nearest.h"
#include "settings/tasks.h"
#include "settings/text_value.h"

namespace r2pac {

const std::vector<MethodInfo>& method_list() {
  static const std::vector<MethodInfo> methods = {
      {"r2pac", "critics of reward and cost, a penalty for leaving the safe region, a guided flow",
       "Region-Based Reward Penalty over Action Chunks, Algorithm 3"},
      {"safe-chunks", "critics of reward and cost, values of reward over allowed chunks alone, a guided flow",
       "this program's own, see model/SAFE_CHUNKS.md"},
      {"budgeted", "as safe-chunks, but what may still be spent is an input: one training for every limit",
       "this program's own after an idea of BCRL, see model/BUDGETED.md"},
      {"cloning", "the flow alone, which imitates the data as they are",
       "behaviour cloning by flow matching"},
      {"bc", "a network that imitates single actions by squared error",
       "behaviour cloning, as published in OSRL"},
      {"bc-safe", "as bc, from the episodes whose own cost is within the limit",
       "behaviour cloning of safe data, as published in OSRL"},
      {"cpq", "an actor climbs critics of reward, whose targets leave out actions beyond the cost limit",
       "Constraints Penalized Q-learning (Xu et al., 2022), as published in OSRL or consistent (form)"},
      {"coptidice", "an actor imitates transitions by how often the best policy within the limit visits them",
       "COptiDICE (Lee et al., 2022), as published in OSRL or consistent (form)"},
      {"caps",
       "two actors, of best return and of least cost; each step takes one by what is left of the limit",
       "Constraint-Adaptive Policy Switching (Chemingui et al., 2025), over IQL, as published"},
      {"bcrl",
       "an actor that sees what is left of the limit beyond what a state costs, and one that saves where "
       "nothing is",
       "Budget-Conditioned Reachability (Brahmanage and Kumar, 2026), over IQL, as published"},
      {"fisor",
       "a denoiser that imitates actions by reward where costs can be avoided, and by feasibility elsewhere",
       "Feasibility-Guided Safe Offline RL (Zheng et al., 2024), as published"},
  };
  return methods;
}

namespace {

/// The settings of a published method that acts by one network for one action at a time: the sizes and scales
/// of the published code, and `own` in place of those of the same name or after them.
std::vector<Companion> as_published(const std::vector<Companion>& own) {
  std::vector<Companion> all = {{"chunk_length", "1", true},
                                {"num_candidates", "1", true},
                                {"actor", "flow", true},
                                {"schedule", "joint", true},
                                {"activation", "relu"},
                                {"hidden", "256,256"},
                                {"batch", "512"},
                                {"steps", "100000"},
                                {"learning_rate", "1e-3"},
                                {"timeouts", "terminal"},
                                {"reward_scale", "0.1"}};
  for (const Companion& companion : own) {
    std::erase_if(all, [&](const Companion& common) { return common.key == companion.key; });
    all.push_back(companion);
  }
  return all;
}

/// The factor on rewards by which the best episode's return is T more than the worst one's.
std::string scale_of_returns(const Task& task) {
  return format_number(task.episode_steps / (task.max_return - task.min_return));
}

bool is_bullet(const Task& task) { return task.family == "bullet-safety-gym"; }

/// Expectiles of BCRL, which its code gives for two families of tasks; ours of costs count from below.
std::string bcrl_expectile(const Task& task) { return is_bullet(task) ? "0.5" : "0.6"; }
std::string bcrl_cost_expectile(const Task& task) {
  const bool circle = task.alias == "CarCircle" || task.alias == "DroneCircle";
  return is_bullet(task) && !circle ? "0.8" : "0.7";
}

}  // namespace

const std::vector<Companions>& companions() {
  static const std::vector<Companions> all = {
      {"method", "bc", as_published({})},
      {"method", "cpq", as_published({})},
      {"method", "coptidice", as_published({{"learning_rate", "1e-4"}})},
      {"method", "caps",
       as_published({{"hidden", "512,512"},
                     {"learning_rate", "3e-4"},
                     {"expectile", "0.7"},
                     {"advantage_temperature", "3"},
                     {"weight_cap", "100"},
                     {"threshold", "limit", true},
                     {"backup", "discounted", true}})},
      {"method", "bcrl",
       as_published({{"hidden", "512,512"},
                     {"learning_rate", "3e-4"},
                     {"rate_decay", "cosine"},
                     {"initializer", "orthogonal"},
                     {"layer_norm", "true"},
                     {"normalize_observations", "true"},
                     {"expectile", "0.6", false, {}, bcrl_expectile},
                     {"cost_expectile", "0.7", false, {}, bcrl_cost_expectile},
                     {"advantage_temperature", "3"},
                     {"weight_cap", "100"},
                     {"timeouts", "bootstrap"},
                     {"reward_scale", "1"},
                     {"cost_scale", "1"},
                     {"threshold", "limit", true},
                     {"backup", "discounted", true}})},
      {"method",
       "fisor",
       {{"chunk_length", "1", true},
        {"actor", "flow", true},
        {"schedule", "joint", true},
        {"threshold", "zero", true},
        {"backup", "feasibility", true},
        {"selection", "least-cost", true},
        {"budget", "none", true},
        {"activation", "relu"},
        {"initializer", "xavier"},
        {"hidden", "256,256"},
        {"actor_hidden", "256,256,256"},
        {"batch", "2048"},
        {"steps", "1000001"},
        {"expectile", "0.9"},
        {"advantage_temperature", "3"},
        {"weight_cap", "100"},
        {"timeouts", "terminal"},
        {"reward_scale", "1", false, {}, scale_of_returns},
        {"cost_scale", "1"},
        {"num_candidates", "16"}}},
      {"method", "bc-safe", as_published({{"episodes", "within-limit", true}})},
      {"method",
       "cloning",
       {{"label_dropout", "1", true},
        {"label", "null", true},
        {"num_candidates", "1", true},
        {"actor", "flow", true},
        {"guidance_scale", "1"}}},
      {"method",
       "safe-chunks",
       {{"penalty_reading", "none", true},
        {"actor", "flow", true, "one-step"},
        {"threshold", "limit"},
        {"label_rule", "allowed"},
        {"layer_norm", "true"},
        {"normalize_observations", "true"},
        {"rate_decay", "cosine"},
        {"cost_ceiling", "4"},
        {"cost_expectile", "0.95"},
        {"num_candidates", "64"},
        {"flow_steps", "8"},
        {"guidance_scale", "1.5"},
        {"selection", "region"},
        {"bound_scale", "0.25"},
        {"budget", "half"}}},
      {"method",
       "budgeted",
       {{"penalty_reading", "none", true},
        {"actor", "flow", true},
        {"threshold", "limit", true},
        {"backup", "discounted", true},
        {"label_rule", "allowed"},
        {"layer_norm", "true"},
        {"normalize_observations", "true"},
        {"selection", "region"},
        {"budget", "remaining"}}},
      {"actor", "weighted-flow", {{"label", "null", true}}},
      {"backup", "feasibility", {{"threshold", "zero", true}, {"cost_ceiling", "0", true}}},
  };
  return all;
}

namespace {

const SettingTexts kOsrlSizes = {{"hidden", "256,256"}, {"batch", "512"}, {"steps", "100000"}},
                   kWideSizes = {{"hidden", "512,512"}, {"batch", "512"}, {"steps", "100000"}},
                   kFisorSizes = {{"hidden", "256,256"},
                                  {"actor_hidden", "256,256,256"},
                                  {"batch", "2048"},
                                  {"steps", "1000001"}};

/// Small networks, some minutes on one core.
const SettingTexts kQuickSizes = {{"schedule", "sequential"},      {"hidden", "128,128,128"},
                                  {"actor_hidden", "256,256,256"}, {"batch", "128"},
                                  {"critic_steps", "28000"},       {"steps", "20000"},
                                  {"distill_steps", "10000"},      {"log_every", "2000"}};

/// Of safe chunks where each episode has another layout and lasts a thousand steps: chunks so long that a
/// hazard's edge lies within one, a horizon near enough for data of a thousand layouts, and costs as they are
/// on average.
const SettingTexts kNavigation = {
    {"schedule", "sequential"}, {"hidden", "128,128,128"}, {"actor_hidden", "256,256,256"},
    {"batch", "256"},           {"critic_steps", "24000"}, {"steps", "40000"},
    {"distill_steps", "10000"}, {"log_every", "2000"},     {"chunk_length", "20"},
    {"discount", "0.97"},       {"normal_scores", "tied"}, {"cost_expectile", "0.5"},
    {"cost_ceiling", "0"},      {"bound_scale", "3"}};

/// Networks as published, half the batch, fewer steps; and `more`.
SettingTexts mini_sizes(std::string_view steps, const SettingTexts& more = {}) {
  SettingTexts texts = {{"hidden", "256,256"}, {"batch", "256"}, {"steps", steps}, {"log_every", "2000"}};
  texts.insert(texts.end(), more.begin(), more.end());
  return texts;
}

/// What learns nothing; and `more`.
SettingTexts tiny_sizes(const SettingTexts& more) {
  SettingTexts texts = {{"hidden", "32,32"}, {"batch", "32"}, {"steps", "200"}, {"log_every", "100"}};
  texts.insert(texts.end(), more.begin(), more.end());
  return texts;
}

/// Narrow networks of BCRL with the published initial weights would begin with deviations so small that
/// squares of gradients leave single precision.
const SettingTexts kBcrlNarrow = {{"initializer", "torch"}};

}  // namespace

const std::vector<RunPreset>& run_presets() {
  static const std::vector<RunPreset> all = {
      {"quick", "small networks, some minutes on one core", kQuickSizes},
      {"navigation",
       "safe chunks among obstacles that are elsewhere in each episode of a thousand steps, a quarter of an "
       "hour",
       {},
       {{"safe-chunks", kNavigation}}},
      {"osrl",
       "the sizes and steps of the published code",
       {},
       {{"bc", kOsrlSizes},
        {"bc-safe", kOsrlSizes},
        {"cpq", kOsrlSizes},
        {"coptidice", kOsrlSizes},
        {"caps", kWideSizes},
        {"bcrl", kWideSizes},
        {"fisor", kFisorSizes}}},
      {"mini",
       "what a table of methods needs on one core, some five minutes each",
       {{"schedule", "joint"},
        {"hidden", "256,256,256"},
        {"batch", "256"},
        {"steps", "12000"},
        {"log_every", "2000"}},
       {{"bc", mini_sizes("20000")},
        {"bc-safe", mini_sizes("20000")},
        {"cpq", mini_sizes("12000")},
        {"coptidice", mini_sizes("12000")},
        {"caps", mini_sizes("12000")},
        {"bcrl", mini_sizes("12000", kBcrlNarrow)},
        {"fisor", mini_sizes("12000", {{"actor_hidden", "128,128"}})},
        {"safe-chunks", kQuickSizes},
        {"budgeted", kQuickSizes}}},
      {"tiny",
       "seconds, to see that everything works; the scores mean nothing",
       tiny_sizes({{"schedule", "sequential"}}),
       {{"bcrl", tiny_sizes(kBcrlNarrow)}, {"fisor", tiny_sizes({{"actor_hidden", "32,32"}})}}},
  };
  return all;
}

bool RunPreset::is_for(std::string_view method) const {
  return !settings.empty() ||
         std::ranges::any_of(of_methods, [&](const auto& one) { return one.first == method; });
}

const RunPreset& run_preset(std::string_view name) {
  std::vector<std::string> names;
  for (const RunPreset& preset : run_presets()) {
    if (preset.name == name) return preset;
    names.emplace_back(preset.name);
  }
  throw Error(ExitCode::usage, "there is no preset `" + std::string(name) + "`", "--preset",
              did_you_mean(std::string(name), names));
}

const SettingTexts& settings_of(const RunPreset& preset, std::string_view method) {
  for (const auto& [name, settings] : preset.of_methods)
    if (name == method) return settings;
  if (!preset.settings.empty()) return preset.settings;
  std::string methods;
  for (const auto& [name, settings] : preset.of_methods)
    methods += (methods.empty() ? "" : ", ") + std::string(name);
  throw Error(
      ExitCode::usage,
      "the preset `" + std::string(preset.name) + "` is not for the method `" + std::string(method) + "`",
      "--preset", "it is for " + methods);
}

}  // namespace r2pac
