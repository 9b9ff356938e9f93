// Scores as `r2pac eval` writes them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "settings/settings.h"

namespace r2pac {

inline constexpr int kSteps = 1000;

/// An eval.json of a task's preset with some settings, seed and costs and returns per episode.
inline nlohmann::json scores_json(const std::string& task, std::int64_t seed,
                                  const std::vector<double>& returns, const std::vector<double>& costs,
                                  std::vector<std::string> settings = {}) {
  settings.insert(settings.begin(), {"schedule=joint", "steps=" + std::to_string(kSteps)});
  const ResolvedSettings resolved =
      resolve_settings({"", "", settings, {{"task", task}, {"seed", std::to_string(seed)}}});
  const double kappa = resolved.values.cost_limit;
  double return_sum = 0, cost_sum = 0;
  nlohmann::json rows = nlohmann::json::array();
  for (std::size_t i = 0; i < returns.size(); ++i) {
    rows.push_back({{"episode", i},
                    {"seed", 100 + i},
                    {"return", returns[i]},
                    {"cost", costs[i]},
                    {"length", 50},
                    {"terminated", false}});
    return_sum += returns[i];
    cost_sum += costs[i];
  }
  const auto n = static_cast<double>(returns.size());
  return {{"format", "r2pac-eval-1"},
          {"policy", "runs/x/policy.safetensors"},
          {"checkpoint", "last"},
          {"task", task},
          {"env", task},
          {"step", kSteps},
          {"train_seed", seed},
          {"data_fingerprint", "0123456789abcdef0123456789abcdef"},
          {"cost_limit", kappa},
          {"episodes", returns.size()},
          {"seed", 100},
          {"selection", "least-cost"},
          {"candidates", 16},
          {"flow_steps", 32},
          {"guidance", 2.0},
          {"label", "1"},
          {"return_mean", return_sum / n},
          {"cost_mean", cost_sum / n},
          {"normalized_return", return_sum / n / 100},
          {"normalized_cost", cost_sum / n / kappa},
          {"settings", settings_toml(resolved)},
          {"rows", rows}};
}

}  // namespace r2pac
