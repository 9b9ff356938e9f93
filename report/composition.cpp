#include "report/composition.h"

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "report/chart.h"
#include "report/text.h"

namespace r2pac {
namespace {

constexpr std::size_t kMostColumns = 4;
constexpr int kLeft = 104, kWidth = 280, kRight = 40, kTop = 46, kHeight = 220, kBottom = 64;

std::string panel_title(const DataPanel& panel) {
  const auto within =
      std::ranges::count_if(panel.cloud.costs, [&](double cost) { return cost <= panel.cost_limit; });
  const auto all = static_cast<double>(panel.cloud.costs.size());
  return panel.title + ": " + fixed_text(100 * static_cast<double>(within) / all, 0) + " % of " +
         std::to_string(panel.cloud.costs.size()) + " within";
}

}  // namespace

void draw_composition(const std::vector<std::string>& paths, const std::string& title,
                      const std::vector<DataPanel>& panels) {
  if (panels.empty() ||
      std::ranges::any_of(panels, [](const DataPanel& panel) { return panel.cloud.costs.empty(); }))
    throw InvalidArgument("draw_composition: every panel needs an episode");
  const std::size_t columns = std::min(panels.size(), kMostColumns),
                    rows = (panels.size() + columns - 1) / columns;
  constexpr std::size_t kEntries = 2;  // of scatter_panel()'s key without marks
  const int across = kLeft + kWidth + kRight, down = kTop + kHeight + kBottom,
            above = Heading::height(kEntries);
  const Canvas canvas{static_cast<int>(columns) * across, above + static_cast<int>(rows) * down};
  std::map<std::string, std::string> files;
  std::ostringstream script;
  script << kChartStyle << Heading::script(title, canvas, kEntries);
  for (std::size_t i = 0; i < panels.size(); ++i) {
    const DataPanel& panel = panels[i];
    script << panel_place(canvas, static_cast<int>(i % columns) * across + kLeft,
                          above + static_cast<int>(i / columns) * down + kTop, kWidth, kHeight)
           << "unset arrow\nset title " << gnuplot_string(panel_title(panel))
           << " noenhanced offset 0,-0.5\n";
    Scatter scatter;
    scatter.cloud = panel.cloud;
    scatter.limits = {panel.cost_limit};
    scatter.prefix = std::to_string(i) + "-";
    script << scatter_panel(scatter, files);
    if (i == 0) script << Heading::clear;
  }
  script << "unset multiplot\n";
  draw_with_gnuplot(paths, canvas, script.str(), files);
}

}  // namespace r2pac
