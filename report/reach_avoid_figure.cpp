#include "report/reach_avoid_figure.h"

#include <algorithm>
#include <cstdio>
#include <sstream>
#include <utility>

#include "base/error.h"
#include "base/statistics.h"
#include "envs/reach_avoid.h"
#include "report/chart.h"

namespace r2pac {

namespace {

/// Which line_color() each has.
constexpr std::size_t kR2pacLook = 0, kCloningLook = 1, kGoalLook = 2;

std::string style() {
  return "set multiplot\nset border linecolor rgb '#606060'\nset tics nomirror out scale 0.6\nCLONING = '" +
         line_color(kCloningLook) + "'\nR2PAC = '" + line_color(kR2pacLook) + "'\nGOAL = '" +
         line_color(kGoalLook) + "'\n";
}

constexpr char kScatterFrame[] = R"gp(
set lmargin at screen 0.045; set rmargin at screen 0.315
set bmargin at screen 0.125; set tmargin at screen 0.895
set title 'Episodes of the data, and both policies' offset 0,-0.3
set key bottom right box linecolor rgb '#c0c0c0' opaque font ',12'
set key samplen 1.4 spacing 1.15 width 0.5 height 0.4
set grid linecolor rgb '#e8e8e8' linetype 1
)gp";

constexpr char kMapStyle[] = R"gp(
unset arrow; unset grid; unset key
set xrange [-1:1]; set yrange [-1:1]
set xtics -1,0.5,1; set ytics -1,0.5,1
set xlabel 'x' offset 0,0.4
unset ylabel
set label 1 'goal' at 0.80,-0.27 center front textcolor rgb GOAL
set label 2 'hazards' at 0,-0.72 center front textcolor rgb '#202020'
set cbrange [0:MAP_MAX]
set palette defined (0 '#ffffff', 0.35 '#e4dcef', 0.7 '#b7a3d3', 1 '#8a6fb8')
set key bottom right box samplen 1.6 width 0 font ',12'
)gp";

// The line at the threshold, as a table of points; left out where the map never meets it.
constexpr char kContour[] = R"gp(
set contour base; set cntrparam levels discrete THRESHOLD; unset surface
set table CONTOUR
splot MAP binary matrix using 1:2:3 notitle
unset table
unset contour; set surface
)gp";

// One map: its file and that of its line, below what a policy did, if anything.
constexpr char kMapPanel[] = R"gp(
plot MAP binary matrix using 1:2:3 with image notitle, \
     'hazards' with circles fillstyle transparent solid 0.10 border linecolor rgb '#202020' \
       linewidth 1.4 fillcolor rgb '#404040' notitle, \
     'goal' with circles fillstyle transparent solid 0.45 border linecolor rgb GOAL \
       linewidth 1.4 fillcolor rgb GOAL notitle, \
     CONTOUR using 1:2 with lines linewidth 2.4 dashtype 3 linecolor rgb 'black' title 'V_c = l')gp";

// The policy's paths (files) and colour, on a map.
constexpr char kPathsClause[] = R"gp(, \
     PATHS using 1:2 with lines linewidth 1.3 linecolor rgb COLOR notitle, \
     STARTS using 1:2 with points pointtype 7 pointsize 0.55 linecolor rgb COLOR notitle
)gp";

ScatterMark mark(const std::string& name, std::size_t look, const DrawnPolicy& policy) {
  return {name, look, look, {mean(policy.costs), {}}, {mean(policy.returns), {}}};
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

// gnuplot's binary matrix: the number of columns and their x, then for each row its y and values.
std::string binary_matrix(const CostMap& map) {
  const auto size = static_cast<std::size_t>(map.size);
  std::string bytes;
  const auto put = [&](float value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof value); };
  const auto place = [&](std::size_t i) {
    return -1.0f + 2.0f * static_cast<float>(i) / static_cast<float>(size - 1);
  };
  put(static_cast<float>(size));
  for (std::size_t j = 0; j < size; ++j) put(place(j));
  for (std::size_t i = 0; i < size; ++i) {
    put(place(i));
    for (std::size_t j = 0; j < size; ++j) put(map.values[i * size + j]);
  }
  return bytes;
}

[[noreturn]] void fail(const std::string& what) { throw InvalidArgument("a picture's data: " + what); }

void check(const CostMap& map) {
  const auto size = static_cast<std::size_t>(std::max(map.size, 0));
  if (size < 2 || map.values.size() != size * size) fail("a map must be [size, size], at least 2 x 2");
}

void check_path(const std::vector<float>& path) {
  if (path.size() < 2 || path.size() % 2 != 0) fail("a path must be pairs of x and y");
}

