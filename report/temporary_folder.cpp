#include "report/temporary_folder.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "envs/environment.h"

namespace r2pac {
namespace {

namespace fs = std::filesystem;

constexpr char kMessages[] = "messages.txt", kName[] = "r2pac-figure-";
constexpr timespec kLook{.tv_sec = 0, .tv_nsec = 20'000'000};

/// Whether PATH has the program.
bool is_installed(const ExternalProgram& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "/bin:/usr/bin");  // as posix_spawnp()
  for (std::string folder; std::getline(folders, folder, ':');)
    if (access((fs::path(folder) / program.name).c_str(), X_OK) == 0) return true;
  return false;
}

/// Removes what killed programs left: a living one holds the lock of its folder, soon after it made it.
void remove_dead(const fs::path& place) {
  std::error_code error;
  for (fs::directory_iterator entry(place, error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(kName)) continue;
    const Descriptor folder = open_descriptor(entry->path(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    constexpr std::time_t kSoon = 60;
    struct stat status {};
    std::error_code ignored;
    if (folder.valid() && fstat(folder.get(), &status) == 0 && status.st_uid == geteuid() &&
        status.st_mtime + kSoon < std::time(nullptr) && lock_now(folder.get()))
      fs::remove_all(entry->path(), ignored);
  }
}

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  while (line.empty() && std::getline(file, line)) {
  }
  return line;
}

Error cannot(const ExternalProgram& program, const char* what, int number) {
  return Error(ExitCode::disk, what + (std::string(" ") + program.name) + ": " + std::strerror(number),
               program.name, "check that it runs");
}

}  // namespace

void require_installed(const ExternalProgram& program, const std::string& flag) {
  if (!is_installed(program))
    throw Error(
        ExitCode::usage,
        std::string(program.needed_by) + " needs the program " + program.name + ", which was not found", flag,
        program.todo);
}

TemporaryFolder::TemporaryFolder() {
  std::error_code fault;
  const fs::path place = fs::temp_directory_path(fault);
  if (fault)
    throw Error(ExitCode::disk, "there is no folder for temporary files: " + fault.message(), "TMPDIR",
                "set TMPDIR to a folder that can be written");
  std::string pattern = (place / (std::string(kName) + "XXXXXX")).string();
  if (mkdtemp(pattern.data()) == nullptr)
    throw Error(ExitCode::disk, std::string("cannot make a temporary folder: ") + std::strerror(errno),
                pattern, "free some space or set TMPDIR to a folder that can be written");
  path_ = pattern;
  lock_ = open_descriptor(path_, O_RDONLY | O_DIRECTORY);
  lock_now(lock_.get());
  remove_dead(place);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void TemporaryFolder::write(const std::string& name, const std::string& content) const {
  std::ofstream file(path_ / name, std::ios::binary);
  file << content;
  file.close();
  if (!file)
    throw Error(ExitCode::disk, "cannot write a temporary file", (path_ / name).string(),
                "free some space or set TMPDIR to another folder");
}

pid_t TemporaryFolder::start(const ExternalProgram& program, std::vector<std::string> arguments,
                             int input) const {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, path_.c_str());
  if (input < 0)
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  else
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, kMessages, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  arguments.insert(arguments.begin(), program.name);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  pid_t child = 0;
  const int fault = posix_spawnp(&child, program.name, &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (fault == ENOENT)
    throw Error(
        ExitCode::disk,
        std::string(program.needed_by) + " needs the program " + program.name + ", which was not found",
        program.name, program.todo);
  if (fault != 0) throw cannot(program, "cannot start", fault);
  return child;
}

void TemporaryFolder::wait(pid_t child, const ExternalProgram& program, const std::string& where,
                           const std::string& todo, const std::function<bool()>& stop) const {
  int status = 0;
  while (true) {
    const pid_t ended = waitpid(child, &status, stop ? WNOHANG : 0);
    if (ended < 0 && errno != EINTR) throw cannot(program, "lost", errno);
    const bool stopped = stop && stop();
    if (stopped && ended == 0) {
      kill(child, SIGKILL);
      while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
      }
    }
    if (stopped) throw Interrupted();
    if (ended > 0) break;
    if (ended == 0) nanosleep(&kLook, nullptr);
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw Error(ExitCode::disk, std::string(program.name) + " failed: " + first_line(path_ / kMessages),
                where, todo);
}

}  // namespace r2pac
