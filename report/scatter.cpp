#include "report/scatter.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "report/chart.h"

namespace r2pac {
namespace {

constexpr int kLeft = 95, kWidth = 680, kRight = 25, kHeight = 440, kBottom = 65;
constexpr int kShapes[] = {7, 5, 9, 11, 13, 15};  // gnuplot's filled ones

/// Numbers of a script or of a line of a data file.
std::string numbers(std::initializer_list<double> values) {
  std::ostringstream out;
  out.precision(9);
  for (const double value : values) out << value << ' ';
  return out.str();
}

/// A picture that grows: clauses of its plot command, those of its key, files, and the costs to be shown.
struct Scatter {
  std::vector<std::string> points, key;
  std::map<std::string, std::string> files;
  double least_cost = 0, greatest_cost = 0;

  void show(double cost) {
    least_cost = std::min(least_cost, cost);
    greatest_cost = std::max(greatest_cost, cost);
  }
};

void add_cloud(Scatter& scatter, const DataCloud& cloud) {
  std::string& file = scatter.files["data"];
  for (std::size_t i = 0; i < cloud.costs.size(); ++i) {
    file += numbers({cloud.costs[i], cloud.returns[i]}) + "\n";
    scatter.show(cloud.costs[i]);
  }
  scatter.points.emplace_back(
      "'data' using 1:2 with points pointtype 7 pointsize 0.45 linecolor rgb '#a0909090' notitle");
  scatter.key.emplace_back(
      "NaN with points pointtype 7 pointsize 0.9 linecolor rgb '#909090' title 'episodes of the data'");
}

void add_row(Scatter& scatter, const TableRow& row, std::size_t i, const std::string& name) {
  const std::string mean_file = "mean" + std::to_string(i), seeds_file = "seeds" + std::to_string(i);
  const std::string shape = " pointtype " + std::to_string(kShapes[i % std::size(kShapes)]);
  const std::string color = " linecolor rgb '" + line_color(i) + "'";
  const double deviation = row.episode_cost.deviation.value_or(0);
  scatter.files[mean_file] = numbers(
      {row.episode_cost.mean, row.episode_return.mean, deviation, row.episode_return.deviation.value_or(0)});
  scatter.show(row.episode_cost.mean + deviation);
  for (const auto& [cost, episode_return] : row.seed_scores) {
    scatter.files[seeds_file] += numbers({cost, episode_return}) + "\n";
    scatter.show(cost);
  }
  if (row.seeds > 1) {
    scatter.points.push_back("'" + mean_file + "' using 1:2:3:4 with xyerrorbars pointsize 0 linewidth 1.6" +
                             color + " notitle");
    scatter.points.push_back("'" + seeds_file + "' using 1:2 with points pointsize 0.9" + shape + color +
                             " notitle");
  }
  const std::string mean_points = "'" + mean_file + "' using 1:2 with points" + shape;
  scatter.points.push_back(mean_points + " pointsize 2.35 linecolor rgb 'white' notitle");
  scatter.points.push_back(mean_points + " pointsize 2.0" + color + " notitle");
  scatter.key.push_back("NaN with points pointsize 1.8" + shape + color + " title " + gnuplot_string(name));
}

std::vector<std::string> parts_of(const std::string& variant) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < variant.size();) {
    const std::size_t end = std::min(variant.find(", ", begin), variant.size());
    parts.push_back(variant.substr(begin, end - begin));
    begin = end + 2;
  }
  return parts;
}

/// What of its variant the key names: what it does not share with more than half of the rows, or else all.
std::string rare_parts(const TableRow& row, const std::vector<const TableRow*>& rows) {
  std::string name;
  for (const std::string& part : parts_of(row.variant)) {
    const auto sharing = std::ranges::count_if(rows, [&](const TableRow* other) {
      const std::vector<std::string> parts = parts_of(other->variant);
      return std::ranges::find(parts, part) != parts.end();
    });
    if (2 * static_cast<std::size_t>(sharing) <= rows.size()) name += (name.empty() ? "" : ", ") + part;
  }
  return name.empty() ? row.variant : name;
}

/// What the key calls a row: its variant, its checkpoint where the rows differ in that, and its seeds.
std::string row_name(const TableRow& row, const std::vector<const TableRow*>& rows, bool with_checkpoint) {
  std::string name = rare_parts(row, rows);
  if (with_checkpoint) name += (name.empty() ? "" : ", ") + row.checkpoint;
  return name + (name.empty() ? "policy, " : ", ") + std::to_string(row.seeds) +
         (row.seeds == 1 ? " seed" : " seeds");
}

}  // namespace

void draw_scatter(const std::vector<std::string>& paths, const std::vector<const TableRow*>& rows,
                  const DataCloud& cloud) {
  std::set<std::string> checkpoints;
  std::set<double> limits;
  bool bars = false;
  for (const TableRow* row : rows) {
    checkpoints.insert(row->checkpoint);
    limits.insert(row->cost_limit);
    bars = bars || row->seeds > 1;
  }
  Scatter scatter;
  if (!cloud.costs.empty()) add_cloud(scatter, cloud);
  for (std::size_t i = 0; i < rows.size(); ++i)
    add_row(scatter, *rows[i], i, row_name(*rows[i], rows, checkpoints.size() > 1));
  scatter.key.emplace_back(
      "NaN with lines linewidth 1.8 dashtype 2 linecolor rgb 'black' title 'cost limit'");

  const int above = Heading::height(scatter.key.size());
  const Canvas canvas{kLeft + kWidth + kRight, above + kHeight + kBottom};
  std::string script = kChartStyle;
  script += Heading::script(rows[0]->task + (bars ? ": mean and standard deviation over seeds" : ""), canvas,
                            scatter.key.size());
  script += panel_place(canvas, kLeft, above, kWidth, kHeight);
  for (const double limit : limits) {
    scatter.show(limit);
    const std::string x = numbers({limit});
    script += "set arrow from first " + x + ", graph 0 to first " + x +
              ", graph 1 nohead dashtype 2 linewidth 1.8 linecolor rgb 'black' back\n";
  }
  const double range = scatter.greatest_cost - scatter.least_cost, margin = range > 0 ? 0.04 * range : 0.1;
  script +=
      "set xrange [" + numbers({scatter.least_cost - margin}) + ":" +
      numbers({scatter.greatest_cost + margin}) +
      "]\nset xlabel 'cost per episode' offset 0,0.4\nset ylabel 'return per episode' offset 0.6,0\nplot ";
  for (const auto* clauses : {&scatter.points, &scatter.key})
    for (const std::string& clause : *clauses) script += clause + ",";
  script.back() = '\n';
  draw_with_gnuplot(paths, canvas, script + "unset multiplot\n", scatter.files);
}

}  // namespace r2pac
