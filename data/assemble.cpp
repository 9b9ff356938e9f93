#include "data/assemble.h"

#include <algorithm>
#include <map>
#include <optional>

#include "data/episodes.h"

namespace r2pac {
namespace {

using Names = std::vector<std::string>;

const Names kCostNames = {"costs", "cost", "infos/cost", "infos/costs"};

std::optional<std::string> find(const ArrayFile& file, const Names& names) {
  for (const std::string& name : names)
    if (file.contains(name)) return name;
  return std::nullopt;
}

std::string quoted_list(const Names& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "`" : ", `") + name + "`";
  return list;
}

/// The first of these names that is there; reading it says that the first is missing if none is.
std::string find_or_first(const ArrayFile& file, const Names& names) {
  return find(file, names).value_or(names.front());
}

std::string counted(std::int64_t n, const std::string& what) {
  return std::to_string(n) + " " + what + (n == 1 ? "" : "s");
}

void check_rows(const NumberArray& array, const std::string& name, std::int64_t rows) {
  if (array.rows != rows)
    throw array_fault(
        name, "has " + std::to_string(array.rows) + " rows where " + std::to_string(rows) + " are expected",
        "all arrays must describe the same transitions");
}

std::vector<float> read_vector(const ArrayFile& file, const std::string& name, std::int64_t rows) {
  NumberArray array = file.read(name, ArrayKind::vector);
  check_rows(array, name, rows);
  return std::move(array.values);
}

std::vector<std::uint8_t> read_flags(const ArrayFile& file, const std::string& name, std::int64_t rows) {
  const std::vector<float> values = read_vector(file, name, rows);
  std::vector<std::uint8_t> flags(values.size());
  for (std::size_t row = 0; row < values.size(); ++row) {
    if (values[row] != 0.0f && values[row] != 1.0f)
      throw array_fault(name,
                        "has the value " + std::to_string(values[row]) + " in row " + std::to_string(row),
                        "flags must be 0 or 1");
    flags[row] = values[row] != 0.0f;
  }
  return flags;
}

NumberArray read_actions(const ArrayFile& file, const std::string& name) {
  NumberArray actions = file.read(name, ArrayKind::matrix);
  if (actions.whole_numbers)
    throw array_fault(name, "is made of whole numbers: these are discrete actions",
                      "R2PAC needs continuous actions in [-1, 1]");
  return actions;
}

/// Costs of `rows` transitions; one more in front belongs to a reset and is left out.
std::vector<float> read_costs(const ArrayFile& file, const CostSource& source, std::int64_t rows,
                              bool with_reset) {
  if (source.zero) return std::vector<float>(static_cast<std::size_t>(rows));
  const auto name = source.key.empty() ? find(file, kCostNames) : source.key;
  if (!name)
    throw Error(ExitCode::data, "the file holds no costs: none of " + quoted_list(kCostNames) + " is there",
                {}, "name their array with --cost-key, or have zeros with --no-costs");
  if (!file.contains(*name))
    throw array_fault(*name, "is missing", "give --cost-key the name of an array that is in the file");
  NumberArray costs = file.read(*name, ArrayKind::vector);
  if (with_reset && costs.rows == rows + 1) {
    costs.values.erase(costs.values.begin());
    --costs.rows;
  }
  check_rows(costs, *name, rows);
  return std::move(costs.values);
}

/// Marks rows as cut whose next observation is not what the next row observed, up to the last row.
std::int64_t mark_jumps(DsrlColumns& c) {
  std::int64_t jumps = 0;
  const DsrlView view = view_of(c);
  for (std::int64_t row = 0; row + 1 < c.rows; ++row) {
    const auto r = static_cast<std::size_t>(row);
    if (c.terminals[r] || c.timeouts[r] || next_row_follows(view, row)) continue;
    c.timeouts[r] = 1;
    ++jumps;
  }
  return jumps;
}

/// Takes the ends of the longest episodes as a step limit if there are several. `terminals` held `done`.
std::int64_t tell_step_limit(DsrlColumns& c) {
  std::map<std::int64_t, std::vector<std::size_t>> ends_by_length;
  for (const Episode& episode : split_episodes(view_of(c)))
    ends_by_length[episode.length].push_back(static_cast<std::size_t>(episode.first + episode.length - 1));
  const std::vector<std::size_t>& ends = ends_by_length.rbegin()->second;
  if (ends.size() < 2) return 0;
  std::int64_t told = 0;
  for (const std::size_t end : ends) {
    told += c.terminals[end];
    c.timeouts[end] = c.timeouts[end] || c.terminals[end];
    c.terminals[end] = 0;
  }
  return told;
}

/// Keeps the rows of the mask.
template <class T>
void keep_rows(std::vector<T>& values, std::int64_t width, const std::vector<bool>& mask) {
  auto to = values.begin();
  for (std::size_t row = 0; row < mask.size(); ++row)
    if (mask[row]) to = std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(row) * width, width, to);
  values.erase(to, values.end());
}

