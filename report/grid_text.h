// A grid of methods as Markdown, LaTeX, HTML and CSV.
#pragma once

#include <string>

#include "report/method_grid.h"

namespace r2pac {

/// One column per method, "reward / cost". Bold: safe; ¹ best and ² second best of the safe; * unsafe.
std::string grid_markdown(const MethodGrid& grid);

/// A `tabular` for the packages booktabs, multirow and xcolor: grey, bold, red and blue, as the paper.
std::string grid_latex(const MethodGrid& grid);

/// A `table` element; its cells have the classes unsafe, safe, best, second or none. The spread over seeds is
/// each cell's title.
std::string grid_html(const MethodGrid& grid);
/// What the classes look like: the content of a `style` element.
std::string grid_style();

/// One line per task and method, numbers unrounded, without averages.
std::string grid_csv(const MethodGrid& grid);

}  // namespace r2pac
