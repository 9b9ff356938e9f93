// A process of our own at the other end of a socket, with its output kept for error messages.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace r2pac {

/// Bytes of other programs for a message or a terminal: what is not printable ASCII becomes `?`; line ends
/// stay.
std::string plain_text(std::string_view text);

/// The end of a text: at most 12 lines and 2000 bytes, printable.
std::string last_lines(std::string_view text);

/// A file descriptor, closed with its owner; -1: none.
class FileDescriptor {
 public:
  explicit FileDescriptor(int number = -1) : number_(number) {}
  FileDescriptor(FileDescriptor&& other) noexcept : number_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~FileDescriptor() { reset(); }

  int get() const { return number_; }
  int release() {
    const int number = number_;
    number_ = -1;
    return number;
  }
  void reset(int number = -1);

 private:
  int number_;
};

/// A program and all that it starts, daemons too: a keeper between it and us (envs/process_keeper.h) ends
/// them with this object, with the thread that made it, and with our process, even by SIGKILL. The program
/// leads a process group of its own, so Ctrl-C does not reach it. Its standard input is empty; standard
/// output and error come to us; file descriptor 3 is its end of the socket, and the only other one that it
/// inherits.
class ChildProcess {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Transfer { done, timed_out, closed, stopped };

  /// arguments    program (looked for in PATH) and its arguments, at least one
  /// environment  "NAME=value" entries that replace or join ours
  /// stop         asked ten times a second while a transfer waits; true ends it as `stopped`
  /// Throws Error(ExitCode::environment), without a `where`, when the program cannot be started.
  ChildProcess(std::vector<std::string> arguments, const std::vector<std::string>& environment,
               std::function<bool()> stop = {});
  ~ChildProcess() { end(Clock::now()); }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// All bytes, or nothing useful: after anything but `done` the connection is at an unknown place.
  /// deadline  moves on by the time for which we were suspended, as the child most likely was
  Transfer send(std::string_view bytes, Clock::time_point& deadline);
  Transfer receive(std::span<char> bytes, Clock::time_point& deadline);

  /// Copies what has come and was not received yet, without waiting; it stays. How many bytes.
  std::size_t peek(std::span<char> bytes) const;

  /// Closes our end of the socket: an idle server ends.
  void hang_up() { socket_.reset(); }

  /// True when the program and all that came of it have ended by the deadline.
  bool ended_by(Clock::time_point deadline);

  /// Hangs up and has what is left killed, without waiting for it.
  void begin_end();

  /// Hangs up, waits for the end until the deadline, and then has what is left killed: by SIGTERM, and soon
  /// by SIGKILL. A second call does nothing.
  void end(Clock::time_point deadline);

  /// How it ended, for a sentence: "ended with status 3", "was killed by signal 11 (Segmentation fault)".
  std::string how_it_ended() const;

  /// The last lines of its standard output and error so far.
  std::string last_output();

 private:
  Transfer wait_for(short events, Clock::time_point& deadline);
  void keep_output();

  FileDescriptor socket_, output_;
  std::function<bool()> stop_;
  std::string kept_;   // the end of what it has written
  pid_t keeper_ = -1;  // -1 once reaped
  int status_ = 0;
};

}  // namespace r2pac
