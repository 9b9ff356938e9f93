#include "tools/environment.h"

#include <algorithm>

#include "base/error.h"
#include "envs/child_environment.h"
#include "envs/reach_avoid.h"
#include "tools/command_line.h"

namespace r2pac {
namespace {

constexpr int kMostAtOnce = 64;
/// Whether a name looks like an id that a simulator registers: `Name-v0`.
bool is_registered_id(const std::string& name) {
  const std::size_t version = name.rfind("-v");
  return version != std::string::npos && version > 0 && version + 2 < name.size() &&
         std::all_of(name.begin() + static_cast<std::ptrdiff_t>(version) + 2, name.end(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

const Task* task_of(const std::string& name) {
  try {
    return &find_task(name);
  } catch (const Error&) {
    return nullptr;
  }
}

void require_trained_for(const Task* trained, const Task* task, const std::string& env,
                         const std::string& instead) {
  if (trained != nullptr && trained != task)
    throw Error(ExitCode::usage, "the policy was trained for " + std::string(trained->alias), "--env " + env,
                "give --env " + std::string(trained->alias) + instead);
}

void add_environment_flags(CLI::App& verb, EnvironmentFlags& flags, const std::string& option,
                           const std::string& description) {
  OptionGroup group(verb, "Environment");
  verb.add_option(option, flags.env, description);
  verb.add_option("--env-python", flags.python,
                  "Python of the simulators (if not given: R2PAC_SIMULATORS_PYTHON, .simulators, python3)");
  verb.add_option("--env-processes", flags.processes, "Child processes that simulate; 0: one per processor")
      ->check(CLI::Range(0, 1024));
  verb.add_option("--env-start-timeout", flags.start_timeout, "Seconds that a simulator may take to start")
      ->capture_default_str()
      ->check(number_in(0.001, 1e6));
  verb.add_option("--env-timeout", flags.step_timeout, "Seconds that a simulator may take for one answer")
      ->capture_default_str()
      ->check(number_in(0.001, 1e6));
  verb.add_flag(
      "--rescale-actions", flags.rescale_actions,
      "Map the policy's actions, [-1, 1], onto the bounds of the simulator's, where these are others");
}

TaskEnvironment open_environment(const EnvironmentFlags& flags, const std::string& policy_task, int episodes,
                                 const std::function<bool()>& stop,
                                 const std::function<bool(const CameraPicture&)>& film) {
  const std::string wanted = flags.env.empty() ? policy_task : flags.env;
  if (wanted.empty())
    throw Error(ExitCode::usage, "the policy's task is unknown, so the environment has to be named", "--env",
                "give a task such as BallRun, or cmd:PROGRAM");
  ChildEnvironmentOptions options;
  options.python = flags.python;
  options.copies = std::min(episodes, kMostAtOnce);
  options.processes = flags.processes;
  options.start_timeout = flags.start_timeout;
  options.step_timeout = flags.step_timeout;
  options.rescale_actions = flags.rescale_actions;
  options.stop = stop;
  options.film = film;
  TaskEnvironment opened;
  if (wanted.starts_with(kCommand)) {
    options.command = wanted.substr(kCommand.size());
    if (options.command.empty())
      throw Error(ExitCode::usage, "`cmd:` names no program", "--env",
                  "give cmd:\"python3 my_environment.py\"");
    opened.task = task_of(policy_task);  // one's own simulator of a known task is scored by its bounds
    opened.name = wanted;
  } else if (const Task* task = task_of(wanted)) {
    require_trained_for(task_of(policy_task), task, wanted, ", or leave --env away");
    opened.task = task;
    opened.name = task->alias;
    if (task == &find_task(ReachAvoidTask::name)) {
      opened.name = ReachAvoidTask::name;
      opened.environment = std::make_unique<ReachAvoid>(options.copies);
      return opened;
    }
    options.id = simulator_id(task->env_id);
    options.episode_steps = task->episode_steps;
  } else if (is_registered_id(wanted)) {
    options.id = opened.name = wanted;
  } else {
    find_task(wanted);  // says which name was meant
  }
  auto environment = std::make_unique<ChildEnvironment>(options);
  opened.warnings = environment->warnings();
  opened.environment = std::move(environment);
  return opened;
}

}  // namespace r2pac
