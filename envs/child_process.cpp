#include "envs/child_process.h"

#include <fcntl.h>
#include <poll.h>
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
#include "envs/process_keeper.h"

extern char** environ;

namespace r2pac {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t kKeptOutput = 16 << 10;  // bytes
constexpr std::size_t kShownOutput = 2000;     // bytes
constexpr int kShownLines = 12;
constexpr int kMostParts = 64;      // a full pipe; more comes only from a process that has left the group
constexpr milliseconds kLook{100};  // between two questions whether to stop
constexpr std::chrono::seconds kSuspended{1};       // later than this, we did not run at all
constexpr std::chrono::seconds kKeeperPatience{5};  // it needs three at most

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

ChildProcess::ChildProcess(std::vector<std::string> arguments, const std::vector<std::string>& environment,
                           std::function<bool()> stop)
    : stop_(std::move(stop)) {
  std::vector<std::string> variables = joined_environment(environment);
  const std::vector<char*> argv = pointers(arguments), envp = pointers(variables);
  Ends socket = make_socket(), output = make_pipe(), failure = make_pipe();
  const pid_t parent = ::getpid();
  const KeptProgram program{argv.data(), envp.data(), socket.childs.get(), output.childs.get(),
                            failure.childs.get()};
  keeper_ = ::fork();
  if (keeper_ < 0) throw cannot("cannot start an environment's process", errno);
  if (keeper_ == 0) keep_program(program, parent);
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

// Waits until the socket is ready, and takes what the child prints meanwhile; `done`: it is ready.
ChildProcess::Transfer ChildProcess::wait_for(short events, Clock::time_point& deadline) {
  while (true) {
    if (stop_ && stop_()) return Transfer::stopped;
    const auto begin = Clock::now();
    const auto wait = std::clamp(std::chrono::ceil<milliseconds>(deadline - begin), milliseconds(0), kLook);
    std::array<pollfd, 2> watched{{{socket_.get(), events, 0}, {output_.get(), POLLIN, 0}}};
    const int ready = ::poll(watched.data(), watched.size(), static_cast<int>(wait.count()));
    if (const auto late = Clock::now() - begin - wait; late > kSuspended) deadline += late;
    if (ready > 0 && watched[1].revents != 0) keep_output();
    if (ready > 0 && watched[0].revents != 0) return Transfer::done;
    if (ready < 0 && errno != EINTR) return Transfer::timed_out;
    if (Clock::now() >= deadline) return Transfer::timed_out;
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

ChildProcess::Transfer ChildProcess::send(std::string_view bytes, Clock::time_point& deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (const Transfer ready = wait_for(POLLOUT, deadline); ready != Transfer::done) return ready;
    } else if (errno != EINTR) {
      return Transfer::closed;
    }
  }
  return Transfer::done;
}

ChildProcess::Transfer ChildProcess::receive(std::span<char> bytes, Clock::time_point& deadline) {
  while (!bytes.empty()) {
    const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
    if (got > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    } else if (got < 0 && errno == EAGAIN) {
      if (const Transfer ready = wait_for(POLLIN, deadline); ready != Transfer::done) return ready;
    } else if (got == 0 || errno != EINTR) {
      return Transfer::closed;
    }
  }
  return Transfer::done;
}

std::size_t ChildProcess::peek(std::span<char> bytes) const {
  const ssize_t got = ::recv(socket_.get(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

bool ChildProcess::ended_by(Clock::time_point deadline) {
  while (keeper_ > 0) {
    siginfo_t state{};
    // An error means that someone else has reaped it.
    if (::waitid(P_PID, static_cast<id_t>(keeper_), &state, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        state.si_pid != 0)
      return true;
    if (Clock::now() >= deadline) return false;
    pollfd watched{output_.get(), POLLIN, 0};  // a child whose pipe is full would not end
    if (::poll(&watched, 1, 2) > 0) keep_output();
  }
  return true;
}

void ChildProcess::begin_end() {
  hang_up();
  if (keeper_ > 0) ::kill(keeper_, SIGTERM);
}

void ChildProcess::end(Clock::time_point deadline) {
  if (keeper_ <= 0) return;
  hang_up();
  if (!ended_by(deadline)) {
    begin_end();
    if (!ended_by(Clock::now() + kKeeperPatience)) ::kill(keeper_, SIGKILL);
  }
  while (::waitpid(keeper_, &status_, 0) < 0 && errno == EINTR) {
  }
  keeper_ = -1;
}

std::string ChildProcess::last_output() {
  for (int part = 0; part < kMostParts && output_.get() >= 0; ++part) {
    pollfd watched{output_.get(), POLLIN, 0};
    if (::poll(&watched, 1, 0) <= 0) break;
    keep_output();
  }
  return last_lines(kept_);
}

std::string ChildProcess::how_it_ended() const {
  if (WIFSIGNALED(status_))
    return "was killed by signal " + std::to_string(WTERMSIG(status_)) + " (" +
           ::strsignal(WTERMSIG(status_)) + ")";
  return "ended with status " + std::to_string(WEXITSTATUS(status_));
}

}  // namespace r2pac
