#include "training/data_warnings.h"

#include "settings/task_widths.h"
#include "settings/tasks.h"

namespace r2pac {

std::vector<std::string> data_warnings(const Dataset& dataset, const Settings& settings) {
  std::vector<std::string> warnings = dataset.warnings;
  if (const auto task = settings.task.empty() ? std::nullopt : task_from_file_name(settings.task))
    if (const auto conflict = width_conflict(*task, dataset.observation_dim, dataset.action_dim))
      warnings.push_back(*conflict + "; name the right task with --task");
  if (const std::string contradiction = task_contradiction(dataset.path, settings.task);
      !contradiction.empty())
    warnings.push_back(contradiction);
  return warnings;
}

}  // namespace r2pac
