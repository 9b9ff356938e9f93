#include <iostream>

#include "tools/verbs.h"

namespace r2pac {

int run_config_show(const ConfigShowOptions& options) {
  SettingsRequest request;
  if (!options.task.empty()) request.flags = {{"task", options.task}};
  write_settings(std::cout, resolve_settings(request));
  return 0;
}

}  // namespace r2pac
