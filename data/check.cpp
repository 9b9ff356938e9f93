#include "data/check.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/error.h"
#include "data/episodes.h"

namespace r2pac {
namespace {

using Severity = Fault::Severity;

constexpr const char* kAgain = "make the data set again without these rows";

std::string in_rows(const Finding& found) {
  if (found.rows == 1) return " in row " + std::to_string(found.first_row);
  return " in " + std::to_string(found.rows) + " rows, the first is row " + std::to_string(found.first_row);
}

template <class T, class Predicate>
Finding find_in(std::span<const T> array, Predicate bad) {
  Finding found;
  for (std::size_t row = 0; row < array.size(); ++row)
    if (bad(row)) found.add(static_cast<std::int64_t>(row));
  return found;
}

/// "column 3" or "columns 3, 5, 8" of those that never change; empty when all do.
std::string constant_columns(std::span<const float> array, std::int64_t width) {
  std::string list;
  int count = 0;
  for (std::int64_t column = 0; column < width; ++column) {
    const float first = array[static_cast<std::size_t>(column)];
    bool constant = true;
    for (std::int64_t i = column; constant && i < std::ssize(array); i += width)
      constant = array[static_cast<std::size_t>(i)] == first;
    if (constant) list += (count++ == 0 ? "" : ", ") + std::to_string(column);
  }
  return count == 0 ? "" : (count == 1 ? "column " : "columns ") + list;
}

class Check {
 public:
  Check(const DsrlView& view, int chunk_length)
      : view_(view), episodes_(split_episodes(view)), chunk_length_(chunk_length) {}

  std::vector<Fault> run() {
    numbers();
    flags();
    constants();
    std::stable_partition(faults_.begin(), faults_.end(),
                          [](const Fault& f) { return f.severity == Severity::error; });
    return std::move(faults_);
  }

 private:
  void add(Severity severity, const std::string& array, std::int64_t row, const std::string& what,
           const std::string& todo) {
    faults_.push_back({severity, array, row, what, todo});
  }

  void numbers() {
    for (std::size_t i = 0; i < 5; ++i)
      if (const Finding found = find_non_finite(view_, i); found.rows > 0)
        add(Severity::error, kArrays[i].name, found.first_row, "NaN or infinity" + in_rows(found), kAgain);
    if (const Finding found = find_unbounded_actions(view_); found.rows > 0) {
      float largest = 0;
      for (const float a : view_.actions) largest = std::max(largest, std::abs(a));
      char size[32];
      std::snprintf(size, sizeof size, "%.6g", static_cast<double>(largest));
      add(Severity::error, "actions", found.first_row,
          "outside [-1, 1]" + in_rows(found) + "; largest magnitude " + size,
          "scale the actions to [-1, 1]; training would clip them");
    }
    if (const Finding found = find_mismatches(view_); found.rows > 0)
      add(Severity::error, "next_observations", found.first_row,
          "differs from the next row's observation inside an episode" + in_rows(found),
          "check that rows are in time order and that each episode's end is flagged");
    const auto& costs = view_.costs;
    if (const Finding found = find_in(costs, [&](std::size_t r) { return costs[r] < 0; }); found.rows > 0)
      add(Severity::warning, "costs", found.first_row, "below zero" + in_rows(found),
          "a cost counts what should not happen; check its sign");
  }

  void flags() {
    if (count_windows(episodes_, chunk_length_) == 0)
      add(Severity::error, "", -1, no_windows(episodes_, chunk_length_),
          "choose a chunk length no longer than the longest episode");
    if (!episodes_.back().finished) {
      const bool none = episodes_.size() == 1;
      add(Severity::warning, "timeouts", episodes_.back().first,
          none ? "no row is flagged as an episode's end in `terminals` or `timeouts`"
               : "the last episode is unfinished: no end is flagged from row " +
                     std::to_string(episodes_.back().first) + " on",
          "flag its last row in `timeouts`; training uses it as if cut there");
    }
    const auto both = [&](std::size_t r) { return view_.terminals[r] && view_.timeouts[r]; };
    if (const Finding found = find_in(view_.terminals, both); found.rows > 0)
      add(Severity::warning, "terminals", found.first_row, "set together with `timeouts`" + in_rows(found),
          "training takes these ends as genuine");
  }

  void constants() {
    for (std::size_t i = 0; i < 5; ++i) {
      if (i == 1) continue;  // what is true of the observations is true of the next ones
      const auto bytes = view_.bytes(i);
      const std::string columns =
          constant_columns({reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)},
                           width_of(kArrays[i], view_.shape));
      if (columns.empty() || view_.shape.rows == 1) continue;
      if (kArrays[i].matrix())
        add(Severity::warning, kArrays[i].name, -1,
            columns + (columns[6] == ' ' ? " is" : " are") + " constant",
            "harmless, but nothing can be learned from it");
      else
        add(Severity::warning, kArrays[i].name, -1, "the same in every row",
            "nothing can be learned about it");
    }
  }

  const DsrlView& view_;
  std::vector<Episode> episodes_;
  int chunk_length_;
  std::vector<Fault> faults_;
};

}  // namespace

std::vector<Fault> check_columns(const DsrlColumns& columns, int chunk_length) try {
  const DsrlView view = view_of(columns);
  if (view.shape.rows == 0)
    return {{Severity::error, "", -1, "there are no rows", "make the data set again"}};
  return Check(view, chunk_length).run();
} catch (const InvalidArgument& mismatch) {
  return {{Severity::error, "", -1, mismatch.what(), "all arrays must have the same number of rows"}};
}

}  // namespace r2pac
