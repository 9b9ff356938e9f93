#include "training/calibration.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/philox.h"
#include "training/training_data.h"
#include "training/window_values.h"

namespace r2pac {

std::size_t chunks_needed(double miss_rate) {
  return static_cast<std::size_t>(std::max(1.0, std::ceil(1 / miss_rate) - 1));
}

std::optional<CalibratedBound> calibrated_bound(std::vector<CalibrationUnit> units, double limit,
                                                double miss_rate) {
  std::ranges::sort(units, {}, &CalibrationUnit::q_cost);
  std::optional<CalibratedBound> found;
  std::size_t covered = 0;
  for (std::size_t i = 0; i < units.size(); ++i) {
    covered += units[i].realized <= limit;
    const std::size_t n = i + 1;
    const bool last_of_equal = n == units.size() || units[n].q_cost > units[i].q_cost;
    if (n < chunks_needed(miss_rate) || !last_of_equal) continue;
    if (static_cast<double>(n - covered + 1) > static_cast<double>(n + 1) * miss_rate) break;
    found = CalibratedBound{units[i].q_cost, n, covered};
  }
  return found;
}

std::vector<CalibrationUnit> calibration_units(const Policy& policy, const Dataset& dataset,
                                               std::uint64_t seed) {
  const Settings& s = policy.settings();
  if (s.hold_out <= 0)
    throw Error(ExitCode::usage, "the policy was trained on all episodes, so none can judge it",
                policy.path().string(), "train with --hold-out 0.1");
  const WindowColumns<float> columns = inspect_windows(policy, dataset);
  const std::vector<float>& q_cost = column_of(columns, "q_c");
  const std::vector<double> realized = realized_costs(dataset, s);
  const std::vector<std::uint32_t> starts = window_starts(dataset, s.chunk_length, s.pad_terminals);
  const std::vector<bool> held = held_out_episodes(dataset.episodes.size(), s.hold_out);
  std::vector<CalibrationUnit> units;
  const std::vector<std::size_t> episode_of = window_episodes(dataset, starts);
  for (std::size_t e = 0; e < held.size(); ++e) {
    // not std::ranges::equal_range: clang 14 cannot compile libstdc++ 12's
    const auto [first, last] = std::equal_range(episode_of.begin(), episode_of.end(), e);
    if (!held[e] || first == last) continue;
    const std::size_t i = static_cast<std::size_t>(first - episode_of.begin()) +
                          random_below(seed, Purpose::calibration, 0, static_cast<std::uint32_t>(e),
                                       static_cast<std::uint32_t>(last - first));
    units.push_back({double{q_cost[i]}, realized[starts[i]]});
  }
  return units;
}

}  // namespace r2pac
