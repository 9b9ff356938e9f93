#include "tools/training.h"

#include <cstdio>

#include "tools/command_line.h"
#include "training/data_warnings.h"
#include "training/training_data.h"

namespace r2pac {

Dataset load_data(const std::string& path, const Settings& settings) {
  Dataset dataset = load_training_dataset(path, settings);
  for (const std::string& warning : data_warnings(dataset, settings))
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
  return dataset;
}

void add_training_flags(CLI::App& verb, SettingsRequest& request, bool with_steps, bool with_data) {
  OptionGroup group(verb, "Data and settings");
  verb.add_option("--data", request.data_file, "DSRL file (HDF5)")->required(with_data);
  verb.add_option("--config", request.config_file, "Settings file (TOML)");
  verb.add_option("--set", request.overrides, "Any setting, as key=value; may be repeated")
      ->take_all()
      ->expected(1);
  const auto setting = [&](const char* option, const char* key, const char* description) {
    verb.add_option_function<std::string>(
        option, [&request, key](const std::string& text) { request.flags.emplace_back(key, text); },
        description);
  };
  setting("--task", "task", "Task, if the file's name does not tell");
  setting("--method", "method", "What to train, as r2pac or safe-chunks; `r2pac methods` lists all");
  verb.add_option(
      "--preset", request.preset,
      "Sizes and steps for a purpose: quick (small networks, some minutes on one core), navigation (a new "
      "layout each episode), mini (as a table of methods), tiny (seconds), osrl (as published code)");
  setting("--seed", "seed", "Seed of all random numbers");
  if (with_steps) setting("--steps", "steps", "Gradient steps (sequential schedule: of each stage)");
  setting("--hold-out", "hold_out",
          "Share of the episodes to keep aside, for `r2pac diagnose` and `calibrate`");
  setting("--schedule", "schedule", "sequential or joint");
  setting("--hidden", "hidden", "Widths of the hidden layers, as 512,512,512,512");
  setting("--batch", "batch", "Windows per step");
}

}  // namespace r2pac
