// Data sets as other programs write them, and those that leave something out.
#include "test/layout_support.h"
#include "test/npz_support.h"
#include "test/program.h"

using namespace r2pac;

TEST_CASE("episodes are read in the order of their numbers, whatever these are") {
  const ScratchFolder folder;
  const std::string path = folder / "main_data.hdf5";
  make_file(path, [](hid_t file) {
    for (const int number : {1, 2, 5, 10})
      put_episode(file, number, 100.0f * static_cast<float>(number), {0, 1, 2}, true, false);
    const hid_t space = H5Screate(H5S_SCALAR),
                stated = H5Acreate2(file, "total_episodes", H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    const std::int64_t count = 11;
    H5Awrite(stated, H5T_NATIVE_INT64, &count);
    H5Aclose(stated);
    H5Sclose(space);
  });
  const OtherData data = read_layout(path, {});
  CHECK(data.columns.rows == 12);
  CHECK(data.columns.observations[3] == 200);
  CHECK(data.columns.observations[9] == 1000);
  REQUIRE(data.notes.size() == 1);
  CHECK_THAT(data.notes[0], Catch::Contains("numbers 1 to 10 only 4 are there") &&
                                Catch::Contains("says 11 episodes, it has 4"));
}

TEST_CASE("robomimic: observations side by side, or those that are named") {
  const ScratchFolder folder;
  const std::string path = folder / "robomimic.hdf5";
  const bool next = GENERATE(true, false);
  make_file(path, [&](hid_t file) {
    in_group(file, "data", [&](hid_t data) {
      put_demo(data, 0, 0, next);
      put_demo(data, 10, 20, next);
      put_demo(data, 2, 10, next);
    });
  });
  const OtherData data = read_layout(path, {});
  CHECK(data.layout == Layout::robomimic);
  CHECK(data.columns.observation_dim == 3);
  CHECK(data.columns.rows == (next ? 9 : 6));  // without, the last row of each cut episode goes
  CHECK(Floats(data.columns.observations.begin(), data.columns.observations.begin() + 6) ==
        Floats{0, 0, 7, 1, 0, 7});
  if (next) {
    CHECK(data.columns.observations[9] == 10);
    CHECK(data.columns.next_observations[24] == 23);
  }
  CHECK(data.columns.timeouts[next ? 2 : 1] == 1);  // `dones` of episodes of one length are a step limit
  std::string notes;
  for (const std::string& note : data.notes) notes += note + "\n";
  CHECK_THAT(notes, Catch::Contains("obs/eef,obs/gripper, side by side") &&
                        Catch::Contains("not flat: obs/image") && Catch::Contains("numbers 0 to 10 only 3"));
  LayoutOptions options;
  options.names = {{"observations", "obs/eef"}, {"next_observations", "next_obs/eef"}};
  if (next) CHECK(read_layout(path, options).columns.observation_dim == 2);
}

TEST_CASE("both formats of d3rlpy") {
  const ScratchFolder folder;
  const std::string path = folder / "buffer.h5";
  SECTION("1: `episode_terminals` are ends of either kind") {
    make_file(path, [](hid_t file) {
      put(file, "observations", {6, 1}, {0, 1, 2, 10, 11, 12});
      put(file, "actions", {6, 1}, {0.5f, 0, 0, 0, 0, 0.25f});
      put(file, "rewards", {6}, {1, 2, 3, 4, 5, 6});
      put(file, "costs", {6}, {0, 0, 0, 0, 0, 1});
      put(file, "terminals", {6}, {0, 0, 1, 0, 0, 0});
      put(file, "episode_terminals", {6}, {0, 0, 1, 0, 0, 1});
    });
    const OtherData data = read_layout(path, {});
    CHECK(data.columns.terminals == Flags{0, 0, 1, 0, 0});
    CHECK(data.columns.timeouts == Flags{0, 0, 0, 0, 1});
  }
  SECTION("2: arrays numbered by episodes") {
    make_file(path, [](hid_t file) {
      for (int i = 0; i < 12; ++i) {
        const std::string of = "_" + std::to_string(i);
        const float first = 10.0f * static_cast<float>(i);
        put(file, "observations" + of, {3, 1}, {first, first + 1, first + 2});
        put(file, "actions" + of, {3, 1}, {0.5f, 0.25f, 0});
        put(file, "rewards" + of, {3, 1}, {1, 2, 3});
        put(file, "terminated" + of, {}, {i == 0 ? 1.0f : 0.0f}, H5T_STD_U8LE);
      }
    });
    CHECK_THAT(refusal_of(path).what, Catch::Contains("holds no costs"));
    const OtherData data = read_layout(path, {.layout = Layout::automatic, .cost_key = "", .no_costs = true});
    CHECK(data.layout == Layout::d3rlpy);
    CHECK(data.columns.rows == 3 + 11 * 2);
    CHECK(data.columns.observations[5] == 20);  // episode 2 follows episode 1, not 10
    CHECK(data.columns.terminals[2] == 1);
    CHECK(data.columns.timeouts[4] == 1);
  }
}

TEST_CASE("what MATLAB wrote is turned, and refused by name where it cannot be") {
  const ScratchFolder folder;
  const std::string path = folder / "matlab.mat";
  make_file(path, [](hid_t file) {
    put(file, "observations", {2, 4}, {0, 1, 2, 3, 10, 11, 12, 13});
    put(file, "next_observations", {2, 4}, {1, 2, 3, 4, 11, 12, 13, 14});
    put(file, "actions", {1, 4}, {0.5f, 0.25f, 0, 1});
    for (const char* const name : {"rewards", "costs"}) put(file, name, {1, 4}, {1, 2, 3, 1});
    put(file, "terminals", {1, 4}, {0, 0, 0, 0});
    put(file, "timeouts", {1, 4}, {0, 0, 0, 1});
  });
  const OtherData data = read_layout(path, {});
  CHECK(data.columns.observation_dim == 2);
  CHECK(data.columns.observations == Floats{0, 10, 1, 11, 2, 12, 3, 13});
  CHECK(data.columns.actions == Floats{0.5f, 0.25f, 0, 1});
  CHECK(data.columns.timeouts == Flags{0, 0, 0, 1});
  CHECK_THAT(data.notes.back(), Catch::Contains("MATLAB"));
  const ProgramResult check = run_program({"data", "check", path});
  CHECK(check.status == 3);
  CHECK_THAT(check.out, Catch::Contains("transposed, as MATLAB writes") && Catch::Contains("data convert"));
}

TEST_CASE("where nothing says where episodes end, they are not made one") {
  const ScratchFolder folder;
  const std::string path = folder / "ends.hdf5";
  const auto make = [&](const Floats& terminals, bool timeouts, bool next) {
    make_file(path, [&](hid_t file) {
      put(file, "observations", {6, 1}, {0, 1, 2, 3, 4, 5});
      if (next) put(file, "next_observations", {6, 1}, {1, 2, 3, 4, 5, 6});
      put(file, "actions", {6, 1}, {0.5f, 0, 0, 0, 0, 0.25f});
      put(file, "rewards", {6}, {1, 2, 3, 4, 5, 6});
      put(file, "costs", {6}, Floats(6));
      put(file, "terminals", {6}, terminals);
      if (timeouts) put(file, "timeouts", {6}, Floats(6));
    });
  };
  const auto cut_after = [&](std::int64_t steps) {
    LayoutOptions options;
    options.episode_steps = steps;
    return read_layout(path, options).columns;
  };
  SECTION("no flag at all") {
    const bool next = GENERATE(true, false), timeouts = GENERATE(true, false);
    make(Floats(6), timeouts, next);
    const Refusal refusal = refusal_of(path);
    CHECK_THAT(refusal.what, Catch::Contains("0 ends are flagged in 6 rows"));
    CHECK_THAT(refusal.todo, Catch::Contains("--episode-steps N"));
    CHECK(cut_after(3).timeouts == (next ? Flags{0, 0, 1, 0, 0, 1} : Flags{0, 1, 0, 1}));
    CHECK(cut_after(6).timeouts == (next ? Flags{0, 0, 0, 0, 0, 1} : Flags{0, 0, 0, 0, 1}));  // one episode
  }
  SECTION("genuine ends alone do not tell cuts") {
    make({0, 1, 0, 0, 0, 0}, false, false);
    const Refusal refusal = refusal_of(path);
    CHECK_THAT(refusal.what, Catch::Contains("1 end is flagged in 6 rows"));
    CHECK_THAT(refusal.todo, Catch::Contains("--episode-steps N"));
    const DsrlColumns columns = cut_after(3);
    CHECK(columns.observations == Floats{0, 1, 2, 3});  // rows 4 and 5 were cut
    CHECK(columns.terminals == Flags{0, 1, 0, 0});
    CHECK(columns.timeouts == Flags{0, 0, 0, 1});
  }
}

TEST_CASE("rows in no order are not made episodes of one row") {
  const ScratchFolder folder;
  const std::string path = folder / "shuffled.hdf5";
  make_file(path, [](hid_t file) {
    Floats seen(40), next(40), zeros(40);
    for (std::size_t i = 0; i < 40; ++i) {
      seen[i] = static_cast<float>(i * 17 % 40);
      next[i] = seen[i] + 1;
    }
    put(file, "observations", {40, 1}, seen);
    put(file, "next_observations", {40, 1}, next);
    put(file, "actions", {40, 1}, zeros);
    for (const char* const name : {"rewards", "costs", "terminals"}) put(file, name, {40}, zeros);
  });
  CHECK_THAT(refusal_of(path).what, Catch::Contains("the rows are in no order"));
}

TEST_CASE("one `done` for many lengths is no step limit") {
  const ScratchFolder folder;
  const std::string path = folder / "done.npz";
  Floats seen, done, next;
  for (int episode = 0; episode < 60; ++episode)  // two of the greatest length among sixty
    for (int t = 0; t < (episode < 2 ? 5 : 2 + episode % 3); ++t) {
      seen.push_back(static_cast<float>(10 * episode + t));
      next.push_back(seen.back() + 1);
      done.push_back(t + 1 == (episode < 2 ? 5 : 2 + episode % 3));
    }
  const std::string n = std::to_string(seen.size()), column = "(" + n + ", 1)";
  write_npz(path, {{"obs", npy_array<float>("<f4", column, seen)},
                   {"next_obs", npy_array<float>("<f4", column, next)},
                   {"act", npy_array<float>("<f4", column, Floats(seen.size()))},
                   {"rew", npy_array<float>("<f4", column, Floats(seen.size()))},
                   {"cost", npy_array<float>("<f4", column, Floats(seen.size()))},
                   {"done", npy_array<float>("<f4", column, done)}});
  const OtherData data = read_layout(path, {});
  CHECK(std::count(data.columns.terminals.begin(), data.columns.terminals.end(), 1) == 60);
  CHECK_THAT(data.notes.at(0), Catch::Contains("all ends count as genuine"));
}

TEST_CASE("unknown names are listed and mapped") {
  const ScratchFolder folder;
  const std::string path = folder / "log.hdf5", out = folder / "out.hdf5";
  make_file(path, [](hid_t file) {
    put_flat(file, true, "costs");
    H5Lmove(file, "observations", file, "state", H5P_DEFAULT, H5P_DEFAULT);
    put(file, "goal", {5}, {9, 9, 9, 8, 8});
    in_group(file, "arm", [](hid_t arm) { put(arm, "torque", {5, 3}, Floats(15)); });
  });
  const Refusal refusal = refusal_of(path);
  CHECK_THAT(refusal.what, Catch::Contains("array `observations` is missing"));
  CHECK_THAT(refusal.todo, Catch::Contains("`state` [5, 1]") && Catch::Contains("`arm/torque` [5, 3]") &&
                               Catch::Contains("--map observations=NAME"));
  for (const std::string verb : {"check", "info"}) {
    const ProgramResult told = run_program({"data", verb, path});
    CHECK(told.status == 3);
    CHECK_THAT(told.out + told.err, Catch::Contains("`state` [5, 1]") && Catch::Contains("data convert"));
  }
  const ProgramResult result =
      run_program({"data", "convert", path, "-o", out, "--map", "observations=state,goal", "--map",
                   "next_observations=next_observations,goal"});
  INFO(result.err);
  REQUIRE(result.status == 0);
  CHECK(read_dsrl(out).observations == Floats{0, 9, 1, 9, 2, 9, 10, 8, 11, 8});
  for (const std::string wrong : {"observations", "state=observations", "observations="}) {
    const ProgramResult refused = run_program({"data", "convert", path, "-o", out, "--map", wrong});
    CHECK(refused.status == static_cast<int>(ExitCode::usage));
    CHECK_THAT(refused.err, Catch::Contains("next_observations"));
  }
}

TEST_CASE("layouts that convert reads are called by their names where they are not read") {
  const ScratchFolder folder;
  const std::string path = folder / "other.hdf5";
  const auto check = [&] {
    const ProgramResult result = run_program({"data", "check", path});
    CHECK(result.status == 3);
    CHECK_THAT(result.out, Catch::Contains("`r2pac data convert` makes a DSRL file of it"));
    return result.out;
  };
  make_file(path, [](hid_t file) { put_episode(file, 3, 0, {0, 1, 2}, true, false); });
  CHECK_THAT(check(), Catch::Contains("this is a Minari file"));
  make_file(path, [](hid_t file) { in_group(file, "data", [](hid_t data) { put_demo(data, 0, 0, true); }); });
  CHECK_THAT(check(), Catch::Contains("this is a robomimic file"));
  make_file(path, [](hid_t file) { put_flat(file, false); });
  CHECK_THAT(check(), Catch::Contains("`infos/cost` [5]"));
}
