#include "report/chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "base/error.h"

namespace r2pac {
namespace {

constexpr std::array<const char*, 6> kColors = {"#0072B2", "#D55E00", "#009E73",
                                                "#CC79A7", "#E69F00", "#56B4E9"};

constexpr int kLeft = 96, kWidth = 370, kRight = 20, kTop = 38, kHeight = 240, kBottom = 62;

std::string band_file(const Band& band) {
  std::ostringstream out;
  out.precision(9);
  for (const BandPoint& p : band) out << p.x << ' ' << p.mean << ' ' << p.low << ' ' << p.high << '\n';
  return out.str();
}

/// Whether the values are positive and of so different sizes that a linear axis would hide the small ones.
bool spans_decades(const std::vector<Band>& lines) {
  double least = HUGE_VAL, greatest = 0;
  for (const Band& band : lines)
    for (const BandPoint& p : band) {
      least = std::min(least, p.low);
      greatest = std::max(greatest, p.high);
    }
  return least > 0 && greatest > 20 * least;
}

bool has_width(const Band& band) {
  return std::ranges::any_of(band, [](const BandPoint& p) { return p.low < p.high; });
}

/// The plot command of a panel, whose files go to `files` under names that begin with `stem`.
std::string plot_command(const Chart& chart, const Panel& panel, const std::string& stem, bool with_key,
                         std::map<std::string, std::string>& files) {
  std::vector<std::string> clauses;
  const auto draw = [&](const Band& band, std::size_t i, bool dashed) {
    if (band.empty()) return;
    const std::string name = stem + (dashed ? "d" : "l") + std::to_string(i);
    files[name] = band_file(band);
    const std::string color = " linecolor rgb '" + line_color(i) + "'";
    if (has_width(band))
      clauses.push_back("'" + name +
                        "' using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder" + color +
                        " notitle");
    // One lone point would be an invisible line.
    clauses.push_back(
        "'" + name + "' using 1:2 with " + (band.size() == 1 ? "points pointtype 7" : "lines") + color +
        (band.size() == 1 ? "" : " linewidth 2 dashtype " + std::to_string(dashed ? 3 : 1)) + " notitle");
  };
  for (std::size_t i = 0; i < panel.lines.size(); ++i) draw(panel.lines[i], i, false);
  for (std::size_t i = 0; i < panel.dashed.size(); ++i) draw(panel.dashed[i], i, true);
  if (panel.limit) clauses.push_back("1 with lines linewidth 1.8 dashtype 2 linecolor rgb 'black' notitle");
  if (with_key) {
    for (std::size_t i = 0; i < chart.key.size(); ++i)
      clauses.push_back("NaN with lines linewidth 3 linecolor rgb '" + line_color(i) + "' title " +
                        gnuplot_string(chart.key[i]));
    if (!chart.limit_text.empty())
      clauses.push_back("NaN with lines linewidth 1.8 dashtype 2 linecolor rgb 'black' title " +
                        gnuplot_string(chart.limit_text));
  }
  std::string command = "plot ";
  for (const std::string& clause : clauses)
    command += (&clause == clauses.data() ? "" : ", \\\n     ") + clause;
  return command + "\n";
}

}  // namespace

const char* const kChartStyle = R"gp(
set multiplot
set border 3 linecolor rgb '#606060'
set tics nomirror out scale 0.6
set grid linecolor rgb '#e8e8e8' linetype 1
set format '%g'
)gp";

std::string line_color(std::size_t i) { return kColors[i % kColors.size()]; }

std::string Heading::script(const std::string& title, const Canvas& canvas, std::size_t entries) {
  std::ostringstream out;
  const auto y = [&](int pixel) { return 1 - static_cast<double>(pixel) / canvas.height; };
  out << "set label 1 " << gnuplot_string(title) << " at screen " << 20.0 / canvas.width << ", screen "
      << y(kTitle / 2) << " left noenhanced font ',16'\nset key at screen " << 14.0 / canvas.width
      << ", screen " << y(kTitle - 4) << " left top vertical maxrows " << std::max<std::size_t>(entries, 1)
      << " Left reverse noenhanced nobox samplen 3 spacing 1.1\n";
  return out.str();
}

std::string panel_place(const Canvas& canvas, int left, int top, int width, int height) {
  const auto x = [&](int pixel) { return static_cast<double>(pixel) / canvas.width; };
  const auto y = [&](int pixel) { return 1 - static_cast<double>(pixel) / canvas.height; };
  std::ostringstream out;
  out << "set lmargin at screen " << x(left) << "; set rmargin at screen " << x(left + width)
      << "\nset tmargin at screen " << y(top) << "; set bmargin at screen " << y(top + height) << '\n';
  return out.str();
}

bool has_points(const Panel& panel) {
  const auto any = [](const std::vector<Band>& bands) {
    return std::ranges::any_of(bands, [](const Band& band) { return !band.empty(); });
  };
  return any(panel.lines) || any(panel.dashed);
}

void draw_chart(const std::vector<std::string>& paths, const Chart& chart) {
  if (chart.panels.empty() || !std::ranges::all_of(chart.panels, has_points))
    throw InvalidArgument("draw_chart: every panel needs a point");
  const std::size_t entries = chart.key.size() + (chart.limit_text.empty() ? 0 : 1);
  const std::size_t columns = std::min(chart.columns, chart.panels.size());
  const std::size_t rows = (chart.panels.size() + columns - 1) / columns;
  const int across = kLeft + kWidth + kRight, down = kTop + kHeight + kBottom,
            above = Heading::height(entries);
  const Canvas canvas{static_cast<int>(columns) * across, above + static_cast<int>(rows) * down};
  std::map<std::string, std::string> files;
  std::ostringstream script;
  script << kChartStyle << Heading::script(chart.title, canvas, entries) << "set xlabel "
         << gnuplot_string(chart.x_label) << " offset 0,0.4\n";
  for (std::size_t i = 0; i < chart.panels.size(); ++i) {
    const Panel& panel = chart.panels[i];
    const int left = static_cast<int>(i % columns) * across + kLeft;
    const int top = above + static_cast<int>(i / columns) * down + kTop;
    const bool logarithmic = panel.logarithmic && spans_decades(panel.lines);
    script << panel_place(canvas, left, top, kWidth, kHeight) << "set title " << gnuplot_string(panel.title)
           << " offset 0,-0.5\nset ylabel " << gnuplot_string(panel.y_label) << " offset 0.9,0\n"
           << (logarithmic ? "set logscale y; set format y '10^{%T}'\n"
                           : "unset logscale y; set format y '%g'\n")
           << (panel.share ? "set yrange [-0.03:1.03]\n" : "set yrange [*:*]\n")
           << (logarithmic ? "unset offsets\n" : "set offsets 0, 0, graph 0.05, graph 0.05\n")
           << plot_command(chart, panel, std::to_string(i) + "-", i == 0, files);
    if (i == 0) script << Heading::clear;
  }
  script << "unset multiplot\n";
  draw_with_gnuplot(paths, canvas, script.str(), files);
}

}  // namespace r2pac
