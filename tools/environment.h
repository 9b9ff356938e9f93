// Where a policy acts: the flag --env and what belongs to it, and the environment that they mean.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/networks.h"
#include "envs/environment.h"
#include "envs/picture.h"
#include "settings/tasks.h"

namespace CLI {
class App;
}

namespace r2pac {

inline constexpr std::string_view kCommand = "cmd:";  ///< before a program of anyone's own

struct EnvironmentFlags {
  std::string env;             ///< a name, or cmd:PROGRAM; "" for the policy's own task
  std::string python;          ///< interpreter of the simulators; "" looks for it
  int processes = 0;           ///< children that share the copies; 0: thread_count()
  double start_timeout = 120;  ///< seconds
  double step_timeout = 60;    ///< seconds
  bool rescale_actions = false;
};

/// option, description  of the flag that names the environment
void add_environment_flags(CLI::App& verb, EnvironmentFlags& flags, const std::string& option,
                           const std::string& description);

/// The task of a name, as find_task() knows it; null for another.
const Task* task_of(const std::string& name);

/// Throws Error(usage) where a policy that was trained for one task (null: unknown) is to act in `env`, which
/// is another. instead  what else to do, behind the name of the right one
void require_trained_for(const Task* trained, const Task* task, const std::string& env,
                         const std::string& instead = "");

struct TaskEnvironment {
  std::unique_ptr<VectorEnvironment> environment;
  std::string name;                   ///< for people and files
  const Task* task = nullptr;         ///< bounds of the normalised return; null: unknown
  std::vector<std::string> warnings;  ///< what is not known of it
};

/// Opens at most `episodes` copies. flags.env: reach-avoid, a task's name (alias, environment id, data set),
/// an id that the simulators register, or `cmd:PROGRAM`; empty means `policy_task`.
/// stop  asked while a simulator is waited for, now and later; true: Interrupted
/// film  of a child, as ChildEnvironmentOptions has it; not for the built-in robot
/// Throws Error: usage for an unknown name and for actions of other bounds, environment where a child does
/// not start.
TaskEnvironment open_environment(const EnvironmentFlags& flags, const std::string& policy_task, int episodes,
                                 const std::function<bool()>& stop,
                                 const std::function<bool(const CameraPicture&)>& film = {});

}  // namespace r2pac
