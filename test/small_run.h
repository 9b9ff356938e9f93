// A small data set of the built-in robot, made by the command itself, and the arguments of a short run on it.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "program.h"

namespace r2pac {

struct SmallRun {
  ScratchFolder folder;
  std::string data = folder / "reach-avoid.hdf5", run = folder / "run";

  SmallRun() {
    REQUIRE(
        run_program({"data", "make", "reach-avoid", "-o", data, "--episodes", "30", "--seed", "3"}).status ==
        0);
  }
  std::string path(const std::string& name) const { return folder / name; }
  /// The arguments of a run of 40 steps with tiny nets, into `run` if `more` names no other folder.
  std::vector<std::string> train(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"train",   "--data", data,      "--hidden", "24,24",
                                          "--batch", "64",     "--steps", "40"};
    if (std::find(more.begin(), more.end(), "--out") == more.end()) more.insert(more.end(), {"--out", run});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
};

}  // namespace r2pac
