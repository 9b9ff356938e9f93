// Pictures, drawn by the program gnuplot.
#pragma once

#include <string>
#include <vector>

namespace r2pac {

/// What a policy did in a number of episodes.
struct DrawnPolicy {
  std::vector<float> returns, costs;      ///< [episodes]
  std::vector<std::vector<float>> paths;  ///< per episode: x, y of each step, flattened
};

/// Everything in the figure of the reach-avoid task.
struct ReachAvoidFigure {
  std::vector<float> data_returns, data_costs;  ///< [episodes of the data set]
  float cost_limit = 0;                         ///< cost per episode
  DrawnPolicy cloning, r2pac;
  /// V_c on a grid over the arena, edges included, in units of discounted cost: [map_size, map_size], row i
  /// at y = -1 + 2 i / (map_size - 1), column j at x likewise.
  int map_size = 0;
  std::vector<float> cost_values;
  float threshold = 0;  ///< l: the line between safe and unsafe
};

/// Draws three panels into a PNG file: the data's episodes by cost and return with the means of both
/// policies; then the paths of cloning and of R2PAC over the geometry and the map of V_c, with its line at
/// the threshold. Throws InvalidArgument when a size does not fit, and Error(ExitCode::disk) when gnuplot is
/// missing or fails or the file cannot be written.
void draw_reach_avoid_map(const std::string& png_path, const ReachAvoidFigure& figure);

}  // namespace r2pac
