// Pictures of the reach-avoid task: what policies did in the arena, and where they estimate it to be safe.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include "envs/evaluate.h"
#include "report/scatter.h"

namespace r2pac {

/// What a policy did in a number of episodes.
struct DrawnPolicy {
  std::string name;                       ///< in titles and in the key, any text
  std::vector<double> returns, costs;     ///< [episodes]
  std::vector<std::vector<float>> paths;  ///< per episode: x, y of each step, flattened
};

/// V_c on a grid over the arena, edges included, in units of discounted cost.
struct CostMap {
  int size = 0;               ///< points along each side
  std::vector<float> values;  ///< [size, size]: row i at y = -1 + 2 i / (size - 1), column j at x likewise
  float threshold = 0;        ///< l: the line between safe and unsafe
  /// [size, size], in [0, 1]: how far recorded states support the value; nothing is drawn where it is 0.
  /// Empty: it is not known, and all is drawn.
  std::vector<float> coverage = {};
};

/// Everything in the figure of the reach-avoid task.
struct ReachAvoidFigure {
  DataCloud data;
  double cost_limit = 0;                ///< cost per episode
  std::array<DrawnPolicy, 4> policies;  ///< row by row
  std::string estimator;                ///< whose map it is, any text
  CostMap map;
};

/// Draws two rows of three panels into a PNG file. On the left the data's episodes by cost and return with
/// the mean of each policy, and below it the map of V_c; on the right the paths of each policy over the
/// geometry. Throws InvalidArgument when a size does not fit, and Error(ExitCode::disk) when gnuplot is
/// missing or fails or the file cannot be written.
void draw_reach_avoid_figure(const std::string& png_path, const ReachAvoidFigure& figure);

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
/// panel stands the mean cost so far. Throws as draw_reach_avoid_figure().
void animate_reach_avoid(const std::vector<std::string>& paths, const std::vector<AnimatedPolicy>& policies);

/// The map of one policy, with its title.
struct TitledMap {
  std::string title;
  CostMap map;
};

/// Draws a map of V_c per policy with its line at the threshold and the arena's geometry, three in a row, all
/// on one colour scale. paths  .png or .pdf. Throws as draw_reach_avoid_figure().
void draw_cost_maps(const std::vector<std::string>& paths, const std::vector<TitledMap>& maps);

}  // namespace r2pac
