#include "report/gnuplot.h"

#include "base/error.h"
#include "report/film.h"
#include "report/temporary_folder.h"
#include "storage/atomic_file.h"

namespace r2pac {

namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 28;
constexpr ExternalProgram kGnuplot{"gnuplot", "the picture", "install the package gnuplot-nox"};

/// The commands that choose the terminal for a file, and the file that they write.
struct Terminal {
  std::string commands, output;
};

Terminal terminal_for(const std::string& path, const Canvas& canvas) {
  const std::string width = std::to_string(canvas.width), height = std::to_string(canvas.height);
  const std::string common = " font 'DejaVu Sans,13' enhanced";
  if (path.ends_with(".png"))
    return {"set terminal pngcairo size " + width + "," + height + common +
                " linewidth 1.2\nset output 'figure.png'\nset encoding utf8\n",
            "figure.png"};
  // The scales make text, lines and points as large beside the picture as in a PNG file.
  if (path.ends_with(".pdf"))
    return {
        "set terminal pdfcairo size " + width + "./128," + height + "./128" + common +
            " fontscale 0.53 linewidth 0.65 pointscale 0.55\nset output 'figure.pdf'\nset encoding utf8\n",
        "figure.pdf"};
  // Without a size of its own it takes the width of the page that it stands in.
  if (path.ends_with(".svg"))
    return {"set terminal svg size " + width + "," + height + " dynamic" + common +
                " linewidth 1.2 background rgb 'white'\nset output 'figure.svg'\nset encoding utf8\n",
            "figure.svg"};
  // Each plot of the script is a frame; 7 hundredths of a second, for ever again.
  if (path.ends_with(".gif") || path.ends_with(".mp4"))
    return {"set terminal gif animate delay 7 loop 0 optimize size " + width + "," + height +
                "\nset output 'figure.gif'\nset encoding utf8\n",
            "figure.gif"};
  throw InvalidArgument("draw_with_gnuplot: a path must end in .png, .pdf, .svg, .gif or .mp4, not " + path);
}

}  // namespace

void require_gnuplot(const std::string& flag) { require_installed(kGnuplot, flag); }

void draw_with_gnuplot(const std::vector<std::string>& paths, const Canvas& canvas, const std::string& script,
                       const std::map<std::string, std::string>& files) {
  const TemporaryFolder folder;
  for (const auto& [name, content] : files) folder.write(name, content);
  for (const std::string& path : paths) {
    const Terminal terminal = terminal_for(path, canvas);
    folder.write("script", terminal.commands + script);
    folder.run(kGnuplot, {"-d", "script"}, path,
               "gnuplot 5.2 or newer with the terminals pngcairo and pdfcairo is needed");
    if (path.ends_with(".mp4"))
      write_movie(folder, terminal.output, path);
    else
      write_file_atomically(path, read_file(folder.path() / terminal.output, kMostBytes, ExitCode::disk));
  }
}

std::string gnuplot_string(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\'')  // nothing else ends such a string; gnuplot takes '' at its start for an empty one
      quoted += "\u2019";
    else
      quoted += byte < 0x20 || byte == 0x7f ? ' ' : c;
  }
  return quoted + "'";
}

}  // namespace r2pac
