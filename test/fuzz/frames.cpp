// The answers of a simulator. A real process sends them, whatever they are, and then hangs up.
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <vector>

#include "envs/child_environment.h"
#include "test/fuzz/fuzz.h"

using namespace r2pac;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string path =
      (std::filesystem::temp_directory_path() / ("r2pac-frames-" + std::to_string(getpid()))).string();
  std::ofstream(path, std::ios::binary) << fuzz::text_of(data, size);
  fuzz::expect(ExitCode::environment, [&] {
    ChildEnvironment environment({.command = "exec cat " + path + " >&3",
                                  .copies = 1,
                                  .processes = 1,
                                  .start_timeout = 5,
                                  .step_timeout = 5});
    environment.reset(1, 0);
    const std::vector<float> actions(static_cast<std::size_t>(environment.action_dim()), 0.5f);
    for (int step = 0; step < 3; ++step) {
      for (const float value : environment.observations()) fuzz::require(std::isfinite(value));
      environment.step(actions);
      fuzz::require(std::isfinite(environment.rewards()[0]) && std::isfinite(environment.costs()[0]));
    }
  });
  std::remove(path.c_str());
  return 0;
}
