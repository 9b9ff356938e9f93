// What the host execution layer reports of a fault, which ends the program that has it.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <functional>
#include <string>

#include "cuda_host/crash.h"

namespace r2pac {

/// Runs something in a child process; returns what it wrote to stderr, or "" if it ended well.
inline std::string report_of(const std::function<void()>& run) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  std::fflush(nullptr);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE}) std::signal(signal, SIG_DFL);
#ifndef R2PAC_CUDA_HOST_ASAN
    cuda_host::report_crashes();
#endif
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    try {
      run();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "exception: %s\n", error.what());
      _exit(1);
    }
    _exit(0);
  }
  close(ends[1]);
  std::string report;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof buffer)) > 0;)
    report.append(buffer, static_cast<std::size_t>(got));
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? std::string() : report + " ";
}

}  // namespace r2pac
