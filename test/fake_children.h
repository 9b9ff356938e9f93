// Environments of test/fake_environment.py, and the check that none of their processes is left.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "base/error.h"
#include "envs/child_environment.h"
#include "python_or_skip.h"
#include "scratch_folder.h"

namespace r2pac {

struct PythonOrSkip : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;
  void testRunStarting(const Catch::TestRunInfo&) override {
    skip_unless_python_runs(R2PAC_PYTHON, "import socket");
  }
};

/// modes  of the fake environment, separated by spaces
inline std::string fake_command(const std::string& modes) {
  return R2PAC_PYTHON " -S -E " R2PAC_SOURCE_DIR "/test/fake_environment.py " + modes;
}

inline ChildEnvironmentOptions fake(const std::string& modes, int copies = 2, int processes = 1) {
  // Generous: only cases of a child that hangs wait for it.
  return {.command = "exec " + fake_command(modes),
          .copies = copies,
          .processes = processes,
          .start_timeout = 60,
          .step_timeout = 60};
}

inline std::ptrdiff_t open_files() {
  return std::ranges::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                               std::filesystem::directory_iterator());
}

/// Ended, whether or not it has been reaped: an orphan's zombie is init's business.
inline bool gone(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  std::getline(in, stat);                        // nothing where it ends while it is read
  const std::size_t name_end = stat.rfind(')');  // "pid (name) state ..."
  return name_end == std::string::npos || stat.compare(name_end, 3, ") Z") == 0;
}

inline double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// After a kill of the parent they end in their own time. One that was seen to be gone is not looked at again: its number
/// may be another process's by then.
inline bool all_gone(std::vector<pid_t> children) {
  const auto start = std::chrono::steady_clock::now();
  while (std::erase_if(children, gone), !children.empty() && seconds_since(start) < 30) ::usleep(5000);
  return children.empty();
}

/// Checks at its end that all children that left their number have gone, that none waits to be reaped, and
/// that as many files are open as before.
class Nothing {
 public:
  Nothing() { ::setenv("R2PAC_TEST_PIDS", folder_.path.c_str(), 1); }
  ~Nothing() {
    CHECK(all_gone(children()));
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
    CHECK(errno == ECHILD);
    CHECK(open_files() == files_);
    ::unsetenv("R2PAC_TEST_PIDS");
  }
  std::vector<pid_t> children() const {
    std::vector<pid_t> out;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path))
      out.push_back(std::stoi(entry.path().filename().string()));
    return out;
  }

 private:
  ScratchFolder folder_;
  std::ptrdiff_t files_ = open_files();
};

/// All that an Error says; fails where none is thrown.
inline std::string error_of(const std::function<void()>& call, ExitCode code = ExitCode::environment) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.code() == code);
    return std::string(error.what()) + "\nwhere: " + error.where() + "\ntodo: " + error.todo();
  }
  FAIL("nothing was thrown");
  return "";
}

/// Five steps, which is a whole episode, and the end.
inline void run_episode(const ChildEnvironmentOptions& options) {
  ChildEnvironment environment(options);
  environment.reset(0, 0);
  const std::vector<float> actions(static_cast<std::size_t>(environment.count()) * 2, 0.25f);
  for (int t = 0; t < 5; ++t) environment.step(actions);
  environment.close();
}

}  // namespace r2pac
