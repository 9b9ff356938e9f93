#include "tools/gnuplot.h"

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

constexpr std::size_t kMostPngBytes = std::size_t{1} << 28;
constexpr char kMessages[] = "messages.txt";

// A new folder that disappears with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "r2pac-figure-XXXXXX").string();
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

std::string first_line(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  while (line.empty() && std::getline(file, line)) {
  }
  return line;
}

}  // namespace

void draw_with_gnuplot(const std::string& png_path, const std::string& script,
                       const std::map<std::string, std::string>& files) {
  const TemporaryFolder folder;
  folder.write("script", script);
  for (const auto& [name, content] : files) folder.write(name, content);
  const int status = run_gnuplot(folder);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw Error(ExitCode::disk, "gnuplot failed: " + first_line(folder.path() / kMessages), png_path,
                "gnuplot 5.2 or newer with the pngcairo terminal is needed");
  write_file_atomically(png_path, read_file(folder.path() / "figure.png", kMostPngBytes, ExitCode::disk));
}

}  // namespace r2pac
