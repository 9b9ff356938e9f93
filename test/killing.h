// Programs that are killed at random instants of the time that they take undisturbed.
#pragma once

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "base/philox.h"
#include "program.h"

namespace r2pac {

/// How long the command takes, which must succeed.
inline double seconds_of(const std::vector<std::string>& arguments) {
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(run_program(arguments).status == 0);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Runs a command that takes so many seconds, and kills it at an instant of them, the same share for the same
/// `draw` in every run of a test. True if it was not done by then.
inline bool kill_at_random(const std::vector<std::string>& arguments, double seconds, std::uint32_t draw) {
  Process program(arguments);
  std::this_thread::sleep_for(
      std::chrono::duration<double>(random_uniform(11, Purpose::test, 0, draw, 0) * seconds));
  program.signal(SIGKILL);
  const int status = program.wait().status;
  REQUIRE((status == -SIGKILL || status == 0));
  return status != 0;
}

}  // namespace r2pac
