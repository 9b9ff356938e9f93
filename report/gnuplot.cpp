#include "report/gnuplot.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "storage/atomic_file.h"
#include "storage/posix.h"

namespace r2pac {

namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 28;
constexpr char kMessages[] = "messages.txt", kFigure[] = "r2pac-figure-";

// A new folder that disappears with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code fault;
    const std::filesystem::path place = std::filesystem::temp_directory_path(fault);
    if (fault)
      throw Error(ExitCode::disk, "there is no folder for temporary files: " + fault.message(), "TMPDIR",
                  "set TMPDIR to a folder that can be written");
    std::string pattern = (place / (std::string(kFigure) + "XXXXXX")).string();
    if (mkdtemp(pattern.data()) == nullptr)
      throw Error(ExitCode::disk, std::string("cannot make a temporary folder: ") + std::strerror(errno),
                  pattern, "free some space or set TMPDIR to a folder that can be written");
    path_ = pattern;
    lock_ = open_descriptor(path_, O_RDONLY | O_DIRECTORY);
    lock_now(lock_.get());
    remove_dead(place);
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
  /// Removes what killed programs left: a living one holds the lock of its folder, soon after it made it.
  static void remove_dead(const std::filesystem::path& place) {
    std::error_code error;
    for (std::filesystem::directory_iterator entry(place, error), end; !error && entry != end;
         entry.increment(error)) {
      if (!entry->path().filename().string().starts_with(kFigure)) continue;
      const Descriptor folder = open_descriptor(entry->path(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      constexpr std::time_t kSoon = 60;
      struct stat status {};
      std::error_code ignored;
      if (folder.valid() && fstat(folder.get(), &status) == 0 && status.st_uid == geteuid() &&
          status.st_mtime + kSoon < std::time(nullptr) && lock_now(folder.get()))
        std::filesystem::remove_all(entry->path(), ignored);
    }
  }

  std::filesystem::path path_;
  Descriptor lock_;
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
  // Without a size of its own it takes the width of the page that it stands in.
  if (path.ends_with(".svg"))
    return {"set terminal svg size " + width + "," + height + " dynamic" + common +
                " linewidth 1.2 background rgb 'white'\nset output 'figure.svg'\nset encoding utf8\n",
            "figure.svg"};
  // Each plot of the script is a frame; 7 hundredths of a second, for ever again.
  if (path.ends_with(".gif"))
    return {"set terminal gif animate delay 7 loop 0 optimize size " + width + "," + height +
                "\nset output 'figure.gif'\nset encoding utf8\n",
            "figure.gif"};
  throw InvalidArgument("draw_with_gnuplot: a path must end in .png, .pdf, .svg or .gif, not " + path);
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