/// Next observations from the observations; the last row of an episode that was cut goes.
void make_next_observations(Assembled& result) {
  DsrlColumns& c = result.columns;
  const auto width = static_cast<std::ptrdiff_t>(c.observation_dim);
  c.next_observations = c.observations;  // right where nothing follows: an end that nobody bootstraps from
  std::copy(c.observations.begin() + width, c.observations.end(), c.next_observations.begin());
  std::vector<bool> kept(static_cast<std::size_t>(c.rows), true);
  std::int64_t genuine = 0, dropped = 0;
  for (const Episode& episode : split_episodes(view_of(c))) {
    const auto last = static_cast<std::size_t>(episode.first + episode.length - 1);
    if (episode.terminal) {
      ++genuine;
      std::copy_n(c.observations.begin() + static_cast<std::ptrdiff_t>(last) * width, width,
                  c.next_observations.begin() + static_cast<std::ptrdiff_t>(last) * width);
      continue;
    }
    ++dropped;
    kept[last] = false;
    if (episode.length > 1) c.timeouts[last - 1] = 1;
  }
  keep_rows(c.observations, width, kept);
  keep_rows(c.next_observations, width, kept);
  keep_rows(c.actions, c.action_dim, kept);
  keep_rows(c.rewards, 1, kept);
  keep_rows(c.costs, 1, kept);
  keep_rows(c.terminals, 1, kept);
  keep_rows(c.timeouts, 1, kept);
  c.rows -= dropped;
  result.notes.push_back("there are no next observations: each is the next row's observation");
  if (dropped > 0)
    result.notes.push_back("dropped the last row of " + counted(dropped, "episode") +
                           " cut by a timeout, whose next observation is unknown");
  if (genuine > 0)
    result.notes.push_back("the next observation of " + counted(genuine, "genuine end") +
                           " is unknown and repeats the last one; no value is taken from it");
  if (c.rows == 0)
    throw Error(ExitCode::data,
                "no transition is left: every episode has a single row and no next observation", {},
                "save next observations, too");
}

}  // namespace

