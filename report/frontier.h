// What one policy earns and costs under several cost limits.
#pragma once

#include <string>
#include <vector>

namespace r2pac {

struct FrontierPoint {
  double limit;                    ///< kappa, per episode
  double return_mean, return_std;  ///< over episodes, undiscounted
  double cost_mean, cost_std;
};

/// Return and cost over the limits, with the deviations of episodes. Throws as draw_chart().
void draw_frontier(const std::vector<std::string>& paths, const std::vector<FrontierPoint>& points,
                   const std::string& title);

}  // namespace r2pac
