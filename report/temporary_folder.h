// A place for the work of another program: a folder that disappears, and the program that runs in it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "storage/posix.h"

namespace r2pac {

/// A program that is looked for in PATH.
struct ExternalProgram {
  const char *name, *needed_by, *todo;  ///< needed_by  what cannot be made without it, for a message
};

/// Throws Error(usage) with what to install where PATH has no such program. flag  what asks for it
void require_installed(const ExternalProgram& program, const std::string& flag);

/// A new folder that disappears with the object. What killed programs left is removed when the next one is
/// made.
class TemporaryFolder {
 public:
  /// Throws Error(disk).
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Throws Error(disk).
  void write(const std::string& name, const std::string& content) const;

  /// Starts a program in the folder; no shell is involved, and what it prints is kept for errors.
  /// input  file descriptor of its standard input; -1: empty
  /// Throws Error(disk) where the program is missing or does not start.
  pid_t start(const ExternalProgram& program, std::vector<std::string> arguments, int input = -1) const;

  /// Waits for its end. Throws Error(disk) with the first line that it has printed, `where` and `todo`,
  /// unless it ended with status 0. stop  asked while it is waited for; true: the program is killed, and
  /// Interrupted thrown
  void wait(pid_t child, const ExternalProgram& program, const std::string& where, const std::string& todo,
            const std::function<bool()>& stop = {}) const;

  /// start() and wait().
  void run(const ExternalProgram& program, std::vector<std::string> arguments, const std::string& where,
           const std::string& todo, const std::function<bool()>& stop = {}) const {
    wait(start(program, std::move(arguments)), program, where, todo, stop);
  }

 private:
  std::filesystem::path path_;
  Descriptor lock_;
};

}  // namespace r2pac
