#include "envs/process_keeper.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>

namespace r2pac {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kChildSocket = 3;
constexpr std::chrono::milliseconds kTerminationPatience{500};
constexpr std::chrono::seconds kKillPatience{2};  // a process that waits for a dead disk does not end at all
constexpr timespec kLook{.tv_sec = 0, .tv_nsec = 20'000'000};

// Returns the number of what failed.
int become(const KeptProgram& program, pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
  if (::getppid() != parent) return ESRCH;  // it died before that
  if (::setpgid(0, 0) != 0) return errno;
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGCHLD, SIGHUP, SIGQUIT, SIGXFSZ})
    ::signal(signal, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0 || ::dup2(program.output, STDOUT_FILENO) < 0 || ::dup2(program.output, STDERR_FILENO) < 0)
    return errno;
  if (nothing != STDIN_FILENO && ::dup2(nothing, STDIN_FILENO) < 0) return errno;
  if (nothing == STDIN_FILENO && ::fcntl(nothing, F_SETFD, 0) != 0) return errno;
  if (::dup2(program.socket, kChildSocket) < 0) return errno;
  // Ours close themselves; this is for what others left open. Kernels before 5.11 do not know it.
  static_cast<void>(::close_range(kChildSocket + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC));
  ::execvpe(program.arguments[0], program.arguments, program.environment);
  return errno;
}

// Our copies of the parent's files would keep its sockets and locks open.
void close_all() {
  if (::close_range(0, UINT_MAX, 0) == 0) return;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  for (int file = 0; file < 65536 && file < static_cast<long>(limit.rlim_cur); ++file) ::close(file);
}

// All children, and those that have lost their parents. A longer list than fits is seen again later.
void signal_children(int signal) {
  char text[4096];
  const int file = ::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  const ssize_t bytes = file < 0 ? 0 : ::read(file, text, sizeof text);
  if (file >= 0) ::close(file);
  pid_t child = 0;
  for (ssize_t i = 0; i < bytes; ++i) {
    if (text[i] >= '0' && text[i] <= '9') {
      child = 10 * child + (text[i] - '0');
    } else {
      if (child > 1) ::kill(child, signal);
      child = 0;
    }
  }
}

[[noreturn]] void end_like(int status) {
  if (!WIFSIGNALED(status)) ::_exit(WEXITSTATUS(status));
  const rlimit nothing{0, 0};
  ::setrlimit(RLIMIT_CORE, &nothing);
  sigset_t none;
  sigemptyset(&none);
  ::signal(WTERMSIG(status), SIG_DFL);
  ::kill(::getpid(), WTERMSIG(status));
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::_exit(128 + WTERMSIG(status));
}

}  // namespace

void keep_program(const KeptProgram& program, pid_t parent) {
  sigset_t all, watched;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  sigemptyset(&watched);
  sigaddset(&watched, SIGCHLD);
  sigaddset(&watched, SIGTERM);
  ::signal(SIGCHLD, SIG_DFL);  // ignored, ended children would be lost
  ::setpgid(0, 0);             // Ctrl-C does not reach us
  ::prctl(PR_SET_NAME, "r2pac-keeper");
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(127);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t self = ::getpid(), child = ::_Fork();
  if (child <= 0) {
    const int number = child < 0 ? errno : become(program, self);
    static_cast<void>(!::write(program.failure, &number, sizeof number));
    ::_exit(127);
  }
  ::setpgid(child, child);  // so that the group is there whoever comes first
  close_all();

  int status = 0;
  bool child_lives = true, ending = false;
  Clock::time_point deadline{};
  const auto signal_all = [&](int signal) {
    if (child_lives) ::kill(-child, signal);
    signal_children(signal);
  };
  while (true) {
    int state = 0;
    for (pid_t ended; (ended = ::waitpid(-1, &state, WNOHANG)) != 0;) {
      if (ended < 0 && errno != EINTR) end_like(status);  // there are no more
      if (ended != child) continue;
      status = state;
      child_lives = false;
    }
    if (ending && Clock::now() >= deadline) signal_all(SIGKILL);
    if (ending && Clock::now() >= deadline + kKillPatience) ::_exit(127);
    const int signal = ::sigtimedwait(&watched, nullptr, ending ? &kLook : nullptr);
    if (signal == SIGTERM && !ending) {
      ending = true;
      deadline = Clock::now() + kTerminationPatience;
      signal_all(SIGTERM);
    }
  }
}

}  // namespace r2pac
