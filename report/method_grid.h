// Scores of methods over tasks, as papers print them: a row per task, a column per method, and marks for what
// is safe and best.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "report/table.h"

namespace r2pac {

/// What one method came to on one task.
struct GridCell {
  std::optional<OverSeeds> reward;  ///< normalised return; none before a seed is scored
  OverSeeds cost;                   ///< normalised by the cost limit
  /// Training seeds: wanted, scored, and of these with a normalised cost below 1 as printed.
  std::size_t wanted = 0, scored = 0, safe_seeds = 0;
  std::size_t diverged = 0, failed = 0;  ///< seeds whose training or scoring ended so
  bool no_data = false;                  ///< there is no data file of the task
  bool not_installed = false;            ///< the method's own code is not there
  bool complete() const { return reward && scored == wanted; }
};

/// What a cell is among those of its row. Compared is what is printed, two decimals.
enum class Mark {
  none,    ///< not all seeds are scored, so it is not compared
  unsafe,  ///< a normalised cost of 1 or more
  safe,    ///< below 1
  best,    ///< of greatest reward among the safe; ties share it
  second,  ///< of the next lower reward among the safe
};

struct GridRow {
  std::string name;
  std::string suite;     ///< the simulator's; rows of one suite stand together
  bool average = false;  ///< over the rows of the suite that have data
  std::vector<GridCell> cells;
  std::vector<Mark> marks;
};

/// Over the tasks that have data.
struct GridTotal {
  std::size_t tasks = 0, safe = 0, best = 0;
};

struct MethodGrid {
  std::string title;
  std::vector<std::string> columns;
  std::vector<GridRow> rows;
  std::vector<GridTotal> totals;  ///< by column
};

/// The number with two decimals, as tables print it; never "-0.00".
std::string two_decimals(double value);

/// The marks of one row's cells.
std::vector<Mark> marks_of(const std::vector<GridCell>& cells);

/// Orders `rows` by suite (suites as they first come), marks each, adds after each suite of two or more rows
/// with data their average, and counts. A method that is not complete on a row has no average over it.
/// rows  each with as many cells as there are columns
MethodGrid make_grid(std::string title, std::vector<std::string> columns, std::vector<GridRow> rows);

}  // namespace r2pac
