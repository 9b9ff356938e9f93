// The command line: every verb with its options.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace r2pac {

/// What the chosen verb will do; returns the exit status.
using Action = std::function<int()>;

/// Declares all verbs. While `app` parses, the chosen one sets `action`, which outlives the app.
/// command_line  as given, for a run's manifest
void add_verbs(CLI::App& app, Action& action, const std::vector<std::string>& command_line);

}  // namespace r2pac
