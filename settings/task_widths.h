// Whether data have the widths of a task.
#pragma once

#include <optional>
#include <string>

#include "settings/tasks.h"

namespace r2pac {

/// "the widths are observation 4, action 2; those of task CarRun are observation 7, action 2", or nothing
/// where they are the same.
std::optional<std::string> width_conflict(const Task& task, int observation_dim, int action_dim);

}  // namespace r2pac
