#include "envs/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

#include "base/error.h"

extern char** environ;

namespace r2pac {

namespace {

using std::chrono::milliseconds;

constexpr int kChildSocket = 3;
constexpr std::size_t kKeptOutput = 16 << 10;  // bytes
constexpr std::size_t kShownOutput = 2000;     // bytes
constexpr int kShownLines = 12;
constexpr int kMostParts = 64;  // a full pipe; more comes only from a process that has left the group
constexpr milliseconds kTerminationPatience{500};

Error cannot(const std::string& what, int number) {
  return Error(ExitCode::environment, what + ": " + std::strerror(number));
}

// Out of the way of the numbers that the child's descriptors get.
FileDescriptor moved_up(int number) {
  const FileDescriptor low(number);
  FileDescriptor high(::fcntl(number, F_DUPFD_CLOEXEC, 10));
  if (high.get() < 0) throw cannot("cannot start an environment's process", errno);
  return high;
}

struct Ends {
  FileDescriptor ours, childs;
};

Ends make_socket() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw cannot("cannot make a socket for an environment's process", errno);
  FileDescriptor ours(ends[0]);
  return {std::move(ours), moved_up(ends[1])};
}

Ends make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw cannot("cannot make a pipe for an environment's process", errno);
  FileDescriptor ours(ends[0]);
  return {std::move(ours), moved_up(ends[1])};
}

std::vector<std::string> joined_environment(const std::vector<std::string>& added) {
  std::vector<std::string> all = added;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view name = std::string_view(*entry).substr(0, std::string_view(*entry).find('=') + 1);
    if (std::ranges::none_of(added, [&](const std::string& one) { return one.starts_with(name); }))
      all.emplace_back(*entry);
  }
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// What happens between fork and exec: only calls that are safe there. Returns the number of what failed.
int become(char* const* arguments, char* const* environment, pid_t parent, int socket, int output) {
  sigset_t none;
  sigemptyset(&none);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
  if (::getppid() != parent) return ESRCH;  // it died before that
  if (::setpgid(0, 0) != 0) return errno;
  for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGCHLD, SIGHUP, SIGQUIT}) ::signal(signal, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0 || ::dup2(output, STDOUT_FILENO) < 0 || ::dup2(output, STDERR_FILENO) < 0) return errno;
  if (nothing != STDIN_FILENO && ::dup2(nothing, STDIN_FILENO) < 0) return errno;
  if (nothing == STDIN_FILENO && ::fcntl(nothing, F_SETFD, 0) != 0) return errno;
  if (::dup2(socket, kChildSocket) < 0) return errno;
  // Ours close themselves; this is for what others left open. Kernels before 5.11 do not know it.
  static_cast<void>(::close_range(kChildSocket + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC));
  ::execvpe(arguments[0], arguments, environment);
  return errno;
}

}  // namespace

void FileDescriptor::reset(int number) {
  if (number_ >= 0) ::close(number_);
  number_ = number;
}

std::string plain_text(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(
      out, [](char c) { return c != '\n' && (c < ' ' || c > '~'); }, '?');
  return out;
}

std::string last_lines(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (text.size() > kShownOutput) text.remove_prefix(text.size() - kShownOutput);
  std::size_t start = text.size();
  for (int line = 0; line < kShownLines && start != std::string_view::npos && start > 0; ++line)
    start = text.rfind('\n', start - 1);
  if (start < text.size()) text.remove_prefix(start + 1);
  return plain_text(text);
}

ChildProcess::ChildProcess(std::vector<std::string> arguments, const std::vector<std::string>& environment) {
  std::vector<std::string> variables = joined_environment(environment);
  const std::vector<char*> argv = pointers(arguments), envp = pointers(variables);
  Ends socket = make_socket(), output = make_pipe(), failure = make_pipe();
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw cannot("cannot start an environment's process", errno);
  if (pid_ == 0) {
    const int number = become(argv.data(), envp.data(), parent, socket.childs.get(), output.childs.get());
    static_cast<void>(!::write(failure.childs.get(), &number, sizeof number));
    ::_exit(127);
  }
  ::setpgid(pid_, pid_);  // so that the group is there whoever comes first
  socket_ = std::move(socket.ours);
  output_ = std::move(output.ours);
  ::fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
  failure.childs.reset();
  int number = 0;
  ssize_t got;
  do got = ::read(failure.ours.get(), &number, sizeof number);
  while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof number)) {
    end(Clock::now());
    throw cannot("cannot start `" + plain_text(arguments.front()) + "`", number);
  }
}

// Waits until the socket is ready, and takes what the child prints meanwhile; false: not by the deadline.
bool ChildProcess::wait_for(short events, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now()).count();
    std::array<pollfd, 2> watched{{{socket_.get(), events, 0}, {output_.get(), POLLIN, 0}}};
    const int ready =
        ::poll(watched.data(), watched.size(), static_cast<int>(std::clamp<long>(left, 0, INT_MAX)));
    if (ready > 0 && watched[1].revents != 0) keep_output();
    if (ready > 0 && watched[0].revents != 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (Clock::now() >= deadline) return false;
  }
}

void ChildProcess::keep_output() {
  std::array<char, 4096> part;
  const ssize_t got = ::read(output_.get(), part.data(), part.size());
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) output_.reset();
  if (got <= 0) return;
  kept_.append(part.data(), static_cast<std::size_t>(got));
  if (kept_.size() > 2 * kKeptOutput) kept_.erase(0, kept_.size() - kKeptOutput);
}

ChildProcess::Transfer ChildProcess::send(std::string_view bytes, Clock::time_point deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!wait_for(POLLOUT, deadline)) return Transfer::timed_out;
    } else if (errno != EINTR) {
      return Transfer::closed;
    }
  }
  return Transfer::done;
}

ChildProcess::Transfer ChildProcess::receive(std::span<char> bytes, Clock::time_point deadline) {
  while (!bytes.empty()) {
    const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    if (got > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    } else if (got < 0 && errno == EAGAIN) {
      if (!wait_for(POLLIN, deadline)) return Transfer::timed_out;
    } else if (got == 0 || errno != EINTR) {
      return Transfer::closed;
    }
  }
  return Transfer::done;
}

bool ChildProcess::ended_by(Clock::time_point deadline) {
  while (pid_ > 0) {
    siginfo_t state{};
    // An error means that someone else has reaped it.
    if (::waitid(P_PID, static_cast<id_t>(pid_), &state, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        state.si_pid != 0)
      return true;
    if (Clock::now() >= deadline) return false;
    pollfd watched{output_.get(), POLLIN, 0};  // a child whose pipe is full would not end
    if (::poll(&watched, 1, 2) > 0) keep_output();
  }
  return true;
}

void ChildProcess::end(Clock::time_point deadline) {
  if (pid_ <= 0) return;
  hang_up();
  if (!ended_by(deadline)) {
    ::kill(-pid_, SIGTERM);
    ended_by(Clock::now() + kTerminationPatience);
  }
  ::kill(-pid_, SIGKILL);  // not reaped yet, so the group's number is still ours
  while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  for (int part = 0; part < kMostParts && output_.get() >= 0; ++part) {
    pollfd watched{output_.get(), POLLIN, 0};
    if (::poll(&watched, 1, 0) <= 0) break;
    keep_output();
  }
}

std::string ChildProcess::how_it_ended() const {
  if (WIFSIGNALED(status_))
    return "was killed by signal " + std::to_string(WTERMSIG(status_)) + " (" +
           ::strsignal(WTERMSIG(status_)) + ")";
  return "ended with status " + std::to_string(WEXITSTATUS(status_));
}

}  // namespace r2pac