Assembled assemble_flat(const ArrayFile& file, const CostSource& costs) {
  static const Names kObservations = {"observations", "obs", "observation"},
                     kNext = {"next_observations", "next_obs", "observations_next", "next_observation"},
                     kActions = {"actions", "action", "act"}, kRewards = {"rewards", "reward", "rew"},
                     kTerminals = {"terminals", "terminations", "terminated", "terminal"},
                     kDone = {"dones", "done"},
                     kTimeouts = {"timeouts", "truncations", "truncated", "timeout"};
  Assembled result;
  DsrlColumns& c = result.columns;
  NumberArray observations = file.read(find_or_first(file, kObservations), ArrayKind::matrix);
  c.rows = observations.rows;
  c.observation_dim = static_cast<int>(observations.columns);
  c.observations = std::move(observations.values);
  const std::string action_name = find_or_first(file, kActions);
  NumberArray actions = read_actions(file, action_name);
  check_rows(actions, action_name, c.rows);
  c.action_dim = static_cast<int>(actions.columns);
  c.actions = std::move(actions.values);
  c.rewards = read_vector(file, find_or_first(file, kRewards), c.rows);
  c.costs = read_costs(file, costs, c.rows, false);

  const auto terminals = find(file, kTerminals), done = find(file, kDone), timeouts = find(file, kTimeouts);
  if (!terminals && !done && !timeouts)
    throw Error(ExitCode::data,
                "nothing says where episodes end: none of " + quoted_list(kTerminals) + ", " +
                    quoted_list(kTimeouts) + ", " + quoted_list(kDone) + " is there",
                {}, "save `terminals` and `timeouts`, too");
  const std::vector<std::uint8_t> none(static_cast<std::size_t>(c.rows));
  c.terminals = terminals ? read_flags(file, *terminals, c.rows)
                : done    ? read_flags(file, *done, c.rows)
                          : none;
  c.timeouts = timeouts ? read_flags(file, *timeouts, c.rows) : none;
  if (!terminals && done && timeouts)  // done means either
    for (std::size_t row = 0; row < c.terminals.size(); ++row)
      c.terminals[row] = c.terminals[row] && !c.timeouts[row];

  const auto next = find(file, kNext);
  if (next) {
    NumberArray next_observations = file.read(*next, ArrayKind::matrix);
    check_rows(next_observations, *next, c.rows);
    if (next_observations.columns != c.observation_dim)
      throw array_fault(*next,
                        "has " + std::to_string(next_observations.columns) + " columns where " +
                            std::to_string(c.observation_dim) + " are expected",
                        "both must have the width of an observation");
    c.next_observations = std::move(next_observations.values);
  } else {
    c.next_observations = c.observations;  // until the ends of the episodes are known
  }
  if (next && !timeouts)
    if (const std::int64_t jumps = mark_jumps(c); jumps > 0)
      result.notes.push_back("there are no timeouts: " + counted(jumps, "row") +
                             " whose next observation is not the next row's count as cut");
  if (!terminals && done && !timeouts) {
    const std::int64_t told = tell_step_limit(c);
    result.notes.push_back("`" + *done + "` does not tell genuine ends from a step limit: " +
                           (told > 0 ? counted(told, "end") + " of the longest episodes count as cut"
                                     : "all ends count as genuine"));
  }
  const auto last = static_cast<std::size_t>(c.rows - 1);
  if (!c.terminals[last] && !c.timeouts[last]) {
    c.timeouts[last] = 1;
    result.notes.push_back("the last episode has no end and counts as cut");
  }
  if (!next) make_next_observations(result);
  return result;
}

void EpisodeAssembler::add(const ArrayFile& episode, const std::string& label) {
  DsrlColumns& c = result_.columns;
  const NumberArray observations = episode.read("observations", ArrayKind::matrix);
  const NumberArray actions = read_actions(episode, "actions");
  const std::int64_t rows = actions.rows;
  check_rows(observations, label + "/observations", rows + 1);
  if (c.rows == 0) {
    c.observation_dim = static_cast<int>(observations.columns);
    c.action_dim = static_cast<int>(actions.columns);
  }
  const auto check_width = [&](const NumberArray& array, const char* name, int width) {
    if (array.columns != width)
      throw array_fault(
          label + "/" + name,
          "has " + std::to_string(array.columns) + " columns, in the first episode " + std::to_string(width),
          "all episodes must have the same widths");
  };
  check_width(observations, "observations", c.observation_dim);
  check_width(actions, "actions", c.action_dim);
  const auto append = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
  const std::ptrdiff_t width = c.observation_dim;
  c.observations.insert(c.observations.end(), observations.values.begin(), observations.values.end() - width);
  c.next_observations.insert(c.next_observations.end(), observations.values.begin() + width,
                             observations.values.end());
  append(c.actions, actions.values);
  append(c.rewards, read_vector(episode, "rewards", rows));
  append(c.costs, read_costs(episode, costs_, rows, true));
  append(c.terminals, read_flags(episode, "terminations", rows));
  append(c.timeouts, read_flags(episode, "truncations", rows));
  c.rows += rows;
  if (!c.terminals.back() && !c.timeouts.back()) {
    c.timeouts.back() = 1;
    ++unfinished_;
  }
}

Assembled EpisodeAssembler::finish() {
  if (unfinished_ > 0)
    result_.notes.push_back(counted(unfinished_, "episode") + " without an end count as cut");
  return std::move(result_);
}

}  // namespace r2pac
