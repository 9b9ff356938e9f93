// Names for sets of tasks.
#pragma once

#include <string_view>
#include <vector>

namespace r2pac {

struct TaskSet {
  std::string_view name;
  std::vector<std::string_view> tasks;  ///< aliases, in the paper's order
};

/// The set of a name, or null.
///   paper17        the tasks over which the paper counts
///   bullet8        Bullet-Safety-Gym
///   safety-gym15   Safety-Gymnasium
///   metadrive9     MetaDrive
const TaskSet* find_task_set(std::string_view name);

/// The suite of a task's simulator, as tables call it: "Safety-Gymnasium".
std::string_view suite_title(std::string_view family);

}  // namespace r2pac
