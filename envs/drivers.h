// Scripted drivers of the reach-avoid robot: the mixed data that a policy is trained on.
//
// Each episode has a driver of its own, from timid to reckless. Reckless ones steer through the hazards,
// mostly by the short cut, and arrive first; timid ones go round; some change their minds half-way and
// some wander about before they remember the goal. Good safe behaviour is in the data; the average is unsafe.
#pragma once

#include <cstdint>
#include <vector>

#include "envs/reach_avoid.h"

namespace r2pac {

/// One episode as it is stored: T steps, S observation width, A action width, row-major.
struct EpisodeRecord {
  std::vector<float> observations;  ///< [T + 1, S]; row t + 1 is what followed action t
  std::vector<float> actions;       ///< [T, A] in [-1, 1]
  std::vector<float> rewards;       ///< [T]
  std::vector<float> costs;         ///< [T]
  bool terminal = false;            ///< true if the last step truly ended the episode; false: a timeout
};

enum class Route { straight, short_cut, round };

/// What a driver is like; all of it a function of (seed, episode) alone.
struct Driver {
  float boldness = 0;  ///< in (0, 1)
  Route route = Route::round;
  float cruise_speed = 0;  ///< wanted speed as a share of kTopSpeed
  float margin = 0;        ///< clearance wanted from the small hazard when going round; may be negative
  float aim = 0;           ///< height at which the neck is aimed at, relative to its middle
  float noise = 0;         ///< standard deviation of the action noise, which is correlated in time
  int change_step = -1;    ///< step at which the driver takes the other route; -1: never
  int wander_steps = 0;    ///< steps spent on the way to random places first
};

/// The driver of an episode.
Driver draw_driver(std::uint64_t seed, int episode);

/// Drives one whole episode of the built-in robot, from the same start as ReachAvoid. episode >= 0.
EpisodeRecord drive_episode(std::uint64_t seed, int episode);

}  // namespace r2pac
