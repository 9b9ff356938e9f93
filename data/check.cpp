#include "data/check.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "base/error.h"
#include "data/episodes.h"
#include "data/findings.h"

namespace r2pac {
namespace {

using Severity = Fault::Severity;

constexpr const char* kAgain = "make the data set again without these rows";

template <class T, class Predicate>
Finding find_in(std::span<const T> array, Predicate bad) {
  Finding found;
  for (std::size_t row = 0; row < array.size(); ++row)
    if (bad(row)) found.add(static_cast<std::int64_t>(row));
  return found;
}

/// Columns that never change.
std::vector<std::int64_t> constant_columns(std::span<const float> array, std::int64_t width) {
  std::vector<std::int64_t> columns;
  for (std::int64_t column = 0; column < width; ++column) {
    const float first = array[static_cast<std::size_t>(column)];
    bool constant = true;
    for (std::int64_t i = column; constant && i < std::ssize(array); i += width)
      constant = array[static_cast<std::size_t>(i)] == first;
    if (constant) columns.push_back(column);
  }
  return columns;
}

/// "column 3" or "columns 3, 5, 8", the first of many
std::string column_list(const std::vector<std::int64_t>& columns) {
  constexpr std::size_t kMost = 20;
  std::string list = columns.size() == 1 ? "column " : "columns ";
  for (std::size_t i = 0; i < std::min(columns.size(), kMost); ++i)
    list += (i == 0 ? "" : ", ") + std::to_string(columns[i]);
  return columns.size() > kMost ? list + " and " + std::to_string(columns.size() - kMost) + " more" : list;
}

/// "-1, 0 and 1"
std::string few_values_text(const ActionValues& few) {
  std::string list;
  for (std::size_t i = 0; i < few.values.size(); ++i) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", static_cast<double>(few.values[i]));
    list += (i == 0 ? "" : i + 1 == few.values.size() ? " and " : ", ") + std::string(text);
  }
  return list;
}

class Check {
 public:
  explicit Check(const DsrlView& view) : view_(view), episodes_(split_episodes(view)) {
    for (const LostColumn& lost : view.lost) lost_.insert({lost.array, lost.column});
  }

  std::vector<Fault> run() {
    numbers();
    order();
    after_ends();
    ends();
    suspicions();
    constants();
    std::stable_partition(faults_.begin(), faults_.end(),
                          [](const Fault& f) { return f.severity == Severity::error; });
    return std::move(faults_);
  }

 private:
  void add(Severity severity, const std::string& array, std::int64_t row, const std::string& what,
           const std::string& todo, bool refused = false) {
    faults_.push_back({severity, array, row, what, todo, refused});
  }

  void numbers() {
    for (std::size_t i = 0; i < 5; ++i)
      if (const Finding found = find_non_finite(view_, i); found.rows > 0) {
        finite_ = false;
        add(Severity::error, kArrays[i].name, found.first_row, "NaN or infinity in " + rows_text(found),
            kAgain, true);
      }
    if (const Finding found = find_unbounded_actions(view_); found.rows > 0) {
      float largest = 0;
      for (const float a : view_.actions) largest = std::max(largest, std::abs(a));
      char size[32];
      std::snprintf(size, sizeof size, "%.9g", static_cast<double>(largest));
      add(Severity::error, "actions", found.first_row,
          "outside [-1, 1] in " + rows_text(found) + "; largest magnitude " + size,
          "scale the actions to [-1, 1]; training clips them");
    }
    const auto& costs = view_.costs;
    if (const Finding found = find_in(costs, [&](std::size_t r) { return costs[r] < 0; }); found.rows > 0)
      add(Severity::warning, "costs", found.first_row, "below zero in " + rows_text(found),
          "a cost counts what should not happen; check its sign");
    for (std::size_t i = 0; i < 5; ++i) {
      std::vector<std::int64_t> columns;
      for (std::int64_t column = 0; column < width_of(kArrays[i], view_.shape); ++column)
        if (is_lost(i, column)) columns.push_back(column);
      if (!columns.empty())
        add(Severity::warning, kArrays[i].name, -1,
            (kArrays[i].matrix() ? column_list(columns) + ": " : "") +
                "what it varies by was lost in rounding to 32 bits",
            "subtract a constant before saving it: the first time, a mean position");
    }
  }

