#include "report/frontier.h"

#include <algorithm>

#include "report/chart.h"

namespace r2pac {

void draw_frontier(const std::vector<std::string>& paths, const std::vector<FrontierPoint>& points,
                   const std::string& title) {
  Band earned, paid, allowed;
  for (const FrontierPoint& p : points) {
    earned.push_back({p.limit, p.return_mean, p.return_mean - p.return_std, p.return_mean + p.return_std});
    paid.push_back({p.limit, p.cost_mean, p.cost_mean - p.cost_std, p.cost_mean + p.cost_std});
    allowed.push_back({p.limit, p.limit, p.limit, p.limit});
  }
  for (Band* band : {&earned, &paid, &allowed}) std::ranges::sort(*band, {}, &BandPoint::x);
  Chart chart;
  chart.title = title;
  chart.key = {"mean and deviation of episodes; dotted: what the limit allows"};
  chart.x_label = "cost limit of an episode";
  chart.columns = 2;
  chart.panels = {{"return", "return of an episode", {earned}},
                  {"cost", "cost of an episode", {paid}, {allowed}}};
  draw_chart(paths, chart);
}

}  // namespace r2pac
