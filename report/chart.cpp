#include "report/chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include "base/error.h"
#include "report/method_grid.h"
#include "settings/text_value.h"

namespace r2pac {
namespace {

constexpr std::array<const char*, 6> kColors = {"#0072B2", "#D55E00", "#009E73",
                                                "#CC79A7", "#E69F00", "#56B4E9"};

constexpr int kRight = 20, kTop = 38, kBottom = 62;
constexpr double kShownCost = 100;  // every axis of costs goes at least so far

/// A value of a panel as its axis shows it.
double height(const Panel& panel, double value) { return panel.cost ? cost_height(value) : value; }

std::string band_file(const Panel& panel, const Band& band) {
  std::ostringstream out;
  out.precision(9);
  for (const BandPoint& p : band)
    out << p.x << ' ' << height(panel, p.mean) << ' ' << height(panel, p.low) << ' ' << height(panel, p.high)
        << '\n';
  return out.str();
}

std::string bar_file(const Panel& panel, const MeanBar& bar, std::size_t place) {
  std::ostringstream out;
  out.precision(9);
  out << place << ' ' << height(panel, bar.mean) << ' ' << height(panel, bar.low) << ' '
      << height(panel, bar.high) << '\n';
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

/// Number of the line_style() of an entry of the key.
std::size_t look_of(const Chart& chart, std::size_t entry) {
  return entry < chart.looks.size() ? chart.looks[entry] : entry;
}

/// The clauses of a plot command that draw a panel's lines or bars, whose files go to `files` under names
/// that begin with `stem`.
std::vector<std::string> drawn_clauses(const Chart& chart, const Panel& panel, const std::string& stem,
                                       std::map<std::string, std::string>& files) {
  std::vector<std::string> clauses;
  const auto draw = [&](const Band& band, std::size_t i, bool dashed) {
    if (band.empty()) return;
    const std::string name = stem + (dashed ? "d" : "l") + std::to_string(i);
    const std::size_t look = look_of(chart, i);
    const std::string color = " linecolor rgb '" + line_color(look) + "'";
    files[name] = band_file(panel, band);
    if (has_width(band))
      clauses.push_back("'" + name +
                        "' using 1:3:4 with filledcurves fillstyle transparent solid 0.18 noborder" + color +
                        " notitle");
    // One lone point would be an invisible line.
    clauses.push_back("'" + name + "' using 1:2 with " +
                      (band.size() == 1 ? "points pointtype 7" + color
                       : dashed         ? "lines linewidth 2 dashtype 3" + color
                                        : "lines linewidth 2" + line_style(look)) +
                      " notitle");
  };
  for (std::size_t i = 0; i < panel.lines.size(); ++i) draw(panel.lines[i], i, false);
  for (std::size_t i = 0; i < panel.dashed.size(); ++i) draw(panel.dashed[i], i, true);
  for (std::size_t i = 0; i < panel.bars.size(); ++i) {
    if (!panel.bars[i]) continue;
    const std::string name = stem + "b" + std::to_string(i);
    files[name] = bar_file(panel, *panel.bars[i], i);
    clauses.push_back("'" + name + "' using 1:2 with boxes linecolor rgb '" + line_color(look_of(chart, i)) +
                      "' fillstyle " + (look_of(chart, i) < kColors.size() ? "solid 0.75" : "pattern 4") +
                      " border notitle");
    if (panel.bars[i]->low < panel.bars[i]->high)  // error bars of gnuplot have a white spot at the mean
      clauses.push_back(
          "'" + name +
          "' using 1:3:(0):($4-$3) with vectors heads size graph 0.02,90 linewidth 1.6 linecolor "
          "rgb '#202020' notitle");
  }
  return clauses;
}

/// The plot command of a panel.
std::string plot_command(const Chart& chart, const Panel& panel, const std::string& stem, bool with_key,
                         std::map<std::string, std::string>& files) {
  std::vector<std::string> clauses = drawn_clauses(chart, panel, stem, files);
  if (panel.limit) clauses.push_back("1 with lines linewidth 1.8 dashtype 2 linecolor rgb 'black' notitle");
  if (with_key) {
    for (std::size_t i = 0; i < chart.key.size(); ++i)
      clauses.push_back("NaN with lines linewidth 3" + line_style(look_of(chart, i)) + " title " +
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

/// What a panel shows along one of its axes.
struct Extent {
  double least = HUGE_VAL, greatest = -HUGE_VAL;
  void add(double value) {
    least = std::min(least, value);
    greatest = std::max(greatest, value);
  }
  bool has_width() const { return least < greatest && std::isfinite(greatest - least); }
};

Extent x_extent(const Panel& panel) {
  Extent x;
  for (const auto* bands : {&panel.lines, &panel.dashed})
    for (const Band& band : *bands)
      for (const BandPoint& p : band) x.add(p.x);
  return x;
}

Extent y_extent(const Panel& panel) {
  Extent y;
  for (const auto* bands : {&panel.lines, &panel.dashed})
    for (const Band& band : *bands)
      for (const BandPoint& p : band) {
        y.add(p.low);
        y.add(p.high);
      }
  for (const std::optional<MeanBar>& bar : panel.bars) {
    if (!bar) continue;
    y.add(0);
    y.add(bar->low);
    y.add(bar->high);
  }
  return y;
}

/// The distance of tics for at most six of them: 1, 2 or 5 times a power of ten.
std::string tics(const Extent& extent) {
  if (!extent.has_width()) return "autofreq";
  const double least = (extent.greatest - extent.least) / 5;
  const double decade = std::pow(10, std::floor(std::log10(least)));
  double step = 10 * decade;
  for (const double times : {5, 2, 1})
    if (times * decade >= least) step = times * decade;
  return format_number(step);
}

void put_x_axis(std::ostream& out, const Chart& chart, const Panel& panel) {
  if (panel.bars.empty()) {
    const Extent x = x_extent(panel);
    if (x.has_width())
      out << "set xrange [" << format_number(x.least) << ":" << format_number(x.greatest) << "]";
    else
      out << "set xrange [*:*]";
    out << "; set xtics " << tics(x) << "; set xlabel " << gnuplot_string(chart.x_label) << " offset 0,0.4\n";
    return;
  }
  out << "set xrange [-0.7:" << static_cast<double>(panel.bars.size()) - 0.3
      << "]; unset xlabel; set boxwidth 0.7\nset xtics (";
  for (std::size_t i = 0; i < panel.bars.size(); ++i)
    out << (i == 0 ? "'" : ", '") << (panel.bars[i] ? two_decimals(panel.bars[i]->mean) : "-") << "' " << i;
  out << ")\n";
}

void put_y_axis(std::ostream& out, const Panel& panel) {
  const bool logarithmic = panel.logarithmic && spans_decades(panel.lines);
  const Extent y = y_extent(panel);
  out << "set ylabel " << gnuplot_string(panel.y_label) << " offset 0.4,0\n"
      << (logarithmic ? "set logscale y; set format y '10^{%T}'\n" : "unset logscale y; set format y '%g'\n");
  if (panel.cost) {
    double decade = kShownCost;
    while (decade < y.greatest && decade < 1e300) decade *= 10;
    out << "set yrange [0:" << cost_height(decade) + 0.08 << "]; set ytics ('0' 0, '0.5' 0.5";
    for (double cost = 1; cost <= decade; cost *= 10) out << ", '" << cost << "' " << cost_height(cost);
    out << ")\n";
  } else {
    out << "set ytics " << (logarithmic || panel.share ? "autofreq" : tics(y)) << "\n"
        << (panel.share          ? "set yrange [-0.03:1.03]\n"
            : panel.bars.empty() ? "set yrange [*:*]\n"
                                 : "set yrange [*<0:0<*]\n");
  }
  out << (logarithmic || panel.cost ? "unset offsets\n" : "set offsets 0, 0, graph 0.05, graph 0.05\n");
}

/// A place that stays empty.
bool is_blank(const Panel& panel) { return panel.title.empty() && !has_points(panel); }

}  // namespace

const char* const kChartStyle = R"gp(
set multiplot
set border 3 linecolor rgb '#606060'
set tics nomirror out scale 0.6
set grid linecolor rgb '#e8e8e8' linetype 1
set format '%g'
)gp";

double cost_height(double cost) { return cost <= 1 ? std::max(cost, 0.0) : 1 + std::log10(cost); }

std::string line_color(std::size_t i) { return kColors[i % kColors.size()]; }

std::string line_style(std::size_t i) {
  constexpr std::array kDashes = {1, 4, 5};
  return " linecolor rgb '" + line_color(i) + "' dashtype " +
         std::to_string(kDashes[i / kColors.size() % kDashes.size()]);
}

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
  return any(panel.lines) || any(panel.dashed) ||
         std::ranges::any_of(panel.bars, [](const std::optional<MeanBar>& bar) { return bar.has_value(); });
}

void draw_chart(const std::vector<std::string>& paths, const Chart& chart) {
  if (!std::ranges::any_of(chart.panels, has_points) ||
      !std::ranges::all_of(chart.panels, [](const Panel& p) { return is_blank(p) || has_points(p); }))
    throw InvalidArgument("draw_chart: every panel needs a point");
  const std::size_t entries = chart.key.size() + (chart.limit_text.empty() ? 0 : 1);
  const std::size_t columns = std::min(chart.columns, chart.panels.size());
  const std::size_t rows = (chart.panels.size() + columns - 1) / columns;
  const int across = chart.size.left + chart.size.width + kRight, down = kTop + chart.size.height + kBottom,
            above = Heading::height(entries);
  const Canvas canvas{static_cast<int>(columns) * across, above + static_cast<int>(rows) * down};
  std::map<std::string, std::string> files;
  std::ostringstream script;
  script << kChartStyle << Heading::script(chart.title, canvas, entries);
  bool with_key = true;
  for (std::size_t i = 0; i < chart.panels.size(); ++i) {
    const Panel& panel = chart.panels[i];
    if (is_blank(panel)) continue;
    const int left = static_cast<int>(i % columns) * across + chart.size.left;
    const int top = above + static_cast<int>(i / columns) * down + kTop;
    script << panel_place(canvas, left, top, chart.size.width, chart.size.height) << "set title "
           << gnuplot_string(panel.title) << (panel.plain_title ? " noenhanced" : " enhanced")
           << " offset 0,-0.5\n";
    put_x_axis(script, chart, panel);
    put_y_axis(script, panel);
    script << plot_command(chart, panel, std::to_string(i) + "-", with_key, files);
    if (with_key) script << Heading::clear;
    with_key = false;
  }
  script << "unset multiplot\n";
  draw_with_gnuplot(paths, canvas, script.str(), files);
}

}  // namespace r2pac