  bool is_lost(std::size_t array, std::int64_t column) const {
    return lost_.contains({static_cast<int>(array), column});
  }

  void order() {
    const RowOrder order = find_order(view_);
    if (order.off.rows == 0) return;
    const Severity severity = order.rounded() ? Severity::warning : Severity::error;
    add(severity, "next_observations", order.off.first_row, order.text(), order.todo(), order.random());
  }

  void after_ends() {
    const EndFindings found = find_end_states(view_, episodes_);
    // An error where it is so at most ends, or at most of those that harm.
    const auto report = [&](const Finding& rows, bool most, const std::string& what, std::int64_t of,
                            const std::string& todo) {
      if (rows.rows > 0)
        add(most ? Severity::error : Severity::warning, "next_observations", rows.first_row,
            what + ", in " + rows_text(rows) + " of " + std::to_string(of), todo);
    };
    report(found.next_start,
           2 * found.next_start.rows > found.ends || 2 * found.cuts_at_start.rows > found.cuts,
           "at the end of an episode it is the next episode's first observation", found.ends,
           "save the state that the episode ended in, as `final_observation` gives it where environments "
           "restart themselves; training would take the next start for it");
    report(found.other_start,
           2 * found.other_start.rows > found.all_ends || 2 * found.cuts_at_other.rows > found.all_cuts,
           "at the end of an episode it is what this or another episode began with", found.all_ends,
           "save the state that the episode ended in; training would take that start for what follows");
    report(found.repeated_cuts, 2 * found.repeated_cuts.rows > found.all_cuts,
           "where an episode was cut it repeats the observation", found.all_cuts,
           "save the state that the episode was cut in, or drop the last row of each: training bootstraps "
           "from it");
    if (found.one_filler)
      add(Severity::warning, "next_observations", -1,
          "the same numbers stand at all " + std::to_string(found.all_cuts) +
              " ends where an episode was cut",
          "if they are a filler, save the state that the episode was cut in, or drop the last row of each: "
          "training "
          "bootstraps from it");
    if (const Finding& repeated = found.repeated_genuine; repeated.rows > 0)
      add(Severity::warning, "next_observations", repeated.first_row,
          "at genuine ends it repeats the observation, in " + rows_text(repeated),
          "harmless: no value is taken from what follows a genuine end");
    if (const Finding found_rows = find_unchanged(view_); found_rows.rows > 0)
      add(Severity::warning, "next_observations", found_rows.first_row,
          "nothing changes, it is the observation itself, in " + rows_text(found_rows),
          "if these rows are padding, leave them out and flag the last real row of each episode");
  }

  void ends() {
    if (!episodes_.back().finished) {
      const bool none = episodes_.size() == 1;
      add(none && view_.shape.rows > 1 ? Severity::error : Severity::warning, "timeouts",
          episodes_.back().first,
          none ? "no row is flagged as an episode's end in `terminals` or `timeouts`"
               : "the last episode is unfinished: no end is flagged from row " +
                     std::to_string(episodes_.back().first) + " on",
          none ? "flag the last row of each episode, or let `r2pac data convert --episode-steps N` do it; "
                 "training "
                 "takes all rows as one episode"
               : "flag its last row in `timeouts`; training uses it as if cut there");
    } else if (episodes_.size() == 1 && view_.shape.rows > 1) {
      const Finding joins = find_joins(view_, episodes_);
      add(joins.rows > 0 ? Severity::error : Severity::warning, "timeouts", joins.first_row,
          "all " + std::to_string(view_.shape.rows) + " rows are one episode" +
              (joins.rows > 0 ? ", and the observation jumps after " + rows_text(joins) : ""),
          "if they are several, flag the last row of each, or let `r2pac data convert --episode-steps N` do "
          "it");
    }
    if (const Finding joins = episodes_.size() > 1 ? find_joins(view_, episodes_) : Finding{};
        joins.rows > 1 && 10 * joins.rows >= std::ssize(episodes_))
      add(Severity::warning, "timeouts", joins.first_row,
          "inside episodes the observation jumps to where episodes start, after " + rows_text(joins),
          "an end seems to be missing there: flag it, or let `r2pac data convert --episode-steps N` do it");
    const auto both = [&](std::size_t r) { return view_.terminals[r] && view_.timeouts[r]; };
    if (const Finding found = find_in(view_.terminals, both); found.rows > 0)
      add(Severity::warning, "terminals", found.first_row,
          "set together with `timeouts` in " + rows_text(found), "training takes these ends as genuine");
  }

