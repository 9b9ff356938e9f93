#include "report/reach_avoid_figure.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "base/statistics.h"
#include "envs/reach_avoid.h"
#include "report/chart.h"

namespace r2pac {

namespace {

/// Which line_color() the goal has, and each policy of the figure: cloning, cloning of safe episodes, R2PAC,
/// safe chunks.
constexpr std::size_t kGoalLook = 2;
constexpr std::array<std::size_t, 4> kPolicyLooks = {1, 3, 0, 5};

std::string style() {
  return "set multiplot\nset border linecolor rgb '#606060'\nset tics nomirror out scale 0.6\nGOAL = '" +
         line_color(kGoalLook) + "'\n";
}

constexpr char kScatterStyle[] = R"gp(
set title 'All episodes of the data, and the mean of each policy' offset 0,-0.3
set key left top vertical maxrows 3 Left reverse samplen 1 spacing 1.2 font ',12'
set grid linecolor rgb '#e8e8e8' linetype 1
)gp";

// The arena, with a rim: what drives along its edge is seen in full.
constexpr char kArenaStyle[] = R"gp(
unset arrow; unset grid; unset key; unset colorbox
set xrange [-1.06:1.06]; set yrange [-1.06:1.06]
set xtics -1,0.5,1; set ytics -1,0.5,1
set xlabel 'x' offset 0,0.4; set ylabel 'y' offset 1.5,0
set object 1 rectangle from -1,-1 to 1,1 fillstyle empty border linecolor rgb '#b0b0b0'
set label 1 'goal' at 0.80,-0.27 center front textcolor rgb GOAL
set label 2 'hazards' at 0,-0.72 center front textcolor rgb '#202020'
)gp";

constexpr char kScene[] =
    R"gp('hazards' with circles fillstyle transparent solid 0.10 border linecolor rgb '#202020' \
       linewidth 1.4 fillcolor rgb '#404040' notitle, \
     'goal' with circles fillstyle transparent solid 0.45 border linecolor rgb GOAL \
       linewidth 1.4 fillcolor rgb GOAL notitle)gp";

constexpr char kMapStyle[] = R"gp(
set cbrange [0:MAP_MAX]
set palette defined (0 '#fffbe8', 0.35 '#e4d5ef', 0.7 '#b79bd3', 1 '#7d5fb3')
set key default; set key bottom left box linecolor rgb '#c0c0c0' opaque samplen 1.6 width 0 Left reverse font ',12'
)gp";

// The line at the threshold, as a table of points; left out where the map never meets it.
constexpr char kContour[] = R"gp(
set contour base; set cntrparam levels discrete THRESHOLD; unset surface
set table CONTOUR
splot MAP binary matrix using 1:2:3 notitle
unset table
unset contour; set surface
)gp";

// Grey where no data support the map; it fades in with them.
constexpr char kMapPanel[] = R"gp(
plot MAP binary matrix using 1:2:3 with image notitle, \
     CONTOUR using 1:2 with lines linewidth 2.4 dashtype 3 linecolor rgb 'black' \
       title sprintf('V_c = %.2g, where the safe region ends', THRESHOLD), \
     FADE using 1:2:(225):(225):(225):3 with rgbalpha notitle, \
     'hazards' with circles fillstyle empty border linecolor rgb '#202020' linewidth 1.4 notitle, \
     'goal' with circles fillstyle empty border linecolor rgb GOAL linewidth 1.4 notitle, \
     NaN with points pointtype 5 pointsize 1.6 linecolor rgb '#e1e1e1' title FADE_TITLE
)gp";

ScatterMark mark(const DrawnPolicy& policy, std::size_t look) {
  return {policy.name, look, look, {mean(policy.costs), {}}, {mean(policy.returns), {}}};
}

std::string paths(const DrawnPolicy& policy) {
  std::ostringstream out;
  for (const std::vector<float>& path : policy.paths) {
    for (std::size_t i = 0; i + 1 < path.size(); i += 2) out << path[i] << ' ' << path[i + 1] << '\n';
    out << '\n';
  }
  return out.str();
}

std::string starts(const DrawnPolicy& policy) {
  std::ostringstream out;
  for (const std::vector<float>& path : policy.paths) out << path[0] << ' ' << path[1] << '\n';
  return out.str();
}

std::string circle(const Disc& disc) {
  std::ostringstream out;
  out << disc.center.x << ' ' << disc.center.y << ' ' << disc.radius << '\n';
  return out.str();
}

std::string hazards() {
  std::string circles;
  for (const Disc& hazard : reach_avoid::kHazards) circles += circle(hazard);
  return circles;
}

