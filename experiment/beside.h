// Methods that run beside the program, by their published code in a Python environment of its own.
#pragma once

#include <string>
#include <string_view>

namespace r2pac {

struct BesideMethod {
  std::string_view name;    ///< in the files of experiments
  std::string_view module;  ///< of the Python package: a program that trains, with `make` for r2pac.score
  int version = 1;          ///< raised when the same data and size give other numbers
};

/// The method of a name, or null.
const BesideMethod* find_beside(std::string_view name);

/// First word of a command that `.baselines/` runs: baselines_python() stands for it on the machine of the
/// job.
inline constexpr std::string_view kBaselinesPython = "baselines-python";

/// Interpreter with the published code; empty where it is not installed (`./setup.sh --baselines`).
std::string baselines_python();

/// Minutes of a training on one thread. size  of kSizes; peak_gflops  of one thread
double beside_minutes(const std::string& size, double peak_gflops);

}  // namespace r2pac
