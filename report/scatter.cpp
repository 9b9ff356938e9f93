#include "report/scatter.h"

#include <algorithm>
#include <iterator>
#include <sstream>

#include "base/counted.h"
#include "report/chart.h"
#include "report/names.h"

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

/// A panel that grows: clauses of its plot command, those of its key, files, and the costs to be shown.
struct Drawing {
  std::map<std::string, std::string>& files;
  std::string prefix;
  std::vector<std::string> points = {}, key = {};
  double least_cost = 0, greatest_cost = 0;

  void show(double cost) {
    least_cost = std::min(least_cost, cost);
    greatest_cost = std::max(greatest_cost, cost);
  }
};

void add_cloud(Drawing& drawing, const DataCloud& cloud) {
  std::string& file = drawing.files[drawing.prefix + "data"];
  for (std::size_t i = 0; i < cloud.costs.size(); ++i) {
    file += numbers({cloud.costs[i], cloud.returns[i]}) + "\n";
    drawing.show(cloud.costs[i]);
  }
  drawing.points.emplace_back(
      "'" + drawing.prefix +
      "data' using 1:2 with points pointtype 7 pointsize 0.45 linecolor rgb '#a0909090' notitle");
  drawing.key.emplace_back(
      "NaN with points pointtype 7 pointsize 0.9 linecolor rgb '#909090' title 'episodes of the data'");
}

/// number  tells the files of the marks apart
void add_mark(Drawing& drawing, const ScatterMark& mark, const std::string& number) {
  const std::string mean_file = drawing.prefix + "mean" + number,
                    seeds_file = drawing.prefix + "seeds" + number;
  const std::string shape = " pointtype " + std::to_string(kShapes[mark.shape % std::size(kShapes)]);
  const std::string color = " linecolor rgb '" + line_color(mark.look) + "'";
  const double deviation = mark.episode_cost.deviation.value_or(0);
  const double paid = mark.episode_cost.mean, earned = mark.episode_return.mean,
               spread = mark.episode_return.deviation.value_or(0);
  const double least = std::max(paid - deviation, std::min(paid, 0.0));  // no cost is below 0
  drawing.files[mean_file] =
      numbers({paid, earned, least, paid + deviation, earned - spread, earned + spread});
  drawing.show(mark.episode_cost.mean + deviation);
  for (const auto& [cost, episode_return] : mark.seeds) {
    drawing.files[seeds_file] += numbers({cost, episode_return}) + "\n";
    drawing.show(cost);
  }
  if (mark.seeds.size() > 1) {
    drawing.points.push_back("'" + mean_file +
                             "' using 1:2:3:4:5:6 with xyerrorbars pointsize 0 linewidth 1.6" + color +
                             " notitle");
    drawing.points.push_back("'" + seeds_file + "' using 1:2 with points pointsize 0.9" + shape + color +
                             " notitle");
  }
  const std::string mean_points = "'" + mean_file + "' using 1:2 with points" + shape;
  drawing.points.push_back(mean_points + " pointsize 2.35 linecolor rgb 'white' notitle");
  drawing.points.push_back(mean_points + " pointsize 2.0" + color + " notitle");
  drawing.key.push_back("NaN with points pointsize 1.8" + shape + color + " title " +
                        gnuplot_string(mark.name));
}

/// What of its variant the key names: what it does not share with more than half of the rows, or else all.
std::vector<std::string> rare_parts(const TableRow& row, const std::vector<const TableRow*>& rows) {
  const std::vector<std::string> all = variant_parts(row.variant);
  std::vector<std::string> rare;
  for (const std::string& part : all) {
    const auto sharing = std::ranges::count_if(rows, [&](const TableRow* other) {
      const std::vector<std::string> parts = variant_parts(other->variant);
      return std::ranges::find(parts, part) != parts.end();
    });
    if (2 * static_cast<std::size_t>(sharing) <= rows.size()) rare.push_back(part);
  }
  return rare.empty() ? all : rare;
}

/// What the key calls a row: its variant, its checkpoint where the rows differ in that, and its seeds.
std::string row_name(const TableRow& row, const std::vector<const TableRow*>& rows, bool with_checkpoint) {
  return variant_name(method_of_training(row.settings), rare_parts(row, rows)) +
         (with_checkpoint ? ", " + row.checkpoint : "") + ", " + counted(row.seeds, "seed");
}

}  // namespace

DataCloud data_cloud(const Dataset& dataset) {
  return {episode_sums(dataset.episodes, dataset.rewards), episode_sums(dataset.episodes, dataset.costs)};
}

std::string scatter_panel(const Scatter& scatter, std::map<std::string, std::string>& files) {
  Drawing drawing{files, scatter.prefix};
  if (!scatter.cloud.costs.empty()) add_cloud(drawing, scatter.cloud);
  for (std::size_t i = 0; i < scatter.marks.size(); ++i)
    add_mark(drawing, scatter.marks[i], std::to_string(i));
  drawing.key.emplace_back(
      "NaN with lines linewidth 1.8 dashtype 2 linecolor rgb 'black' title 'cost limit'");
  std::string script;
  for (const double limit : scatter.limits) {
    drawing.show(limit);
    const std::string x = numbers({limit});
    script += "set arrow from first " + x + ", graph 0 to first " + x +
              ", graph 1 nohead dashtype 2 linewidth 1.8 linecolor rgb 'black' back\n";
  }
  const double range = drawing.greatest_cost - drawing.least_cost, margin = range > 0 ? 0.04 * range : 0.1;
  script += "set xrange [" + numbers({drawing.least_cost - margin}) + ":" +
            numbers({drawing.greatest_cost + margin}) +
            "]\nset xlabel 'cost per episode' offset 0,0.4\nset ylabel 'return per episode'\nplot ";
  for (const auto* clauses : {&drawing.points, &drawing.key})
    for (const std::string& clause : *clauses) script += clause + ",";
  script.back() = '\n';
  return script;
}

void draw_scatter(const std::vector<std::string>& paths, const std::vector<const TableRow*>& rows,
                  const std::vector<std::size_t>& looks, const DataCloud& cloud) {
  std::set<std::string> checkpoints;
  for (const TableRow* row : rows) checkpoints.insert(row->checkpoint);
  Scatter scatter;
  scatter.cloud = cloud;
  bool bars = false;
  for (const TableRow* row : rows) {
    const std::size_t place = scatter.marks.size();
    scatter.marks.push_back({row_name(*row, rows, checkpoints.size() > 1), looks[place], place,
                             row->episode_cost, row->episode_return, row->seed_scores});
    scatter.limits.insert(row->cost_limit);
    bars = bars || row->seeds > 1;
  }
  const int above = Heading::height(scatter.key_entries());
  const Canvas canvas{kLeft + kWidth + kRight, above + kHeight + kBottom};
  std::map<std::string, std::string> files;
  const std::string script =
      kChartStyle +
      Heading::script(rows[0]->task + (bars ? ": mean and standard deviation over seeds" : ""), canvas,
                      scatter.key_entries()) +
      panel_place(canvas, kLeft, above, kWidth, kHeight) + scatter_panel(scatter, files) +
      "unset multiplot\n";
  draw_with_gnuplot(paths, canvas, script, files);
}

}  // namespace r2pac