/// x of column i of a map, or y of row i.
float place(const CostMap& map, int i) {
  return -1.0f + 2.0f * static_cast<float>(i) / static_cast<float>(map.size - 1);
}

// gnuplot's binary matrix: the number of columns and their x, then for each row its y and values.
std::string binary_matrix(const CostMap& map) {
  const auto size = static_cast<std::size_t>(map.size);
  std::string bytes;
  const auto put = [&](float value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof value); };
  put(static_cast<float>(size));
  for (int j = 0; j < map.size; ++j) put(place(map, j));
  for (std::size_t i = 0; i < size; ++i) {
    put(place(map, static_cast<int>(i)));
    for (std::size_t j = 0; j < size; ++j) put(map.values[i * size + j]);
  }
  return bytes;
}

/// Of each point of a map: x, y, and how opaque the grey of missing data is there, up to 255.
std::string fade(const CostMap& map) {
  std::ostringstream out;
  for (int i = 0; i < map.size; ++i)
    for (int j = 0; j < map.size; ++j) {
      const float known = map.coverage.empty() ? 1 : map.coverage[static_cast<std::size_t>(i * map.size + j)];
      out << place(map, j) << ' ' << place(map, i) << ' ' << std::lround(255 * (1 - known)) << '\n';
    }
  return out.str();
}

[[noreturn]] void fail(const std::string& what) { throw InvalidArgument("a picture's data: " + what); }

void check(const CostMap& map) {
  const auto size = static_cast<std::size_t>(std::max(map.size, 0));
  if (size < 2 || map.values.size() != size * size) fail("a map must be [size, size], at least 2 x 2");
  if (!map.coverage.empty() && map.coverage.size() != size * size)
    fail("a map's coverage must be of its size");
}

void check_path(const std::vector<float>& path) {
  if (path.size() < 2 || path.size() % 2 != 0) fail("a path must be pairs of x and y");
}

void check(const ReachAvoidFigure& figure) {
  check(figure.map);
  if (figure.data.returns.empty() || figure.data.returns.size() != figure.data.costs.size())
    fail("the data must have a return and a cost per episode");
  for (const DrawnPolicy& policy : figure.policies) {
    if (policy.returns.empty() || policy.returns.size() != policy.costs.size())
      fail("a policy needs a return and a cost per episode");
    std::ranges::for_each(policy.paths, check_path);
  }
}

/// The colour scale ends at the 99th percentile of what is drawn: a few extreme corners shall not bleach the
/// rest.
float top_of_scale(const CostMap& map) {
  std::vector<float> sorted;
  for (std::size_t i = 0; i < map.values.size(); ++i)
    if (map.coverage.empty() || map.coverage[i] > 0.5f) sorted.push_back(map.values[i]);
  if (sorted.empty()) return 0.1f;
  std::ranges::sort(sorted);
  return std::max(sorted[sorted.size() * 99 / 100], 0.1f);
}

/// A panel with a map, its line and where data support it; adds its files, named with the number. title  any
/// text
std::string map_panel(const std::string& place, const std::string& title, const CostMap& map,
                      std::size_t number, std::map<std::string, std::string>& files) {
  const std::string n = std::to_string(number);
  files["map" + n] = binary_matrix(map);
  files["fade" + n] = fade(map);
  std::ostringstream out;
  out << "MAP = 'map" << n << "'; CONTOUR = 'contour" << n << "'; FADE = 'fade" << n << "'; FADE_TITLE = '"
      << (map.coverage.empty() ? "" : "no data") << "'; THRESHOLD = " << map.threshold << kContour << place
      << "set title " << gnuplot_string(title) << " noenhanced offset 0,-0.3\n"
      << kMapPanel;
  return out.str();
}

/// The colours of a map in numbers, right of its panel.
std::string color_scale(const Canvas& canvas, int left, int top, int height) {
  const auto x = [&](int pixel) { return static_cast<double>(pixel) / canvas.width; };
  const auto y = [&](int pixel) { return static_cast<double>(pixel) / canvas.height; };
  std::ostringstream out;
  out << "set colorbox user origin screen " << x(left) << ", screen " << 1 - y(top + height)
      << " size screen " << x(14) << ", screen " << y(height)
      << "\nset cblabel 'V_c, in discounted cost' offset 0.3,0\n";
  return out.str();
}

