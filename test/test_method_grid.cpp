// The table of methods: its marks, averages and forms, and what the paper's own tables say by these rules.
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <sstream>

#include "report/grid_text.h"

using namespace r2pac;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

GridCell cell(double reward, double cost) {
  GridCell c;
  c.reward = OverSeeds{reward, std::nullopt};
  c.cost = {cost, std::nullopt};
  c.wanted = c.scored = 1;
  return c;
}

/// The lines of a file of test/published/ behind its comments and its header, as fields.
std::vector<std::vector<std::string>> published(const std::string& name) {
  std::ifstream in(std::string(R2PAC_SOURCE_DIR "/test/published/") + name);
  std::vector<std::vector<std::string>> lines;
  bool header = true;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with('#')) continue;
    if (std::exchange(header, false)) continue;
    std::vector<std::string>& fields = lines.emplace_back();
    std::istringstream text(line);
    for (std::string field; std::getline(text, field, ',');) fields.push_back(field);
  }
  REQUIRE(!lines.empty());
  return lines;
}

/// The cells as a grid; each entry: suite, task, column, reward, cost.
MethodGrid grid_of(const std::vector<std::vector<std::string>>& entries) {
  std::vector<std::string> columns;
  std::vector<GridRow> rows;
  for (const auto& e : entries) {
    if (std::ranges::find(columns, e[2]) == columns.end()) columns.push_back(e[2]);
    if (rows.empty() || rows.back().name != e[1]) rows.push_back({e[1], e[0], false, {}, {}});
    rows.back().cells.push_back(cell(std::stod(e[3]), std::stod(e[4])));
  }
  return make_grid("published", columns, rows);
}

MethodGrid table_1(bool only_17) {
  std::vector<std::vector<std::string>> entries;
  for (const auto& f : published("table1.csv"))
    if (!only_17 || f[2] == "1") entries.push_back({f[0], f[1], f[3], f[4], f[5]});
  return grid_of(entries);
}

const GridRow& row_of(const MethodGrid& grid, const std::string& name) {
  const auto found = std::ranges::find(grid.rows, name, &GridRow::name);
  REQUIRE(found != grid.rows.end());
  return *found;
}

}  // namespace

TEST_CASE("the paper's Table 1 by its own rules: R2PAC is safe on 17 of 17 tasks and best on 11") {
  const MethodGrid grid = table_1(true);
  std::map<std::string, GridTotal> totals;
  for (std::size_t c = 0; c < grid.columns.size(); ++c) totals[grid.columns[c]] = grid.totals[c];
  REQUIRE(totals.size() == 8);
  CHECK(totals["R2PAC"].tasks == 17);
  const std::map<std::string, std::size_t> safe = {{"R2PAC", 17}, {"FISOR", 17}, {"CAPS", 11},     {"CDT", 4},
                                                   {"CPQ", 4},    {"TREBI", 4},  {"COptiDICE", 2}, {"BC", 0}};
  for (const auto& [method, count] : safe) {
    INFO(method);
    CHECK(totals[method].safe == count);
  }
  // The paper's text says that R2PAC is best on 13.
  const std::map<std::string, std::size_t> best = {{"R2PAC", 11}, {"CDT", 3}, {"CAPS", 2},      {"FISOR", 1},
                                                   {"BC", 0},     {"CPQ", 0}, {"COptiDICE", 0}, {"TREBI", 0}};
  for (const auto& [method, count] : best) {
    INFO(method);
    CHECK(totals[method].best == count);
  }
  std::size_t second = 0;
  const auto ours = static_cast<std::size_t>(std::ranges::find(grid.columns, "R2PAC") - grid.columns.begin());
  for (const GridRow& row : grid.rows) second += !row.average && row.marks[ours] == Mark::second ? 1 : 0;
  CHECK(second == 6);
}

TEST_CASE("of all 32 tasks of the paper, equal rewards share the mark") {
  const MethodGrid grid = table_1(false);
  const GridRow& row = row_of(grid, "easymean");
  for (const std::string method : {"R2PAC", "FISOR"}) {
    const auto c = static_cast<std::size_t>(std::ranges::find(grid.columns, method) - grid.columns.begin());
    CHECK(row.marks[c] == Mark::best);
  }
  CHECK(row_of(grid, "MetaDrive average").average);
}

