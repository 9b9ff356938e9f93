#include "data/assemble.h"

#include <algorithm>
#include <map>

#include "base/counted.h"
#include "data/episodes.h"
#include "data/fields.h"
#include "data/findings.h"

namespace r2pac {
namespace {

constexpr char kStepLimit[] =
    "give --episode-steps N, the most steps of an episode; if nothing cut them, any N of at least the number "
    "of "
    "rows";

std::int64_t count_ends(const DsrlColumns& c) {
  std::int64_t ends = 0;
  for (std::size_t row = 0; row < c.terminals.size(); ++row) ends += c.terminals[row] || c.timeouts[row];
  return ends;
}

/// Cuts episodes that run on after so many steps.
std::int64_t cut_after(DsrlColumns& c, std::int64_t steps) {
  std::int64_t cuts = 0, length = 0;
  for (std::size_t row = 0; row < c.terminals.size(); ++row) {
    const bool ended = c.terminals[row] || c.timeouts[row];
    if (!ended && ++length < steps) continue;
    length = 0;
    if (ended) continue;
    c.timeouts[row] = 1;
    ++cuts;
  }
  return cuts;
}

/// Marks rows as cut whose next observation is not what the next row observed, up to the last row.
std::int64_t mark_jumps(DsrlColumns& c) {
  const DsrlView view = view_of(c);
  const RowOrder order = find_order(view);
  if (order.random()) throw Error(ExitCode::data, order.text(), {}, order.todo());
  if (order.rounded()) return 0;
  std::int64_t jumps = 0;
  for (std::int64_t row = 0; row + 1 < c.rows; ++row) {
    const auto r = static_cast<std::size_t>(row);
    if (c.terminals[r] || c.timeouts[r] || next_row_follows(view, row)) continue;
    c.timeouts[r] = 1;
    ++jumps;
  }
  return jumps;
}

/// Takes the ends of the longest episodes as a step limit if there are several: at least a twentieth of all.
/// `terminals` held `done`.
std::int64_t tell_step_limit(DsrlColumns& c) {
  std::map<std::int64_t, std::vector<std::size_t>> ends_by_length;
  const std::vector<Episode> episodes = split_episodes(view_of(c));
  for (const Episode& episode : episodes)
    ends_by_length[episode.length].push_back(static_cast<std::size_t>(episode.first + episode.length - 1));
  const auto& [length, ends] = *ends_by_length.rbegin();
  if (length < 2 || ends.size() < 2 || 20 * ends.size() < episodes.size()) return 0;
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

/// Moves the numbers of an array to their place, and what their rounding took.
void place(NumberArray&& array, std::vector<float>& values, int index, std::vector<LostColumn>& lost) {
  values = std::move(array.values);
  for (const std::int64_t column : lost_columns(array.rounding)) lost.push_back({index, column});
}

}  // namespace

void settle_ends(Assembled& result, const KnownEnds& known, std::int64_t episode_steps) {
  DsrlColumns& c = result.columns;
  const auto note = [&](const std::string& text) { result.notes.push_back(text); };
  const std::int64_t flagged = count_ends(c);
  if (episode_steps > 0) {
    note(counted(cut_after(c, episode_steps), "episode") + " cut after " + counted(episode_steps, "step"));
  } else {
    if (known.next_observations && (!known.timeouts || flagged == 0))
      if (const std::int64_t jumps = mark_jumps(c); jumps > 0)
        note("there are no timeouts: " + counted(jumps, "row") +
             " whose next observation is not the next row's count as cut");
    const std::string ends =
        counted(flagged, "end") + (flagged == 1 ? " is" : " are") + " flagged in " + counted(c.rows, "row");
    if (count_ends(c) == 0)
      throw Error(ExitCode::data, "nothing says where episodes end: " + ends, {}, kStepLimit);
    if (!known.next_observations && !known.timeouts && known.done.empty())
      throw Error(
          ExitCode::data,
          "nothing says where a step limit cut episodes: there are neither timeouts nor next observations, "
          "and " +
              ends,
          {}, kStepLimit);
  }
  if (!known.done.empty() && !known.timeouts) {
    const std::int64_t told = tell_step_limit(c);
    note("`" + known.done + "` does not tell genuine ends from a step limit: " +
         (told > 0 ? counted(told, "end") + " of the longest episodes count as cut"
                   : "all ends count as genuine"));
  }
  if (!c.terminals.back() && !c.timeouts.back()) {
    c.timeouts.back() = 1;
    note("the last episode has no end and counts as cut");
  }
  if (!known.next_observations) make_next_observations(result);
}

Assembled assemble_flat(const ArrayFile& file, const AssembleOptions& options) {
  Assembled result;
  const Fields fields(file, options);
  DsrlColumns& c = result.columns;
  NumberArray observations = fields.matrix("observations");
  c.rows = observations.rows;
  c.observation_dim = static_cast<int>(observations.columns);
  place(std::move(observations), c.observations, 0, c.lost);
  NumberArray actions = fields.actions(c.rows);
  c.action_dim = static_cast<int>(actions.columns);
  place(std::move(actions), c.actions, 2, c.lost);
  place(fields.vector("rewards", c.rows), c.rewards, 3, c.lost);
  place(fields.costs(c.rows, false), c.costs, 4, c.lost);

  const bool terminals = fields.find("terminals").has_value(), timeouts = fields.find("timeouts").has_value();
  const auto done = fields.find("done");
  if (!terminals && !timeouts && !done && options.episode_steps == 0)
    throw Error(ExitCode::data,
                "nothing says where episodes end: there are neither `terminals` nor `timeouts` nor `done`",
                {}, std::string("save them, or ") + kStepLimit + "; the file holds " + listing(file));
  c.terminals = c.timeouts = std::vector<std::uint8_t>(static_cast<std::size_t>(c.rows));
  if (terminals) c.terminals = fields.flags("terminals", c.rows);
  if (timeouts) c.timeouts = fields.flags("timeouts", c.rows);
  if (done) {  // an end of either kind
    const std::vector<std::uint8_t> ends = fields.flags("done", c.rows);
    for (std::size_t row = 0; row < ends.size(); ++row) {
      if (!terminals) c.terminals[row] = ends[row] && !c.timeouts[row];
      if (terminals && !timeouts) c.timeouts[row] = ends[row] && !c.terminals[row];
    }
  }

  const auto next = fields.find("next_observations");
  if (next) {
    NumberArray array = fields.matrix("next_observations", c.rows);
    if (array.columns != c.observation_dim)
      throw array_fault(*next,
                        "has " + std::to_string(array.columns) + " columns where " +
                            std::to_string(c.observation_dim) + " are expected",
                        "both must have the width of an observation");
    place(std::move(array), c.next_observations, 1, c.lost);
  } else {
    c.next_observations = c.observations;
  }
  settle_ends(result,
              {.next_observations = next.has_value(),
               .timeouts = timeouts || (terminals && done),
               .done = !terminals && done ? *done : ""},
              options.episode_steps);
  return result;
}

void EpisodeAssembler::add(const ArrayFile& file, const std::string& label, Last last,
                           std::optional<bool> genuine) {
  DsrlColumns& c = result_.columns;
  const Fields fields(file, options_, label + "/");
  const NumberArray actions = fields.actions();
  const std::int64_t rows = actions.rows;
  const NumberArray observations = fields.matrix("observations", last == Last::stored ? rows + 1 : rows);
  if (c.rows == 0) {
    c.observation_dim = static_cast<int>(observations.columns);
    c.action_dim = static_cast<int>(actions.columns);
  }
  const auto append = [&](std::vector<float>& to, const NumberArray& array, int index, const char* name,
                          int width, std::int64_t first = 0) {
    if (array.columns != width)
      throw array_fault(
          label + "/" + name,
          "has " + std::to_string(array.columns) + " columns, in the first episode " + std::to_string(width),
          "all episodes must have the same widths");
    const auto begin = array.values.begin() + first * width;
    to.insert(to.end(), begin, begin + rows * width);
    rounding_[index].resize(std::max(rounding_[index].size(), array.rounding.size()));
    for (std::size_t i = 0; i < array.rounding.size(); ++i) rounding_[index][i].add(array.rounding[i]);
  };
  append(c.observations, observations, 0, "observations", c.observation_dim);
  append(c.actions, actions, 2, "actions", c.action_dim);
  append(c.rewards, fields.vector("rewards", rows), 3, "rewards", 1);
  append(c.costs, fields.costs(rows, true), 4, "costs", 1);
  if (last == Last::stored)
    append(c.next_observations, observations, 1, "observations", c.observation_dim, 1);
  else if (fields.find("next_observations"))
    append(c.next_observations, fields.matrix("next_observations", rows), 1, "next_observations",
           c.observation_dim);
  else
    known_.next_observations = false;

  const auto flags = [&](const char* field) {
    return fields.find(field) ? fields.flags(field, rows)
                              : std::vector<std::uint8_t>(static_cast<std::size_t>(rows));
  };
  std::vector<std::uint8_t> terminals = flags("terminals");
  const std::vector<std::uint8_t> timeouts = flags("timeouts");
  if (const auto done = fields.find("done"); done && !fields.find("terminals")) {
    terminals = flags("done");
    if (!fields.find("timeouts")) {
      known_.done = *done;
      known_.timeouts = false;
    }
  }
  if (genuine) terminals.back() = *genuine;
  c.terminals.insert(c.terminals.end(), terminals.begin(), terminals.end());
  c.timeouts.insert(c.timeouts.end(), timeouts.begin(), timeouts.end());
  c.rows += rows;
  if (!c.terminals.back() && !c.timeouts.back()) {
    c.timeouts.back() = 1;
    if (!genuine) ++unfinished_;
  }
}

Assembled EpisodeAssembler::finish() {
  DsrlColumns& c = result_.columns;
  if (unfinished_ > 0)
    result_.notes.push_back(counted(unfinished_, "episode") + " without an end count as cut");
  if (!known_.next_observations) c.next_observations = c.observations;
  for (int index = 0; index < 5; ++index)
    for (const std::int64_t column : lost_columns(rounding_[index])) c.lost.push_back({index, column});
  settle_ends(result_, known_, options_.episode_steps);
  return std::move(result_);
}

}  // namespace r2pac
