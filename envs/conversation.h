// Questions to a child and its answers, by the protocol of docs/environments.md.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "envs/child_process.h"
#include "envs/wire.h"

namespace r2pac {

/// What is wrong with a child, before its command and its output are added.
struct Complaint {
  std::string what, todo{}, details{};
  ExitCode code = ExitCode::environment;
};

inline constexpr const char* kServe =
    "docs/environments.md says how to serve a program; its protocol alone may use file descriptor 3 "
    "(R2PAC_ENV_FD)";

inline constexpr double kLongestTimeout = 1e6;  ///< seconds
inline constexpr double kClosePatience = 2;     ///< seconds for a child to end that was asked to

/// Shortest text of a number, of six digits at most.
std::string shortest(double value);

/// The error of a complaint about `command`, with the last lines that the child has printed.
Error as_error(const Complaint& complaint, const std::string& command, const std::string& output);

/// One question, perhaps to several children, and the time by which it is answered.
struct Call {
  using Clock = std::chrono::steady_clock;

  const char* name;
  double timeout;            ///< seconds; as long again after each sign that a child works
  std::uint32_t number = 0;  ///< of a request
  const char* if_ended =
      "its last output, if there is any, tells why";       ///< what to do about a child that ends
  ExitCode if_reported = ExitCode::environment;            ///< the class of an error that it reports
  mutable Clock::time_point deadline = from_now(timeout);  ///< moves on while children are waited for

  static Clock::time_point from_now(double seconds) {
    return Clock::now() +
           std::chrono::ceil<std::chrono::milliseconds>(std::chrono::duration<double>(seconds));
  }
};

/// A child and the connection to it. All calls but the first two throw a Complaint about what the child does,
/// and Interrupted where `stop` says so.
class Conversation {
 public:
  /// As of ChildProcess. party  what the child is, for errors: "environment" or "policy"
  Conversation(const std::vector<std::string>& arguments, const std::vector<std::string>& variables,
               const std::function<bool()>& stop, std::string party = "environment")
      : process_(arguments, variables, stop), party_(std::move(party)) {}

  /// From now on answers repeat the number of their request.
  void use_numbers() { numbered_ = true; }

  /// Throws where something came that nobody has asked for: it would be taken for the answer.
  void send(const Call& call, wire::Writer message);

  /// The payload of the answer, without the request's number, of `least` to `most` bytes.
  /// most_signs  how often the child may say that it works
  std::string receive(const Call& call, wire::Message expected, std::size_t least, std::size_t most,
                      std::size_t most_signs = 0);

  /// After `close` was sent: waits for the end of the connection. A message that comes before it is one too
  /// many.
  void await_end(const Call& call);

  ChildProcess& process() { return process_; }

 private:
  void take(std::span<char> bytes, const Call& call);
  std::string take_payload(std::uint32_t length, std::size_t least, std::size_t most, const Call& call);

  ChildProcess process_;
  std::string party_;
  bool numbered_ = false;
};

}  // namespace r2pac