  void suspicions() {
    if (!finite_) return;
    if (const ActionValues few = find_few_values(view_); !few.values.empty())
      add(Severity::warning, "actions", -1,
          few.one_hot ? "one component of each row is " + few_values_text({{few.values.back()}, false}) +
                            " and the others are " + few_values_text({{few.values.front()}, false}) +
                            ": these look like choices"
                      : "they take only the values " + few_values_text(few) + ": these look like choices",
          "R2PAC needs continuous actions in [-1, 1]");
    const auto suspect_sums = [&](const char* array, std::span<const float> column) {
      const Sums sums = find_sums(column, episodes_);
      if (sums == Sums::none) return;
      add(Severity::warning, array, -1,
          sums == Sums::running ? "they never fall inside an episode: these look like running sums"
                                : "they are the same in all rows of an episode: these look like its sums",
          "save what each step brings, not a sum of several");
    };
    suspect_sums("rewards", view_.rewards);
    suspect_sums("costs", view_.costs);
  }

  void constants() {
    for (std::size_t i = 0; i < 5; ++i) {
      if (i == 1) continue;  // what is true of the observations is true of the next ones
      const auto bytes = view_.bytes(i);
      std::vector<std::int64_t> columns =
          constant_columns({reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)},
                           width_of(kArrays[i], view_.shape));
      std::erase_if(columns, [&](std::int64_t column) { return is_lost(i, column); });  // that says more
      if (columns.empty() || view_.shape.rows == 1) continue;
      if (kArrays[i].matrix())
        add(Severity::warning, kArrays[i].name, -1,
            column_list(columns) + (columns.size() == 1 ? " is" : " are") + " constant",
            "harmless, but nothing can be learned from it");
      else
        add(Severity::warning, kArrays[i].name, -1, "the same in every row",
            "nothing can be learned about it");
    }
  }

  const DsrlView& view_;
  std::vector<Episode> episodes_;
  std::vector<Fault> faults_;
  bool finite_ = true;
  std::set<std::pair<int, std::int64_t>> lost_;  ///< array and column
};

}  // namespace

std::vector<Fault> find_faults(const DsrlView& view) {
  return view.shape.rows == 0 ? std::vector<Fault>{} : Check(view).run();
}

std::string sentence(const Fault& fault) {
  return (fault.array.empty() ? "" : "`" + fault.array + "`: ") + fault.what + "; " + fault.todo;
}

std::vector<Fault> check_columns(const DsrlColumns& columns, int chunk_length) try {
  const DsrlView view = view_of(columns);
  if (view.shape.rows == 0)
    return {{Severity::error, "", -1, "there are no rows", "make the data set again", true}};
  std::vector<Fault> faults = find_faults(view);
  const std::vector<Episode> episodes = split_episodes(view);
  if (count_windows(episodes, chunk_length) == 0)
    faults.insert(faults.begin(), {Severity::error, "", -1, no_windows(episodes, chunk_length),
                                   "choose a chunk length no longer than the longest episode", true});
  return faults;
} catch (const InvalidArgument& mismatch) {
  return {{Severity::error, "", -1, mismatch.what(), "all arrays must have the same number of rows", true}};
}

}  // namespace r2pac