void check(const ReachAvoidFigure& figure) {
  check(figure.map);
  if (figure.data.returns.empty() || figure.data.returns.size() != figure.data.costs.size())
    fail("the data must have a return and a cost per episode");
  for (const DrawnPolicy* policy : {&figure.cloning, &figure.r2pac}) {
    if (policy->returns.empty() || policy->returns.size() != policy->costs.size())
      fail("a policy needs a return and a cost per episode");
    std::ranges::for_each(policy->paths, check_path);
  }
}

/// The colour scale ends at the map's 99th percentile: a few extreme corners shall not bleach the rest.
float top_of_scale(const CostMap& map) {
  std::vector<float> sorted = map.values;
  std::ranges::sort(sorted);
  return std::max(sorted[sorted.size() * 99 / 100], 0.1f);
}

/// The commands that work out the line of a map in the files map<number> and contour<number>.
std::string contour(const CostMap& map, std::size_t number) {
  std::ostringstream out;
  out << "MAP = 'map" << number << "'; CONTOUR = 'contour" << number << "'; THRESHOLD = " << map.threshold
      << kContour;
  return out.str();
}

std::string map_panel(const char* place, const char* title, const DrawnPolicy& policy, const char* stem,
                      const char* color) {
  std::ostringstream out;
  out.precision(1);
  out << std::fixed << place << "set title '" << title << ": return " << mean(policy.returns) << ", cost "
      << mean(policy.costs) << "' offset 0,-0.3\nCOLOR = " << color << "\nPATHS = 'paths_" << stem
      << "'\nSTARTS = 'starts_" << stem << "'" << kMapPanel << kPathsClause;
  return out.str();
}

}  // namespace

void draw_reach_avoid_map(const std::string& png_path, const ReachAvoidFigure& figure) {
  check(figure);
  std::map<std::string, std::string> files = {{"paths_cloning", paths(figure.cloning)},
                                              {"paths_r2pac", paths(figure.r2pac)},
                                              {"starts_cloning", starts(figure.cloning)},
                                              {"starts_r2pac", starts(figure.r2pac)},
                                              {"hazards", hazards()},
                                              {"goal", circle(reach_avoid::kGoal)},
                                              {"map0", binary_matrix(figure.map)}};
  const Scatter scatter{
      figure.data,
      {mark("cloning, mean", kCloningLook, figure.cloning), mark("R2PAC, mean", kR2pacLook, figure.r2pac)},
      {figure.cost_limit}};
  std::ostringstream script;
  script << style() << kScatterFrame << scatter_panel(scatter, files)
         << "MAP_MAX = " << top_of_scale(figure.map) << kMapStyle << contour(figure.map, 0)
         << map_panel("set lmargin at screen 0.360; set rmargin at screen 0.635; unset colorbox\n", "Cloning",
                      figure.cloning, "cloning", "CLONING")
         << map_panel(
                "set lmargin at screen 0.660; set rmargin at screen 0.935\nset format y ''\n"
                "set colorbox user origin screen 0.945, screen 0.125 size screen 0.010, screen 0.77\n"
                "set cblabel 'V_c: least discounted cost ahead' offset 0.3,0\n",
                "R2PAC", figure.r2pac, "r2pac", "R2PAC")
         << "unset multiplot\n";
  draw_with_gnuplot({png_path}, {1720, 612}, script.str(), files);
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
  script << style() << "MAP_MAX = " << top << kMapStyle << "set ylabel 'y' offset 1.5,0\n";
  for (std::size_t i = 0; i < maps.size(); ++i) {
    const int left = kLeft + static_cast<int>(i % kColumns) * (kSide + kGap);
    const int above = static_cast<int>(i / kColumns) * (kTop + kSide + kBottom) + kTop;
    const auto x = [&](int pixel) { return static_cast<double>(pixel) / canvas.width; };
    const auto y = [&](int pixel) { return 1 - static_cast<double>(pixel) / canvas.height; };
    files["map" + std::to_string(i)] = binary_matrix(maps[i].map);
    script << contour(maps[i].map, i) << "set lmargin at screen " << x(left) << "; set rmargin at screen "
           << x(left + kSide) << "; set tmargin at screen " << y(above) << "; set bmargin at screen "
           << y(above + kSide) << "\nset title " << gnuplot_string(maps[i].title)
           << " noenhanced offset 0,-0.3\n";
    if (i + 1 == static_cast<std::size_t>(columns))
      script << "set colorbox user origin screen " << x(left + kSide + 15) << ", screen " << y(above + kSide)
             << " size screen " << x(16) << ", screen " << 1 - y(kSide)
             << "\nset cblabel 'V_c: least discounted cost ahead' offset 0.3,0\n";
    else
      script << "unset colorbox\n";
    script << kMapPanel << '\n';
  }
  script << "unset multiplot\n";
  draw_with_gnuplot(paths, canvas, script.str(), files);
}

}  // namespace r2pac
