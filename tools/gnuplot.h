// The program gnuplot as a child process.
#pragma once

#include <map>
#include <string>

namespace r2pac {

/// Runs a gnuplot script in a temporary folder of its own that holds `files` (name -> content); the script
/// names them, and its output "figure.png", without a folder. The result is moved to png_path in one step.
/// Neither a shell nor the user's gnuplot settings are involved, and no name given by a user gets into the
/// script. Throws Error(ExitCode::disk) when gnuplot is missing or fails, or when a file cannot be written.
void draw_with_gnuplot(const std::string& png_path, const std::string& script,
                       const std::map<std::string, std::string>& files);

}  // namespace r2pac
