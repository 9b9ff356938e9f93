#include "tools/data_make.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "base/counted.h"
#include "base/error.h"
#include "base/nearest.h"
#include "base/printable.h"
#include "data/dataset.h"
#include "envs/drivers.h"
#include "storage/atomic_file.h"
#include "tools/bar.h"
#include "tools/command_line.h"
#include "tools/interruption.h"
#include "tools/verbs.h"

namespace r2pac {

namespace {

constexpr int kMostEpisodes = 100000;  // ten million rows, about 0.8 GB in memory

void append(std::vector<float>& to, const std::vector<float>& from, std::size_t first, std::size_t last) {
  to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(first),
            from.begin() + static_cast<std::ptrdiff_t>(last));
}

// Least, lower quartile, median, upper quartile and greatest value.
std::array<double, 5> quartiles(std::vector<double> values) {
  std::ranges::sort(values);
  std::array<double, 5> out{};
  for (std::size_t q = 0; q < 5; ++q) out[q] = values[q * (values.size() - 1) / 4];
  return out;
}

}  // namespace

DsrlColumns reach_avoid_columns(int episodes, std::uint64_t seed, const std::function<void(int)>& before) {
  if (episodes < 1 || episodes > kMostEpisodes)
    throw Error(ExitCode::usage, "the number of episodes must be from 1 to " + std::to_string(kMostEpisodes),
                "--episodes " + std::to_string(episodes), "give a number in this range");
  constexpr auto kWidth = static_cast<std::size_t>(ReachAvoidTask::observation_dim);
  DsrlColumns columns;
  columns.observation_dim = ReachAvoidTask::observation_dim;
  columns.action_dim = ReachAvoidTask::action_dim;
  for (int e = 0; e < episodes; ++e) {
    if (before) before(e);
    const EpisodeRecord episode = drive_episode(seed, e);
    const std::size_t steps = episode.rewards.size();
    append(columns.observations, episode.observations, 0, steps * kWidth);
    append(columns.next_observations, episode.observations, kWidth, (steps + 1) * kWidth);
    append(columns.actions, episode.actions, 0, episode.actions.size());
    append(columns.rewards, episode.rewards, 0, steps);
    append(columns.costs, episode.costs, 0, steps);
    columns.terminals.resize(columns.rewards.size(), 0);
    columns.timeouts.resize(columns.rewards.size(), 0);
    (episode.terminal ? columns.terminals : columns.timeouts).back() = 1;
  }
  columns.rows = static_cast<std::int64_t>(columns.rewards.size());
  return columns;
}

int run_data_make_reach_avoid(const std::string& out, int episodes, std::uint64_t seed) {
  const Interruption interruption;
  Progress progress("episodes");
  const DsrlColumns columns = reach_avoid_columns(episodes, seed, [&](int done) {
    progress.update(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(episodes));
    if (!interruption.requested()) return;
    progress.clear();
    interruption.end("stopped after " + progress.text() + "; " + out + " is not written");
  });
  progress.clear();
  write_dsrl(out, columns);
  const std::vector<Episode> all = split_episodes(columns);
  const std::vector<double> costs = episode_sums(all, columns.costs);
  const auto within = std::ranges::count_if(costs, [](double c) { return c <= ReachAvoidTask::cost_limit; });
  const auto r = quartiles(episode_sums(all, columns.rewards)), c = quartiles(costs);
  std::printf("%s: %s, %s, seed %llu\n", printable(out).c_str(), counted(episodes, "episode").c_str(),
              counted(columns.rows, "row").c_str(), static_cast<unsigned long long>(seed));
  std::printf(
      "return min %.2f, quartiles %.2f %.2f %.2f, max %.2f; "
      "cost min %.0f, quartiles %.0f %.0f %.0f, max %.0f\n",
      r[0], r[1], r[2], r[3], r[4], c[0], c[1], c[2], c[3], c[4]);
  std::printf("%.1f %% of the episodes are within the cost limit of %.0f\n",
              100.0 * static_cast<double>(within) / episodes,
              static_cast<double>(ReachAvoidTask::cost_limit));
  return 0;
}

namespace {

struct MakeOptions {
  std::string env, out;
  int episodes = 1000;
  std::uint64_t seed = 0;
};

int run_data_make(const MakeOptions& options) {
  if (options.env != "reach-avoid")
    throw Error(ExitCode::usage, "unknown environment `" + options.env + "`", "data make",
                did_you_mean(options.env, {"reach-avoid"}));
  require_output(options.out);
  return run_data_make_reach_avoid(options.out, options.episodes, options.seed);
}

}  // namespace

void add_data_make(CLI::App& data, Action& action) {
  const auto [verb, options] =
      add_verb(data, action, run_data_make, "make", "Make a data set of the built-in robot",
               "r2pac data make reach-avoid -o reach-avoid.hdf5 --episodes 1000");
  verb->add_option("env", options->env, "Environment: reach-avoid")->required();
  add_output(*verb, "-o,--out", options->out, "File to write")->required();
  verb->add_option("--episodes", options->episodes, "Episodes")->capture_default_str();
  add_seed(*verb, "--seed", options->seed, "Seed");
}

}  // namespace r2pac
