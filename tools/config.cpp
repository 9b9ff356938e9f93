#include <iostream>

#include "settings/settings.h"
#include "tools/command_line.h"
#include "tools/verbs.h"

namespace r2pac {
namespace {

struct ConfigShowOptions {
  std::string task, method, preset;
};

int run_config_show(const ConfigShowOptions& options) {
  SettingsRequest request;
  request.preset = options.preset;
  if (!options.task.empty()) request.flags.emplace_back("task", options.task);
  if (!options.method.empty()) request.flags.emplace_back("method", options.method);
  write_settings(std::cout, resolve_settings(request));
  return 0;
}

}  // namespace

void add_config(CLI::App& app, Action& action) {
  CLI::App* config =
      add_verb_group(app, "config", "Settings and presets", "r2pac config show --task CarGoal1");
  const auto [verb, options] = add_verb(*config, action, run_config_show, "show",
                                        "All settings with their meaning, range and origin, as TOML",
                                        "r2pac config show --task CarGoal1 > run.toml");
  verb->add_option("--task", options->task, "Task whose preset to show");
  verb->add_option("--method", options->method, "Method whose settings to show");
  verb->add_option("--preset", options->preset, "Sizes and steps to show, as quick");
}

}  // namespace r2pac
