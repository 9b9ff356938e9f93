// The program gnuplot as a child process.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace r2pac {

/// Size of a picture in pixels of its PNG file; a PDF file has the same proportions, 128 pixels to the inch.
struct Canvas {
  int width = 0, height = 0;
};

/// Draws one picture into one or several files, each PNG, PDF, SVG, an animated GIF or MP4 by its name's
/// ending. The script is run for each in a temporary folder of its own that holds `files` (name -> content);
/// the script names them without a folder and sets neither terminal nor output. MP4 is an animated GIF that
/// write_movie() encodes. A finished file is moved to its path in one step. Neither a shell nor the user's
/// gnuplot settings are involved. Text that a user gives gets into a script by gnuplot_string() only, and
/// paths never do. Throws InvalidArgument for another ending, and Error(ExitCode::disk) when gnuplot or
/// ffmpeg is missing or fails, or when a file cannot be written.
void draw_with_gnuplot(const std::vector<std::string>& paths, const Canvas& canvas, const std::string& script,
                       const std::map<std::string, std::string>& files);

/// Throws Error(usage) with what to install where gnuplot is missing. flag  what asks for it
void require_gnuplot(const std::string& flag);

/// `text` as a string of a script, quotes included, in which nothing is evaluated. A straight quote becomes a
/// curly one and control characters become spaces. Markup such as _ and ^ acts unless the label or key is
/// `noenhanced`.
std::string gnuplot_string(std::string_view text);

}  // namespace r2pac