/// A panel with what a policy did; adds its files, named with the number.
std::string paths_panel(const std::string& place, const DrawnPolicy& policy, std::size_t number,
                        std::map<std::string, std::string>& files) {
  const std::string n = std::to_string(number),
                    color = "linecolor rgb '" + line_color(kPolicyLooks[number]) + "'";
  files["paths" + n] = paths(policy);
  files["starts" + n] = starts(policy);
  char scores[64];
  std::snprintf(scores, sizeof scores, ": return %.1f, cost %.1f", mean(policy.returns), mean(policy.costs));
  std::ostringstream out;
  out << place << "set title " << gnuplot_string(policy.name + scores) << " noenhanced offset 0,-0.3\nplot "
      << kScene << ", 'paths" << n << "' using 1:2 with lines linewidth 1.3 " << color << " notitle, 'starts"
      << n << "' using 1:2 with points pointtype 7 pointsize 0.55 " << color << " notitle\n";
  return out.str();
}

}  // namespace

void draw_reach_avoid_figure(const std::string& png_path, const ReachAvoidFigure& figure) {
  constexpr int kSide = 470, kTop = 46, kBelow = 64, kKey = 78;
  constexpr std::array kLefts = {75, 725, 1270};
  check(figure);
  const Canvas canvas{kLefts.back() + kSide + 20, 2 * (kTop + kSide + kBelow)};
  const auto place = [&](std::size_t column, int row, int shorter = 0) {
    return panel_place(canvas, kLefts[column], row * (kTop + kSide + kBelow) + kTop, kSide, kSide - shorter);
  };
  std::map<std::string, std::string> files = {{"hazards", hazards()}, {"goal", circle(reach_avoid::kGoal)}};
  Scatter scatter{figure.data, {}, {figure.cost_limit}};
  for (std::size_t i = 0; i < figure.policies.size(); ++i)
    scatter.marks.push_back(mark(figure.policies[i], kPolicyLooks[i]));
  std::ostringstream script;
  script << style() << kScatterStyle << "set key at screen " << 60.0 / canvas.width << ", screen "
         << 1 - static_cast<double>(kTop + kSide - 15) / canvas.height << '\n'
         << place(0, 0, kKey) << scatter_panel(scatter, files) << kArenaStyle;
  for (std::size_t i = 0; i < figure.policies.size(); ++i)
    script << paths_panel(place(1 + i % 2, static_cast<int>(i / 2)), figure.policies[i], i, files);
  script << "MAP_MAX = " << top_of_scale(figure.map) << kMapStyle
         << color_scale(canvas, kLefts[0] + kSide + 15, 2 * kTop + kSide + kBelow, kSide)
         << map_panel(place(0, 1), "Cost ahead of a robot driving right, estimated by " + figure.estimator,
                      figure.map, 0, files)
         << "unset multiplot\n";
  draw_with_gnuplot({png_path}, canvas, script.str(), files);
}

namespace {

constexpr char kArena[] = R"gp(
unset key; unset tics; set size ratio -1
set xrange [-1:1]; set yrange [-1:1]
set label 1 'goal' at 0.80,-0.27 center front textcolor rgb GOAL
)gp";

/// Of each step: x, y, its number, whether it lies within a hazard. A blank line ends an episode.
std::string steps(const std::vector<std::vector<float>>& paths) {
  std::ostringstream out;
  for (const std::vector<float>& path : paths) {
    for (std::size_t i = 0; i + 1 < path.size(); i += 2)
      out << path[i] << ' ' << path[i + 1] << ' ' << i / 2 << ' '
          << (reach_avoid::hazard_clearance({path[i], path[i + 1]}) < 0) << '\n';
    out << '\n';
  }
  return out.str();
}

/// Mean over episodes of the steps within a hazard, from the second position to that of step `last`.
double cost_until(const std::vector<std::vector<float>>& paths, std::size_t last) {
  double sum = 0;
  for (const std::vector<float>& path : paths)
    for (std::size_t i = 1; i <= last && 2 * i + 1 < path.size(); ++i)
      sum += reach_avoid::hazard_clearance({path[2 * i], path[2 * i + 1]}) < 0;
  return sum / static_cast<double>(paths.size());
}

}  // namespace

std::vector<std::vector<float>> paths_of(const EvaluationResult& result) {
  std::vector<std::vector<float>> paths;
  for (const EpisodeResult& episode : result.episodes) {
    std::vector<float>& path = paths.emplace_back();
    for (std::size_t i = 0; i < episode.observations.size(); i += reach_avoid::kObservationDim)
      path.insert(path.end(), {episode.observations[i], episode.observations[i + 1]});
  }
  return paths;
}

AnimatedPolicy animated(std::string title, const EvaluationResult& result, std::size_t most) {
  AnimatedPolicy policy{std::move(title), paths_of(result)};
  policy.paths.resize(std::min(policy.paths.size(), most));
  return policy;
}

