// HDF5 files of other layouts, made through the C API, and what reading them says.
#pragma once

#include <hdf5.h>

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "data/layouts.h"
#include "test/data_support.h"

namespace r2pac {

using Floats = std::vector<float>;
using Flags = std::vector<std::uint8_t>;

/// Writes an array of floats, or of whole numbers, into an HDF5 file or group.
inline void put(hid_t where, const std::string& name, const std::vector<hsize_t>& size,
                const std::vector<float>& values, hid_t type = H5T_IEEE_F64LE) {
  const hid_t space = H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr);
  const hid_t array = H5Dcreate2(where, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  REQUIRE(H5Dwrite(array, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
  H5Dclose(array);
  H5Sclose(space);
}

inline void make_file(const std::string& path, const std::function<void(hid_t)>& fill) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  fill(file);
  REQUIRE(H5Fclose(file) >= 0);
}

inline void in_group(hid_t file, const std::string& name, const std::function<void(hid_t)>& fill) {
  const hid_t group = H5Gcreate2(file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  fill(group);
  H5Gclose(group);
}

/// Five rows in the manner of D4RL: an episode of three that ends genuinely, and one of two that is cut.
inline void put_flat(hid_t file, bool next, const std::string& costs = "infos/cost") {
  put(file, "observations", {5, 1}, {0, 1, 2, 10, 11});
  if (next) put(file, "next_observations", {5, 1}, {1, 2, 3, 11, 12});
  put(file, "actions", {5, 2}, {0, 0, 1, 1, 0.5f, 0.5f, -1, -1, 0, 1});
  put(file, "rewards", {5}, {1, 2, 3, 4, 5});
  put(file, "terminals", {5}, {0, 0, 1, 0, 0}, H5T_STD_U8LE);
  put(file, "timeouts", {5}, {0, 0, 0, 0, 1}, H5T_STD_I8LE);
  if (costs == "infos/cost")
    in_group(file, "infos", [](hid_t infos) { put(infos, "cost", {5}, {0, 1, 0, 3, 4}); });
  else if (!costs.empty())
    put(file, costs, {5}, {0, 1, 0, 3, 4});
}

/// An episode in the manner of Minari, of as many rows as there are rewards.
inline void put_episode(hid_t file, int number, float first, const std::vector<float>& costs, bool terminated,
                        bool truncated, std::size_t rows = 3) {
  in_group(file, "episode_" + std::to_string(number), [&](hid_t episode) {
    std::vector<float> seen, zeros(rows), end(rows);
    for (std::size_t i = 0; i <= rows; ++i) seen.push_back(first + static_cast<float>(i));
    end.back() = 1;
    put(episode, "observations", {rows + 1, 1}, seen);
    put(episode, "actions", {rows, 1}, zeros);
    put(episode, "rewards", {rows}, std::vector<float>(seen.begin(), seen.end() - 1));
    put(episode, "terminations", {rows}, terminated ? end : zeros, H5T_STD_I8LE);
    put(episode, "truncations", {rows}, truncated ? end : zeros, H5T_STD_I8LE);
    in_group(episode, "infos", [&](hid_t infos) { put(infos, "cost", {costs.size()}, costs); });
  });
}

struct Refusal {
  std::string what, todo;
};

/// One episode in the manner of robomimic, whose observations are several arrays.
inline void put_demo(hid_t data, int number, float first, bool next) {
  in_group(data, "demo_" + std::to_string(number), [&](hid_t demo) {
    put(demo, "actions", {3, 1}, {0.5f, 0.25f, -0.5f});
    put(demo, "rewards", {3}, {0, 0, 1});
    put(demo, "dones", {3}, {0, 0, 1}, H5T_STD_I64LE);
    put(demo, "costs", {3}, {0, 1, 0});
    for (const char* const group : {"obs", "next_obs"})
      if (group == std::string("obs") || next)
        in_group(demo, group, [&](hid_t obs) {
          const float shift = first + (group == std::string("obs") ? 0.0f : 1.0f);
          put(obs, "eef", {3, 2}, {shift, 0, shift + 1, 0, shift + 2, 0});
          put(obs, "gripper", {3}, {7, 7, 7});
          put(obs, "image", {3, 2, 2}, Floats(12));
        });
  });
}

inline Refusal refusal_of(const std::string& path, const LayoutOptions& options = {}) {
  try {
    read_layout(path, options);
    return {};
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::data);
    CHECK(error.where() == path);
    return {error.what(), error.todo()};
  }
}

}  // namespace r2pac
