// Panels of lines with bands, side by side below a common title and key, as a script for gnuplot.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "report/gnuplot.h"

namespace r2pac {

/// A point of a line: mean, least and greatest of several curves. In a plain line all three are equal.
struct BandPoint {
  double x = 0, mean = 0, low = 0, high = 0;
};
using Band = std::vector<BandPoint>;

/// A mean of several values as a bar, with a whisker from `low` to `high` where they differ.
struct MeanBar {
  double mean = 0, low = 0, high = 0;
};

/// One diagram with at least one point. Markup such as V_c in its y_label is applied, and in its title unless
/// that is plain.
struct Panel {
  std::string title, y_label;
  std::vector<Band> lines = {};   ///< one per entry of the chart's key; may be empty
  std::vector<Band> dashed = {};  ///< a second line per entry, or none at all
  bool logarithmic = false;       ///< where the values are positive and span more than a decade
  bool share = false;             ///< the axis is [0, 1]
  bool limit = false;             ///< a dashed black line at 1, which the key explains
  /// The axis is one of costs as multiples of the limit: see cost_height(). Costs below 0 are drawn at 0.
  bool cost = false;
  std::vector<std::optional<MeanBar>> bars =
      {};                    ///< one per entry of the key, in place of lines; or none at all
  bool plain_title = false;  ///< no markup in the title, which may be any text
};

/// Size of a chart's panels in pixels: the diagram itself, and its left margin.
struct PanelSize {
  int width = 370, height = 240, left = 96;
};

struct Chart {
  std::string title;             ///< any text
  std::vector<std::string> key;  ///< any text, one per line
  std::string limit_text;        ///< in the key, for the panels' limit; "" for none
  std::string x_label;           ///< below panels of lines
  std::size_t columns = 3;
  std::vector<Panel> panels;            ///< row by row; a place stays empty where a Panel is as by default
  std::vector<std::size_t> looks = {};  ///< number of each entry's line_style(); none: its place in the key
  PanelSize size = {};
};

bool has_points(const Panel& panel);

/// Draws the chart into files (.png, .pdf, .svg). Throws InvalidArgument without a panel, for one with a
/// title but without a point, and as draw_with_gnuplot().
void draw_chart(const std::vector<std::string>& paths, const Chart& chart);

/// Where a cost, as a multiple of its limit, stands on an axis that shows both 0 and 100: the number itself
/// up to 1, which is the limit, and 1 + log10 of it above.
double cost_height(double cost);

/// Colour i, "#rrggbb". Six colours, which colour-blind readers can tell apart, are used in turn.
std::string line_color(std::size_t i);
/// Colour i and what else tells line i from others of that colour, as options of a line in gnuplot.
std::string line_style(std::size_t i);

/// What a picture has above its panels: the title on the left, below it the key, one entry a row.
struct Heading {
  static constexpr int kTitle = 42, kEntry = 24;
  static int height(std::size_t entries) { return kTitle + static_cast<int>(entries) * kEntry + 8; }
  /// The commands, for the first panel of a picture of that size; `clear` takes the title off again.
  static std::string script(const std::string& title, const Canvas& canvas, std::size_t entries);
  static constexpr const char* clear = "unset label 1; unset key\n";
};

/// Commands that put the next panel's axes at pixels counted from the left and from the top.
std::string panel_place(const Canvas& canvas, int left, int top, int width, int height);

/// Style that all charts share.
extern const char* const kChartStyle;

}  // namespace r2pac