void animate_reach_avoid(const std::vector<std::string>& paths, const std::vector<AnimatedPolicy>& policies) {
  constexpr std::size_t kStepsOfFrame = 2, kTail = 12;
  constexpr int kSide = 300, kGap = 12, kTop = 34;
  if (policies.empty()) fail("there is no policy");
  std::map<std::string, std::string> files = {{"hazards", hazards()}, {"goal", circle(reach_avoid::kGoal)}};
  std::size_t end = 0;
  for (std::size_t i = 0; i < policies.size(); ++i) {
    if (policies[i].paths.empty()) fail("a policy needs an episode");
    for (const auto& path : policies[i].paths) {
      check_path(path);
      end = std::max(end, path.size() / 2);
    }
    files["steps" + std::to_string(i)] = steps(policies[i].paths);
  }
  const int count = static_cast<int>(policies.size());
  const Canvas canvas{count * kSide + (count + 1) * kGap, kTop + kSide + kGap};
  std::ostringstream script;
  script.precision(3);
  script << "GOAL = '" << line_color(kGoalLook) << "'\n" << kArena;
  const std::size_t frames = (end - 1) / kStepsOfFrame + 1;
  for (std::size_t frame = 0; frame < frames; ++frame) {
    const std::size_t step = frame * kStepsOfFrame;
    script << "set multiplot\n";
    for (std::size_t i = 0; i < policies.size(); ++i) {
      const double left = static_cast<double>(kGap + static_cast<int>(i) * (kSide + kGap)) / canvas.width;
      const std::string file = "'steps" + std::to_string(i) + "'", now = std::to_string(step);
      char cost[32];
      std::snprintf(cost, sizeof cost, ": cost %.1f", cost_until(policies[i].paths, step));
      script << "set lmargin at screen " << left << "; set rmargin at screen "
             << left + static_cast<double>(kSide) / canvas.width << "; set bmargin at screen "
             << static_cast<double>(kGap) / canvas.height << "; set tmargin at screen "
             << static_cast<double>(kGap + kSide) / canvas.height << "\nset title "
             << gnuplot_string(policies[i].title + cost)
             << " noenhanced offset 0,-0.5\nplot 'hazards' with circles fillstyle solid 0.25 border "
                "linecolor rgb "
                "'#202020' fillcolor rgb '#404040', 'goal' with circles fillstyle solid 0.45 border "
                "linecolor rgb GOAL "
                "fillcolor rgb GOAL, "
             << file << " using ($3<=" << now << " && $3>=" << (step > kTail ? step - kTail : 0)
             << " ? $1 : 1/0):2 with lines linewidth 1 linecolor rgb '#6080c0', " << file
             << " using ($3==" << now
             << " && $4==0 ? $1 : 1/0):2 with points pointtype 7 pointsize 1 linecolor rgb '#1f4e9c', "
             << file << " using ($3==" << now
             << " && $4==1 ? $1 : 1/0):2 with points pointtype 7 pointsize 1 linecolor rgb '#d01c1c'\n";
    }
    script << "unset multiplot\n";
  }
  draw_with_gnuplot(paths, canvas, script.str(), files);
}

void draw_cost_maps(const std::vector<std::string>& paths, const std::vector<TitledMap>& maps) {
  constexpr std::size_t kColumns = 3;
  constexpr int kSide = 470, kLeft = 95, kGap = 85, kTop = 45, kBottom = 60, kRight = 100;
  if (maps.empty()) fail("there is no map");
  float top = 0;
  for (const TitledMap& titled : maps) {
    check(titled.map);
    top = std::max(top, top_of_scale(titled.map));
  }
  const int columns = static_cast<int>(std::min(maps.size(), kColumns));
  const int rows = static_cast<int>((maps.size() + kColumns - 1) / kColumns);
  const Canvas canvas{kLeft + columns * kSide + (columns - 1) * kGap + kRight,
                      rows * (kTop + kSide + kBottom)};
  std::map<std::string, std::string> files = {{"hazards", hazards()}, {"goal", circle(reach_avoid::kGoal)}};
  std::ostringstream script;
  script << style() << kArenaStyle << "MAP_MAX = " << top << kMapStyle;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const int left = kLeft + static_cast<int>(i % kColumns) * (kSide + kGap);
    const int above = static_cast<int>(i / kColumns) * (kTop + kSide + kBottom) + kTop;
    script << (i + 1 == static_cast<std::size_t>(columns)
                   ? color_scale(canvas, left + kSide + 15, above, kSide)
                   : "unset colorbox\n")
           << map_panel(panel_place(canvas, left, above, kSide, kSide), maps[i].title, maps[i].map, i, files);
  }
  script << "unset multiplot\n";
  draw_with_gnuplot(paths, canvas, script.str(), files);
}

}  // namespace r2pac
