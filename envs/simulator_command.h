// Which environment is served by which program: the command line and the variables of a child.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "envs/picture.h"

namespace r2pac {

/// Which environment, and how it is run.
struct ChildEnvironmentOptions {
  std::string id{};  ///< registered id of a simulator (simulator_id): `PYTHON -m r2pac.env_server --id ID`
  std::string command{};         ///< instead of it anyone's own program, run by `/bin/sh -c`
  std::string python{};          ///< interpreter of the simulators; empty: simulators_python()
  int copies = 1;                ///< N, at least 1
  int processes = 0;             ///< children that share the copies; 0: thread_count(), at most N
  int episode_steps = -1;        ///< step limit where the environment states none; -1: none
  double start_timeout = 120;    ///< seconds for the start of all children, and for each copy's reset
  double step_timeout = 60;      ///< seconds without a sign of life while copies step
  bool rescale_actions = false;  ///< map [-1, 1] onto finite bounds that are others
  std::function<bool()> stop{};  ///< asked while a child is waited for, ten times a second; true: Interrupted
  /// Called with pictures of episode 0 of each evaluation: its start, every second step and its end. False:
  /// enough.
  std::function<bool(const CameraPicture&)> film{};
};

/// The registered id of a task's simulator: `OfflineBallRun-v0` -> `SafetyBallRun-v0`; MetaDrive's ids and
/// names that do not start with `Offline` stay as they are. task_env_id  Task::env_id
std::string simulator_id(std::string_view task_env_id);

/// Interpreter with the simulators: the environment variable R2PAC_SIMULATORS_PYTHON, else
/// `.simulators/bin/python3` in the nearest folder above the running program that has one of root's or the
/// user's own, else `python3`.
std::string simulators_python();

/// Program and arguments of a child.
std::vector<std::string> child_arguments(const ChildEnvironmentOptions& options);

/// The same as a person would type it, printable.
std::string child_command_text(const ChildEnvironmentOptions& options);

/// Variables that a child gets beside ours, as "NAME=value".
std::vector<std::string> child_variables(const ChildEnvironmentOptions& options);

}  // namespace r2pac
