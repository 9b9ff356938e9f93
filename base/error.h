// One error type for the whole program: what happened, where, and what to do about it.
#pragma once

#include <stdexcept>
#include <string>

namespace r2pac {

/// Exit status of the `r2pac` command, by class of failure. Scripts may rely on the numbers.
enum class ExitCode {
  ok = 0,
  slower = 1,       ///< of two measurements that were compared, the later has a slower row
  usage = 2,        ///< unknown flag, verb or value on the command line
  data = 3,         ///< a data set that cannot be read or used
  settings = 4,     ///< a settings file, key or value; or a resume with other data or settings
  checkpoint = 5,   ///< a checkpoint or policy file that is damaged or of another kind
  device = 6,       ///< a compute device that is missing or unusable
  diverged = 7,     ///< a loss or gradient stopped being finite
  disk = 8,         ///< a file could not be written
  environment = 9,  ///< an environment or policy in a child that is missing, died, hung or broke rules
  resumable = 75,   ///< stopped by a signal after saving; run again with `--resume auto`
};

/// An error that a user can act upon.
/// what  one sentence saying what is wrong, without a full stop
/// where file, array, key or argument concerned; may be empty
/// todo  what to do about it; may be empty
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& what, std::string where = {}, std::string todo = {})
      : std::runtime_error(what), code_(code), where_(std::move(where)), todo_(std::move(todo)) {}

  ExitCode code() const { return code_; }
  const std::string& where() const { return where_; }
  const std::string& todo() const { return todo_; }

 private:
  ExitCode code_;
  std::string where_;
  std::string todo_;
};

/// A caller's mistake inside the program: names the function, the argument and both shapes.
class InvalidArgument : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

}  // namespace r2pac
