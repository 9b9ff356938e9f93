#include "report/gnuplot.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "storage/atomic_file.h"

namespace r2pac {

namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 28;
constexpr char kMessages[] = "messages.txt";

// A new folder that disappears with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code fault;
    const std::filesystem::path temporary = std::filesystem::temp_directory_path(fault);
    if (fault)
      throw Error(ExitCode::disk, "there is no folder for temporary files: " + fault.message(), "TMPDIR",
                  "set TMPDIR to a folder that can be written");
    std::string pattern = (temporary / "r2pac-figure-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr)
      throw Error(ExitCode::disk, std::string("cannot make a temporary folder: ") + std::strerror(errno),
                  pattern, "free some space or set TMPDIR to a folder that can be written");
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  void write(const std::string& name, const std::string& content) const {
    std::ofstream file(path_ / name, std::ios::binary);
    file << content;
    file.close();
    if (!file)
      throw Error(ExitCode::disk, "cannot write a temporary file", (path_ / name).string(),
                  "free some space or set TMPDIR to another folder");
  }

 private:
  std::filesystem::path path_;
};

// Runs `gnuplot script` in the folder, its messages in kMessages, and returns its wait status.
int run_gnuplot(const TemporaryFolder& folder) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.path().c_str());
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, kMessages, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  char program[] = "gnuplot", defaults[] = "-d", script[] = "script";
  char* const arguments[] = {program, defaults, script, nullptr};
  pid_t child = 0;
  const int fault = posix_spawnp(&child, program, &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (fault == ENOENT)
    throw Error(ExitCode::disk, "the picture needs the program gnuplot, which was not found", "gnuplot",
                "install the package gnuplot-nox");
  if (fault != 0)
    throw Error(ExitCode::disk, std::string("cannot start gnuplot: ") + std::strerror(fault), "gnuplot",
                "check that gnuplot runs");
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      throw Error(ExitCode::disk, std::string("lost gnuplot: ") + std::strerror(errno), "gnuplot");
  return status;
}

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
  throw InvalidArgument("draw_with_gnuplot: a path must end in .png or .pdf, not " + path);
}

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  while (line.empty() && std::getline(file, line)) {
  }
  return line;
}

}  // namespace

void draw_with_gnuplot(const std::vector<std::string>& paths, const Canvas& canvas, const std::string& script,
                       const std::map<std::string, std::string>& files) {
  const TemporaryFolder folder;
  for (const auto& [name, content] : files) folder.write(name, content);
  for (const std::string& path : paths) {
    const Terminal terminal = terminal_for(path, canvas);
    folder.write("script", terminal.commands + script);
    const int status = run_gnuplot(folder);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
      throw Error(ExitCode::disk, "gnuplot failed: " + first_line(folder.path() / kMessages), path,
                  "gnuplot 5.2 or newer with the terminals pngcairo and pdfcairo is needed");
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
