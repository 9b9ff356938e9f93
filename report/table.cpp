#include "report/table.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "base/error.h"

namespace r2pac {
namespace {

constexpr std::uint64_t kIntervalSeed = 0;

/// Position of a place in the benchmark's order; unknown ones come last.
std::size_t task_order(const std::string& place) {
  std::size_t i = 0;
  for (const Task& task : all_tasks()) {
    if (task.alias == place) break;
    ++i;
  }
  return i;
}

/// The variant of each of the scores. A task's data tell them apart where it has several.
std::vector<std::string> variants_of(const std::vector<ScoredPolicy>& scores) {
  std::map<std::string, std::set<std::string>> fingerprints;
  for (const ScoredPolicy& s : scores) fingerprints[s.place()].insert(s.data_fingerprint);
  std::vector<VariantKeys> keys;
  for (const ScoredPolicy& s : scores) {
    keys.push_back(scoring_keys(s));
    const bool one = fingerprints[s.place()].size() == 1;
    keys.back().emplace_back("data", one ? "" : s.data_fingerprint.substr(0, 8));
  }
  return variant_texts(keys);
}

using Group = std::vector<const ScoredPolicy*>;

/// Mean of a figure over scores, weighted by their episodes.
template <class Figure>
double weighted_mean(const Group& group, Figure figure) {
  double sum = 0, episodes = 0;
  for (const ScoredPolicy* s : group) {
    const auto n = static_cast<double>(s->episode_count());
    sum += n * figure(*s);
    episodes += n;
  }
  return sum / episodes;
}

void require_distinct_episodes(const Group& seed) {
  std::map<std::pair<std::uint64_t, std::int64_t>, const ScoredPolicy*> taken;
  for (const ScoredPolicy* s : seed) {
    std::vector<ScoredEpisode> episodes = s->episodes;
    if (s->while_training) episodes.push_back({.episode = 0, .seed = s->seed});  // all begin with that seed
    for (const ScoredEpisode& e : episodes) {
      const auto [place, added] = taken.insert({{e.seed, e.episode}, s});
      if (!added)
        throw Error(ExitCode::usage,
                    "two scores have the same task, settings, training seed and episodes, as if one policy "
                    "counted twice",
                    place->second->file + " and " + s->file, "give only one of them");
    }
  }
}

TableRow make_row(const Group& group, const std::string& variant) {
  const ScoredPolicy& first = *group.front();
  TableRow row;
  row.task = first.place();
  row.variant = variant;
  row.settings = first.settings;
  row.checkpoint = checkpoint_text(first);
  row.cost_limit = first.cost_limit;
  row.while_training = first.while_training.has_value();
  std::map<std::uint64_t, Group> seeds;
  std::vector<double> within;
  bool normalized = true;
  for (const ScoredPolicy* s : group) {
    seeds[s->train_seed].push_back(s);
    normalized = normalized && s->normalized_return.has_value();
    if (s->while_training) {  // of its episodes it is known how many are within the limit, not which
      const std::size_t all = s->episode_count();
      const auto safe = static_cast<std::size_t>(
          std::lround(s->while_training->share_within_limit * static_cast<double>(all)));
      within.insert(within.end(), safe, 1);
      within.insert(within.end(), all - safe, 0);
    }
    for (const ScoredEpisode& e : s->episodes) within.push_back(e.episode_cost <= s->cost_limit ? 1 : 0);
  }
  std::vector<double> normalized_returns, normalized_costs, returns, costs;
  for (const auto& [number, seed] : seeds) {
    require_distinct_episodes(seed);
    returns.push_back(weighted_mean(seed, [](const auto& s) { return s.return_mean; }));
    costs.push_back(weighted_mean(seed, [](const auto& s) { return s.cost_mean; }));
    normalized_costs.push_back(weighted_mean(seed, [](const auto& s) { return s.normalized_cost; }));
    if (normalized)
      normalized_returns.push_back(weighted_mean(seed, [](const auto& s) { return *s.normalized_return; }));
    row.seed_scores.emplace_back(costs.back(), returns.back());
    row.safe_seeds += normalized_costs.back() <= 1 ? 1 : 0;
  }
  row.seeds = seeds.size();
  if (normalized) row.normalized_return = over_seeds(normalized_returns);
  row.normalized_cost = over_seeds(normalized_costs);
  row.episode_return = over_seeds(returns);
  row.episode_cost = over_seeds(costs);
  row.episodes = within.size();
  row.share_within_limit = mean(within);
  row.share_interval = bootstrap_interval(within, kIntervalSeed);
  return row;
}

}  // namespace

OverSeeds over_seeds(const std::vector<double>& values) {
  OverSeeds result{mean(values), std::nullopt};
  if (values.size() > 1) result.deviation = standard_deviation(values);
  return result;
}

ReportTable make_table(const std::vector<ScoredPolicy>& scores) {
  const std::vector<std::string> variants = variants_of(scores);
  // Task, variant and checkpoint, each by its place in the table.
  using Key = std::tuple<std::size_t, std::size_t, std::size_t, std::size_t>;
  std::vector<std::string> places, variant_order, checkpoints;
  const auto order = [](std::vector<std::string>& known, const std::string& text) {
    const auto found = std::ranges::find(known, text);
    if (found != known.end()) return static_cast<std::size_t>(found - known.begin());
    known.push_back(text);
    return known.size() - 1;
  };
  std::map<Key, Group> groups;
  std::vector<Key> keys;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const ScoredPolicy& s = scores[i];
    keys.emplace_back(task_order(s.place()), order(places, s.place()), order(variant_order, variants[i]),
                      order(checkpoints, checkpoint_text(s)));
    groups[keys.back()].push_back(&s);
  }
  ReportTable table;
  std::map<Key, std::size_t> row_of;
  for (const auto& [key, group] : groups) {
    row_of[key] = table.rows.size();
    table.rows.push_back(make_row(group, variant_order[std::get<2>(key)]));
  }
  for (const Key& key : keys) table.row_of.push_back(row_of[key]);
  return table;
}

}  // namespace r2pac
