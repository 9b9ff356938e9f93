// Small data sets and a folder for files, for the tests of data/.
#pragma once

#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/philox.h"
#include "data/dsrl.h"
#include "scratch_folder.h"

namespace r2pac {

struct EpisodeShape {
  int length;
  bool terminal;
  bool finished = true;
};

/// Columns without a fault: random observations that follow one another, actions in (-1, 1), random
/// rewards and 0/1 costs; the episodes end as told.
inline DsrlColumns make_columns(const std::vector<EpisodeShape>& episodes, int observation_dim = 3,
                                int action_dim = 2, std::uint64_t seed = 1) {
  DsrlColumns c;
  c.observation_dim = observation_dim;
  c.action_dim = action_dim;
  std::uint32_t draw = 0;
  const auto uniform = [&] { return 2 * random_uniform(seed, Purpose::test, 0, draw++, 0) - 1; };
  for (const EpisodeShape& episode : episodes) {
    std::vector<float> state(static_cast<std::size_t>(observation_dim));
    for (float& x : state) x = uniform();
    for (int t = 0; t < episode.length; ++t) {
      c.observations.insert(c.observations.end(), state.begin(), state.end());
      for (float& x : state) x = uniform();
      c.next_observations.insert(c.next_observations.end(), state.begin(), state.end());
      for (int a = 0; a < action_dim; ++a) c.actions.push_back(uniform());
      c.rewards.push_back(uniform());
      c.costs.push_back(uniform() > 0.5f ? 1.0f : 0.0f);
      const bool last = t + 1 == episode.length && episode.finished;
      c.terminals.push_back(last && episode.terminal);
      c.timeouts.push_back(last && !episode.terminal);
      ++c.rows;
    }
  }
  return c;
}

inline std::string bytes_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// The message of reading `path`, "" when it can be read. Checks exit code, place and remedy.
inline std::string refusal(const std::string& path, const ReadLimits& limits = {}) {
  try {
    read_dsrl(path, limits);
    return "";
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::data);
    CHECK(error.where() == path);
    CHECK_FALSE(error.todo().empty());
    return error.what();
  }
}

inline bool no_child_left() { return waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

}  // namespace r2pac
