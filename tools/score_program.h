// Scoring the policy of anyone's own program: `cmd:PROGRAM` in place of a policy file.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tools/environment.h"
#include "tools/scoring.h"

namespace r2pac {

/// The program that `policy` names as `cmd:PROGRAM`; nothing where it is a file. Throws Error(usage) for
/// `cmd:` alone.
std::optional<std::string> program_of(const std::string& policy);

struct ProgramScores {
  Scores scores;
  nlohmann::ordered_json json;  ///< eval.json; null where `scores` has no episode
};

/// Runs the program and scores it as score_policy() does a policy. flags  those by which `opened` was opened.
/// cost_limit  none: what the program says, else the task's. Throws Error: usage where it says another task
/// or there is no limit; environment for a fault of the program.
ProgramScores score_program(const std::string& program, const EnvironmentFlags& flags,
                            const TaskEnvironment& opened, std::optional<double> cost_limit, int episodes,
                            std::uint64_t seed, const EvaluationOptions& options);

}  // namespace r2pac
