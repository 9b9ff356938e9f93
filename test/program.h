// The `r2pac` command as a process of its own, without a shell.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "scratch_folder.h"

extern char** environ;

namespace r2pac {

inline std::string content(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct ProgramResult {
  int status = -1;  ///< exit status, or minus the signal that ended the process
  std::string out, err;
};

/// The command: the one that was built with the test, or what the environment's R2PAC_BINARY names.
inline std::string program_path() {
  const char* const named = std::getenv("R2PAC_BINARY");
  return named != nullptr ? named : R2PAC_BINARY;
}

/// One run of the command. Its output goes to files, so that it never waits for a reader.
class Process {
 public:
  /// environment  further "NAME=value" entries; out_fd  standard output, if it shall not be kept;
  /// input  file for standard input
  explicit Process(std::vector<std::string> arguments, std::vector<std::string> environment = {},
                   int out_fd = -1, const std::string& input = "/dev/null") {
    arguments.insert(arguments.begin(), program_path());
    std::vector<char*> argv, envp;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    for (char** entry = environ; *entry != nullptr; ++entry) envp.push_back(*entry);
    for (std::string& entry : environment) envp.push_back(entry.data());
    envp.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input.c_str(), O_RDONLY, 0);
    if (out_fd < 0)
      posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_path().c_str(),
                                       O_WRONLY | O_CREAT | O_TRUNC, 0600);
    else
      posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_path().c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int failed = posix_spawn(&child_, argv.front(), &actions, nullptr, argv.data(), envp.data());
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw std::runtime_error("the program cannot be started");
  }
  ~Process() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t id() const {
    if (child_ <= 0)
      throw std::runtime_error("the program has ended");  // 0 means more than one process to kill()
    return child_;
  }
  void signal(int number) const {
    if (child_ > 0) ::kill(child_, number);  // 0 would be all of this process's group
  }
  bool running() {
    const pid_t ended = child_ > 0 ? waitpid(child_, &state_, WNOHANG) : 0;
    if (ended < 0) throw std::runtime_error("the program is lost");
    if (ended > 0) child_ = 0;
    return child_ > 0;
  }
  std::string out() const { return content(out_path()); }
  std::string errors() const { return content(err_path()); }
  /// Whether the program prints `text` while it runs or before it ends, within `milliseconds`.
  bool prints(const std::string& text, int milliseconds = 10000) {
    return appears_in(out_path(), text, milliseconds);
  }
  /// The same for standard error.
  bool warns(const std::string& text, int milliseconds = 10000) {
    return appears_in(err_path(), text, milliseconds);
  }

  /// Waits for the end; after `seconds` kills the program, which then counts as ended by SIGKILL.
  ProgramResult wait(int seconds = 120) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (running()) {
      if (std::chrono::steady_clock::now() > end) ::kill(child_, SIGKILL);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return {WIFEXITED(state_) ? WEXITSTATUS(state_) : -WTERMSIG(state_), out(), errors()};
  }

 private:
  bool appears_in(const std::string& path, const std::string& text, int milliseconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    while (content(path).find(text) == std::string::npos) {
      if (!running() || std::chrono::steady_clock::now() > end)
        return content(path).find(text) != std::string::npos;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  std::string out_path() const { return (folder_.path / "out").string(); }
  std::string err_path() const { return (folder_.path / "err").string(); }

  ScratchFolder folder_;
  pid_t child_ = 0;
  int state_ = 0;
};

inline ProgramResult run_program(std::vector<std::string> arguments,
                                 std::vector<std::string> environment = {}, int out_fd = -1,
                                 const std::string& input = "/dev/null") {
  return Process(std::move(arguments), std::move(environment), out_fd, input).wait();
}

inline void sleep_ms(int milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

}  // namespace r2pac
