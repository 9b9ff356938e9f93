// The environment that `--env` means, with the task that tells its bounds.
#pragma once

#include <memory>
#include <string>

#include "envs/environment.h"
#include "model/networks.h"
#include "model/tasks.h"
#include "tools/verbs.h"

namespace r2pac {

struct TaskEnvironment {
  std::unique_ptr<VectorEnvironment> environment;
  std::string name;            ///< for people and files
  const Task* task = nullptr;  ///< bounds of the normalised return; null: unknown
};

/// Opens at most `episodes` copies. flags.env: reach-avoid, a task's name (alias, environment id, data set),
/// an id that the simulators register, or `cmd:PROGRAM`; empty means `policy_task`. dimensions: widths that a
/// user's own program is asked to confirm.
/// Throws Error: usage for an unknown name, environment where a child does not start.
TaskEnvironment open_environment(const EnvironmentFlags& flags, const std::string& policy_task, int episodes);

}  // namespace r2pac