TEST_CASE("the paper's Table 2 by its own rules: the AWR actor is unsafe on AntCircle") {
  std::vector<std::vector<std::string>> entries;
  for (const auto& f : published("table2.csv")) entries.push_back({"all", f[0], f[1], f[2], f[3]});
  const MethodGrid grid = grid_of(entries);
  REQUIRE(grid.columns == std::vector<std::string>{"w/o penalised V_r", "w/o V_c", "AWR actor", "ours"});
  CHECK(grid.totals[0].safe == 0);
  CHECK(grid.totals[1].safe == 5);
  CHECK(grid.totals[2].safe == 6);
  CHECK(grid.totals[3].safe == 7);
  CHECK(row_of(grid, "AntCircle").marks[2] == Mark::unsafe);
  CHECK(row_of(grid, "AntRun").marks[1] == Mark::unsafe);
  CHECK(row_of(grid, "DroneCircle").marks[1] == Mark::unsafe);
}

TEST_CASE("cells are compared as they are printed") {
  CHECK(two_decimals(-0.001) == "0.00");
  CHECK(marks_of({cell(0.5, 0.994), cell(0.6, 0.996)}) == std::vector{Mark::best, Mark::unsafe});
  // 0.504 and 0.496 both print as 0.50; 0.49 is the next one.
  CHECK(marks_of({cell(0.504, 0), cell(0.496, 0), cell(0.49, 0), cell(0.3, 0)}) ==
        std::vector{Mark::best, Mark::best, Mark::second, Mark::safe});
  CHECK(marks_of({cell(0.9, 2)}) == std::vector{Mark::unsafe});
}

TEST_CASE("a method without all of its seeds is neither compared nor averaged, and its cell says so") {
  GridCell partial = cell(0.9, 0.1), diverged, failed, no_data, waiting;
  partial.wanted = 3;
  partial.scored = 2;
  partial.diverged = 1;
  diverged.wanted = failed.wanted = no_data.wanted = waiting.wanted = 1;
  diverged.diverged = failed.failed = 1;
  no_data.no_data = true;
  const MethodGrid grid = make_grid("a <b>", {"A", "B"},
                                    {{"T1", "S", false, {partial, cell(0.5, 0.5)}, {}},
                                     {"T2", "S", false, {cell(0.4, 1.5), cell(0.3, 0.5)}, {}},
                                     {"T3", "S", false, {diverged, failed}, {}},
                                     {"T4", "Z", false, {no_data, no_data}, {}},
                                     {"T5", "S", false, {waiting, cell(0.1, 0.1)}, {}}});
  REQUIRE(grid.rows.size() == 6);  // the rows of S, their average, and Z, whose only row has no data
  CHECK(row_of(grid, "T1").marks == std::vector{Mark::none, Mark::best});
  const GridRow& average = row_of(grid, "S average");
  CHECK_FALSE(average.cells[0].complete());
  CHECK(grid.totals[0].tasks == 4);
  CHECK(grid.totals[1].best == 3);

  const std::string markdown = grid_markdown(grid);
  CHECK(has(markdown, "| T1 | 0.90 / 0.10 (2/3, 1 diverged) | **0.50 / 0.50**¹ |"));
  CHECK(has(markdown, "| T2 | 0.40 / 1.50\\* | **0.30 / 0.50**¹ |"));
  CHECK(has(markdown, "| T3 | diverged | failed |"));
  CHECK(has(markdown, "| T4 | no data | no data |"));
  CHECK(has(markdown, "| T5 | - | **0.10 / 0.10**¹ |"));
  CHECK(has(markdown, "- B: safe 3/4, best 3/4"));
  const std::string latex = grid_latex(grid);
  CHECK(has(latex,
            "T2 & \\textcolor{gray}{0.40} & \\textcolor{gray}{1.50} & "
            "\\textcolor{red}{\\textbf{0.30}} & \\textcolor{red}{\\textbf{0.50}} \\\\"));
  CHECK(has(latex, "\\multicolumn{2}{c}{no data}"));
  const std::string html = grid_html(grid);
  CHECK(has(html, "<caption>a &lt;b&gt;</caption>"));
  CHECK(has(html, "<td class=\"unsafe\" title=\"return 0.40, cost 1.50; safe seeds 0/1\">0.40</td>"));
  CHECK(has(grid_style(), ".grid .best"));
  const std::string csv = grid_csv(grid);
  CHECK(has(csv, "\nS,T1,A,0.9,,0.1,,2,3,0,\"2/3, 1 diverged\",none\n"));
  CHECK(has(csv, "\nZ,T4,B,,,,,0,1,0,no data,none\n"));
}

TEST_CASE("an average is that of the rows' means") {
  const MethodGrid grid =
      make_grid("", {"A"}, {{"T1", "S", false, {cell(0.2, 0)}, {}}, {"T2", "S", false, {cell(0.4, 3)}, {}}});
  const GridRow& average = row_of(grid, "S average");
  CHECK(average.cells[0].reward->mean == Approx(0.3));
  CHECK(average.cells[0].cost.mean == Approx(1.5));
  CHECK(average.marks[0] == Mark::unsafe);
}
