// The process between ours and a simulator, which lets nothing of the simulator outlive us.
#pragma once

#include <sys/types.h>

namespace r2pac {

/// What is started, and the numbers of open files: they are made before the fork.
struct KeptProgram {
  char* const* arguments;    ///< the first is looked for in PATH; ended by null
  char* const* environment;  ///< ended by null
  int socket;                ///< becomes file descriptor 3
  int output;                ///< becomes standard output and error
  int failure;               ///< gets the errno of what failed before the program ran; closed by its exec
};

/// For a child that was just forked by `parent`. Starts the program in a process group of its own. All that
/// comes of it, daemons too, become children of this process when their own parents end. On SIGTERM, and when
/// the parent's thread ends, whatever is left gets SIGTERM, and half a second later SIGKILL. Ends after them
/// all, in the way in which the program has ended. Makes only calls that are safe between fork and exec.
[[noreturn]] void keep_program(const KeptProgram& program, pid_t parent);

}  // namespace r2pac
