// Panels of lines with bands, side by side below a common title and key, as a script for gnuplot.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "report/gnuplot.h"

namespace r2pac {

/// A point of a line: mean, least and greatest of several curves. In a plain line all three are equal.
struct BandPoint {
  double x = 0, mean = 0, low = 0, high = 0;
};
using Band = std::vector<BandPoint>;

/// One diagram with at least one point. Its texts come from the program, so markup such as V_c is applied.
struct Panel {
  std::string title, y_label;
  std::vector<Band> lines = {};   ///< one per entry of the chart's key; may be empty
  std::vector<Band> dashed = {};  ///< a second line per entry, or none at all
  bool logarithmic = false;       ///< where the values are positive and span more than a decade
  bool share = false;             ///< the axis is [0, 1]
  bool limit = false;             ///< a dashed black line at 1, which the key explains
};

struct Chart {
  std::string title;             ///< any text
  std::vector<std::string> key;  ///< any text, one per line; colours follow its order
  std::string limit_text;        ///< in the key, for the panels' limit; "" for none
  std::string x_label;
  std::size_t columns = 3;
  std::vector<Panel> panels;
};

bool has_points(const Panel& panel);

/// Draws the chart into files (.png, .pdf). Throws InvalidArgument without a panel or for one without a
/// point, and as draw_with_gnuplot().
void draw_chart(const std::vector<std::string>& paths, const Chart& chart);

/// Colour of line i, "#rrggbb". Six colours, which colour-blind readers can tell apart, are used in turn.
std::string line_color(std::size_t i);

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
