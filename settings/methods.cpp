#include "settings/methods.h"

#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/nearest.h"

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
  };
  return methods;
}

const std::vector<Companions>& companions() {
  static const std::vector<Companions> all = {
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

const std::vector<RunPreset>& run_presets() {
  static const std::vector<RunPreset> all = {
      {"quick",
       "small networks, some minutes on one core",
       {{"schedule", "sequential"},
        {"hidden", "128,128,128"},
        {"actor_hidden", "256,256,256"},
        {"batch", "128"},
        {"critic_steps", "28000"},
        {"steps", "20000"},
        {"distill_steps", "10000"},
        {"log_every", "2000"}}},
      {"mini",
       "what a table of methods needs on one core, some five minutes each",
       {{"schedule", "joint"}, {"hidden", "256,256,256"}, {"batch", "256"}, {"steps", "12000"}},
       {"r2pac", "cloning"}},
      {"mini",
       "what a table of methods needs on one core, some five minutes each",
       {{"schedule", "sequential"},
        {"hidden", "128,128,128"},
        {"actor_hidden", "256,256,256"},
        {"batch", "128"},
        {"critic_steps", "28000"},
        {"steps", "20000"},
        {"distill_steps", "10000"}},
       {"safe-chunks", "budgeted"}},
      {"tiny",
       "seconds, to see that everything works; the scores mean nothing",
       {{"schedule", "sequential"}, {"hidden", "32,32"}, {"batch", "32"}, {"steps", "200"}},
       {"r2pac", "cloning", "safe-chunks", "budgeted"}},
  };
  return all;
}

bool RunPreset::is_for(std::string_view method) const {
  return methods.empty() || std::ranges::find(methods, method) != methods.end();
}

const RunPreset& run_preset(std::string_view name, std::string_view method) {
  std::vector<std::string> names;
  for (const RunPreset& preset : run_presets()) {
    if (!preset.is_for(method)) continue;
    if (preset.name == name) return preset;
    names.emplace_back(preset.name);
  }
  throw Error(ExitCode::usage,
              "method `" + std::string(method) + "` has no preset `" + std::string(name) + "`", "--preset",
              did_you_mean(std::string(name), names));
}

}  // namespace r2pac
