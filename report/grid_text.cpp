#include "report/grid_text.h"

#include <array>

#include "report/text.h"
#include "settings/text_value.h"

namespace r2pac {
namespace {

constexpr const char* kLegend[] = {
    "Each cell: normalised return and normalised cost, means over training seeds; a cost below 1 is within "
    "the "
    "limit. Compared are the printed numbers.",
    "Averages are over the tasks of a suite that have data, and only where a method has all of them."};
constexpr const char* kMarkdownMarks =
    "Bold: safe. ¹: highest return among the safe of a row; ²: second highest; \\*: unsafe. A share such as "
    "2/3 says how many of the training seeds there are; such a cell is not compared.";

constexpr const char* kColoredMarks =
    "Grey: unsafe. Bold: safe. Red: highest return among the safe of a row; blue: second highest. A share "
    "such "
    "as 2/3 says how many of the training seeds there are; such a cell is not compared.";

/// Where a cell has no numbers, why.
std::string reason(const GridCell& cell) {
  if (cell.no_data) return "no data";
  if (cell.not_installed) return "not installed";
  if (cell.failed > 0) return "failed";
  return cell.diverged > 0 ? "diverged" : "-";
}

/// Behind the numbers of some but not all seeds: "2/3", and what became of the others.
std::string share(const GridCell& cell) {
  if (!cell.reward || cell.scored == cell.wanted) return "";
  std::string text = std::to_string(cell.scored) + "/" + std::to_string(cell.wanted);
  if (cell.diverged > 0) text += ", " + std::to_string(cell.diverged) + " diverged";
  if (cell.failed > 0) text += ", " + std::to_string(cell.failed) + " failed";
  return text;
}

std::string total_text(const MethodGrid& grid, std::size_t column) {
  const GridTotal& total = grid.totals[column];
  const std::string of = "/" + std::to_string(total.tasks);
  return grid.columns[column] + ": safe " + std::to_string(total.safe) + of + ", best " +
         std::to_string(total.best) + of;
}

std::string markdown_cell(const GridCell& cell, Mark mark) {
  if (!cell.reward) return reason(cell);
  std::string text = two_decimals(cell.reward->mean) + " / " + two_decimals(cell.cost.mean);
  if (mark >= Mark::safe) text = "**" + text + "**";
  if (mark == Mark::best) text += "¹";
  if (mark == Mark::second) text += "²";
  if (mark == Mark::unsafe) text += "\\*";
  const std::string seeds = share(cell);
  return seeds.empty() ? text : text + " (" + seeds + ")";
}

std::string latex_number(double value, Mark mark, const std::string& behind) {
  std::string text = two_decimals(value) + behind;
  if (mark >= Mark::safe) text = "\\textbf{" + text + "}";
  const char* color = mark == Mark::unsafe   ? "gray"
                      : mark == Mark::best   ? "red"
                      : mark == Mark::second ? "blue"
                                             : nullptr;
  return color == nullptr ? text : "\\textcolor{" + std::string(color) + "}{" + text + "}";
}

std::string latex_cell(const GridCell& cell, Mark mark) {
  if (!cell.reward) return "\\multicolumn{2}{c}{" + reason(cell) + "}";
  const std::string seeds = share(cell);
  return latex_number(cell.reward->mean, mark, "") + " & " +
         latex_number(cell.cost.mean, mark, seeds.empty() ? "" : " (" + seeds + ")");
}

const char* html_class(Mark mark) {
  constexpr std::array kClasses = {"none", "unsafe", "safe", "best", "second"};
  return kClasses[static_cast<std::size_t>(mark)];
}

std::string spread_text(const char* what, const OverSeeds& value) {
  return std::string(what) + " " + two_decimals(value.mean) +
         (value.deviation ? " ± " + two_decimals(*value.deviation) : "");
}

std::string html_cell(const GridCell& cell, Mark mark, bool average) {
  if (!cell.reward) return "<td class=\"none\" colspan=\"2\">" + reason(cell) + "</td>";
  std::string title = spread_text("return", *cell.reward) + ", " + spread_text("cost", cell.cost);
  if (!average)
    title += "; safe seeds " + std::to_string(cell.safe_seeds) + "/" + std::to_string(cell.wanted);
  const std::string open = "<td class=\"" + std::string(html_class(mark)) + "\" title=\"" + title + "\">";
  const std::string seeds = share(cell);
  return open + two_decimals(cell.reward->mean) + "</td>" + open + two_decimals(cell.cost.mean) +
         (seeds.empty() ? "" : " (" + seeds + ")") + "</td>";
}

}  // namespace

std::string grid_markdown(const MethodGrid& grid) {
  std::string out = "| task |", rule = "|---|";
  for (const std::string& column : grid.columns) {
    out += " " + markdown_text(column) + " |";
    rule += "---:|";
  }
  out += "\n" + rule + "\n";
  for (const GridRow& row : grid.rows) {
    const std::string name = markdown_text(row.name);
    out += row.average ? "| *" + name + "* |" : "| " + name + " |";
    for (std::size_t c = 0; c < row.cells.size(); ++c)
      out += " " + markdown_cell(row.cells[c], row.marks[c]) + " |";
    out += "\n";
  }
  for (const char* sentence : kLegend) out += std::string("\n") + sentence + "\n";
  out += std::string("\n") + kMarkdownMarks + "\n\n";
  for (std::size_t c = 0; c < grid.columns.size(); ++c)
    out += "- " + markdown_text(total_text(grid, c)) + "\n";
  return out;
}

std::string grid_latex(const MethodGrid& grid) {
  std::string out = "% needs \\usepackage{booktabs,multirow,xcolor}\n";
  for (const char* sentence : kLegend) out += std::string("% ") + sentence + "\n";
  out += "% Gray: unsafe. Bold: safe. Red: highest return among the safe of a row; blue: second highest.\n";
  for (std::size_t c = 0; c < grid.columns.size(); ++c) out += "% " + latex_text(total_text(grid, c)) + "\n";
  out += "\\begin{tabular}{l" + std::string(2 * grid.columns.size(), 'r') + "}\n\\toprule\n";
  out += "\\multirow{2}{*}{Task}";
  for (const std::string& column : grid.columns) out += " & \\multicolumn{2}{c}{" + latex_text(column) + "}";
  out += " \\\\\n";
  for (std::size_t c = 0; c < grid.columns.size(); ++c) out += " & reward $\\uparrow$ & cost $\\downarrow$";
  out += " \\\\\n\\midrule\n";
  for (const GridRow& row : grid.rows) {
    const bool new_suite = &row != grid.rows.data() && (&row - 1)->suite != row.suite;
    if (new_suite) out += "\\midrule\n";
    out += row.average ? "\\textit{" + latex_text(row.name) + "}" : latex_text(row.name);
    for (std::size_t c = 0; c < row.cells.size(); ++c) out += " & " + latex_cell(row.cells[c], row.marks[c]);
    out += " \\\\\n";
  }
  return out + "\\bottomrule\n\\end{tabular}\n";
}

std::string grid_html(const MethodGrid& grid) {
  std::string out = "<table class=\"grid\">\n<caption>" + html_text(grid.title) +
                    "</caption>\n<thead>\n<tr><th rowspan=\"2\">Task</th>";
  for (const std::string& column : grid.columns) out += "<th colspan=\"2\">" + html_text(column) + "</th>";
  out += "</tr>\n<tr>";
  for (std::size_t c = 0; c < grid.columns.size(); ++c) out += "<th>reward ↑</th><th>cost ↓</th>";
  out += "</tr>\n</thead>\n<tbody>\n";
  for (const GridRow& row : grid.rows) {
    out += row.average ? "<tr class=\"average\"><th>" : "<tr><th>";
    out += html_text(row.name) + "</th>";
    for (std::size_t c = 0; c < row.cells.size(); ++c)
      out += html_cell(row.cells[c], row.marks[c], row.average);
    out += "</tr>\n";
  }
  out += "</tbody>\n</table>\n<ul>\n";
  for (std::size_t c = 0; c < grid.columns.size(); ++c)
    out += "<li>" + html_text(total_text(grid, c)) + "</li>\n";
  out += "</ul>\n";
  for (const char* sentence : kLegend) out += "<p class=\"note\">" + html_text(sentence) + "</p>\n";
  out += std::string("<p class=\"note\">") + kColoredMarks + "</p>\n";
  return out;
}

std::string grid_style() {
  return "table.grid { border-collapse: collapse; font-variant-numeric: tabular-nums; }\n"
         ".grid th, .grid td { padding: 0.15em 0.5em; text-align: right; }\n"
         ".grid thead th { text-align: center; }\n"
         ".grid tbody th { text-align: left; font-weight: normal; }\n"
         ".grid .average { border-top: 1px solid; border-bottom: 1px solid; font-style: italic; }\n"
         ".grid .unsafe { color: #767676; }\n"
         ".grid .safe, .grid .best, .grid .second { font-weight: bold; }\n"
         ".grid .best { color: #b00020; }\n"
         ".grid .second { color: #0040c0; }\n";
}

std::string grid_csv(const MethodGrid& grid) {
  std::string out =
      "suite,task,method,normalized_return_mean,normalized_return_std,normalized_cost_mean,"
      "normalized_cost_std,seeds,seeds_wanted,safe_seeds,state,mark\n";
  for (const GridRow& row : grid.rows) {
    if (row.average) continue;
    for (std::size_t c = 0; c < row.cells.size(); ++c) {
      const GridCell& cell = row.cells[c];
      const auto number = [&](double value) { return cell.reward ? format_number(value) : ""; };
      const auto deviation = [&](const std::optional<double>& value) {
        return value ? format_number(*value) : "";
      };
      out += csv_line({row.suite, row.name, grid.columns[c], number(cell.reward ? cell.reward->mean : 0),
                       cell.reward ? deviation(cell.reward->deviation) : "", number(cell.cost.mean),
                       cell.reward ? deviation(cell.cost.deviation) : "", std::to_string(cell.scored),
                       std::to_string(cell.wanted), std::to_string(cell.safe_seeds),
                       cell.complete() ? "complete"
                       : cell.reward   ? share(cell)
                                       : reason(cell),
                       html_class(row.marks[c])});
    }
  }
  return out;
}

}  // namespace r2pac
