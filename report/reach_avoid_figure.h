// Pictures of the reach-avoid task: what policies did in the arena, and where they estimate it to be safe.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "envs/evaluate.h"
#include "report/scatter.h"

namespace r2pac {

/// What a policy did in a number of episodes.
struct DrawnPolicy {
  std::vector<double> returns, costs;     ///< [episodes]
  std::vector<std::vector<float>> paths;  ///< per episode: x, y of each step, flattened
};

/// V_c on a grid over the arena, edges included, in units of discounted cost.
struct CostMap {
  int size = 0;               ///< points along each side
  std::vector<float> values;  ///< [size, size]: row i at y = -1 + 2 i / (size - 1), column j at x likewise
  float threshold = 0;        ///< l: the line between safe and unsafe
};

/// Everything in the figure of the reach-avoid task.
struct ReachAvoidFigure {
  DataCloud data;
  double cost_limit = 0;  ///< cost per episode
  DrawnPolicy cloning, r2pac;
  CostMap map;  ///< of R2PAC
};

/// Draws three panels into a PNG file: the data's episodes by cost and return with the means of both
/// policies; then the paths of cloning and of R2PAC over the geometry and the map of V_c, with its line at
/// the threshold. Throws InvalidArgument when a size does not fit, and Error(ExitCode::disk) when gnuplot is
/// missing or fails or the file cannot be written.
void draw_reach_avoid_map(const std::string& png_path, const ReachAvoidFigure& figure);

/// Where the robot was in recorded episodes: per episode x, y of each step, flattened.
std::vector<std::vector<float>> paths_of(const EvaluationResult& result);

/// What a policy did in some episodes, for a moving picture.
struct AnimatedPolicy {
  std::string title;
  std::vector<std::vector<float>> paths;  ///< per episode: x, y of each step, flattened
};

/// Of a policy's first recorded episodes, at most so many.
AnimatedPolicy animated(std::string title, const EvaluationResult& result, std::size_t most);

/// Draws the paths of policies side by side, two steps to a frame, into moving pictures: a .gif repeats, an
/// .mp4 needs ffmpeg. Each robot is shown with the last steps of its way, red within a hazard; above each
/// panel stands the mean cost so far. Throws as draw_reach_avoid_map().
void animate_reach_avoid(const std::vector<std::string>& paths, const std::vector<AnimatedPolicy>& policies);

/// The map of one policy, with its title.
struct TitledMap {
  std::string title;
  CostMap map;
};

/// Draws a map of V_c per policy with its line at the threshold and the arena's geometry, three in a row, all
/// on one colour scale. paths  .png or .pdf. Throws as draw_reach_avoid_map().
void draw_cost_maps(const std::vector<std::string>& paths, const std::vector<TitledMap>& maps);

}  // namespace r2pac
