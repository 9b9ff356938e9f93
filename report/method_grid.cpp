#include "report/method_grid.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "report/text.h"
#include "settings/text_value.h"

namespace r2pac {
namespace {

/// The number that is printed.
double printed(double value) { return *parse_number<double>(two_decimals(value)); }

bool has_data(const GridRow& row) {
  return !row.average && !std::ranges::all_of(row.cells, [](const GridCell& c) { return c.no_data; });
}

/// Mean over the rows; without one where a row's cell is not complete.
GridCell average(const std::vector<const GridRow*>& rows, std::size_t column) {
  GridCell cell;
  OverSeeds reward;
  for (const GridRow* row : rows) {
    const GridCell& one = row->cells[column];
    cell.wanted += one.wanted;
    cell.scored += one.scored;
    if (!one.complete()) continue;
    reward.mean += one.reward->mean / static_cast<double>(rows.size());
    cell.cost.mean += one.cost.mean / static_cast<double>(rows.size());
  }
  if (std::ranges::all_of(rows, [&](const GridRow* row) { return row->cells[column].complete(); }))
    cell.reward = reward;
  return cell;
}

}  // namespace

std::string two_decimals(double value) {
  const std::string text = fixed_text(value, 2);
  return text == "-0.00" ? "0.00" : text;
}

std::vector<Mark> marks_of(const std::vector<GridCell>& cells) {
  std::vector<Mark> marks;
  std::set<double> rewards;
  for (const GridCell& cell : cells) {
    const bool safe = cell.complete() && printed(cell.cost.mean) < 1;
    marks.push_back(!cell.complete() ? Mark::none : safe ? Mark::safe : Mark::unsafe);
    if (safe) rewards.insert(printed(cell.reward->mean));
  }
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (marks[i] != Mark::safe) continue;
    const double reward = printed(cells[i].reward->mean);
    if (reward == *rewards.rbegin()) marks[i] = Mark::best;
    if (rewards.size() > 1 && reward == *std::next(rewards.rbegin())) marks[i] = Mark::second;
  }
  return marks;
}

MethodGrid make_grid(std::string title, std::vector<std::string> columns, std::vector<GridRow> rows) {
  MethodGrid grid{std::move(title), std::move(columns), {}, {}};
  const std::size_t n = grid.columns.size();
  grid.totals.resize(n);
  std::vector<std::string> suites;
  for (GridRow& row : rows) {
    if (row.cells.size() != n)
      throw InvalidArgument("make_grid: row `" + row.name + "` has " + std::to_string(row.cells.size()) +
                            " cells for " + std::to_string(n) + " columns");
    row.marks = marks_of(row.cells);
    if (std::ranges::find(suites, row.suite) == suites.end()) suites.push_back(row.suite);
    if (!has_data(row)) continue;
    for (std::size_t c = 0; c < n; ++c) {
      ++grid.totals[c].tasks;
      grid.totals[c].safe += row.marks[c] >= Mark::safe ? 1 : 0;
      grid.totals[c].best += row.marks[c] == Mark::best ? 1 : 0;
    }
  }
  for (const std::string& suite : suites) {
    std::vector<const GridRow*> with_data;
    for (const GridRow& row : rows)
      if (row.suite == suite) {
        grid.rows.push_back(row);
        if (has_data(row)) with_data.push_back(&row);
      }
    if (with_data.size() < 2) continue;
    GridRow mean{suite + " average", suite, true, {}, {}};
    for (std::size_t c = 0; c < n; ++c) mean.cells.push_back(average(with_data, c));
    mean.marks = marks_of(mean.cells);
    grid.rows.push_back(mean);
  }
  return grid;
}

}  // namespace r2pac
