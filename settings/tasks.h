// The benchmark tasks: their dimensions, score bounds and hyper-parameters, compiled into the program.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace r2pac {

/// One task of the DSRL benchmark, or the built-in robot.
/// The dimensions are the published ones. Where a data set has other widths, those of the data set count.
struct Task {
  std::string_view env_id;                 ///< name of the environment, `OfflineBallRun-v0`
  std::string_view dataset_stem;           ///< published file name without `.hdf5`, `SafetyBallRun-v0-80-940`
  std::string_view family;                 ///< simulator
  std::string_view alias;                  ///< short name, `BallRun`; unique
  int observation_dim, action_dim;         ///< S and A
  int episode_steps;                       ///< step limit T of an episode
  double min_return, max_return;           ///< bounds of the normalised return; unscaled, undiscounted
  double max_cost;                         ///< largest episode cost in the published data
  int trajectories;                        ///< episodes in the published data
  double cost_limit;                       ///< kappa, episode cost allowed when scoring
  double alpha;                            ///< quantile of V_c that is the threshold l
  double penalty;                          ///< C > 0
  double reward_scale;                     ///< factor on every reward before training
  int chunk_length;                        ///< h, actions per chunk
  std::string_view hyperparameter_source;  ///< where alpha, penalty, scale and length come from
};

/// All tasks: the 38 of DSRL in the benchmark's order, then the built-in one.
std::span<const Task> all_tasks();

/// The task of a name: environment id (`OfflineBallRun-v0`), data set (`SafetyBallRun-v0-80-940`, also
/// without or with another `-cap-count`, with a directory, with `.hdf5`) or alias (`BallRun`); upper
/// and lower case are equal. Throws Error(ExitCode::usage) with the nearest name.
const Task& find_task(std::string_view name);

/// The task that a data file's name tells, if any.
std::optional<Task> task_from_file_name(std::string_view path);

/// What to say where a data file's name tells another task than settings do; "" where there is nothing to
/// say. task  an alias, or "" for none
std::string task_contradiction(std::string_view path, std::string_view task);

/// (episode_return - min) / (max - min), not clipped. episode_return: mean of undiscounted, unscaled
/// episode returns.
double normalized_return(const Task& task, double episode_return);

/// Episode cost as a share of the limit: at most 1 is within it. A limit of 0 counts one cost unit on
/// both sides, as the benchmark does. Both arguments are at least 0.
double normalized_cost(double episode_cost, double cost_limit);

}  // namespace r2pac
