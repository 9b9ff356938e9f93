// Data sets of other layouts: what their arrays become, and what is refused.
#include "data/check.h"
#include "test/layout_support.h"
#include "test/npz_support.h"
#include "test/program.h"

using namespace r2pac;

TEST_CASE("one array for each field becomes the seven arrays") {
  const ScratchFolder folder;
  const std::string path = folder / "d4rl.hdf5";
  for (const std::string costs : {"infos/cost", "costs", "cost"}) {
    make_file(path, [&](hid_t file) { put_flat(file, true, costs); });
    const OtherData data = read_layout(path, {});
    CHECK(data.layout == (costs == "costs" ? Layout::dsrl : Layout::d4rl));
    const DsrlColumns& c = data.columns;
    CHECK(c.rows == 5);
    CHECK(c.observation_dim == 1);
    CHECK(c.action_dim == 2);
    CHECK(c.observations == Floats{0, 1, 2, 10, 11});
    CHECK(c.next_observations == Floats{1, 2, 3, 11, 12});
    CHECK(c.rewards == Floats{1, 2, 3, 4, 5});
    CHECK(c.costs == Floats{0, 1, 0, 3, 4});
    CHECK(c.terminals == Flags{0, 0, 1, 0, 0});
    CHECK(c.timeouts == Flags{0, 0, 0, 0, 1});
    CHECK(data.notes.empty());
  }
}

TEST_CASE("without next observations they are made, and a cut episode loses its last row") {
  const ScratchFolder folder;
  const std::string path = folder / "d4rl.hdf5";
  make_file(path, [](hid_t file) { put_flat(file, false); });
  const OtherData data = read_layout(path, {});
  CHECK(data.columns.rows == 4);
  CHECK(data.columns.observations == Floats{0, 1, 2, 10});
  CHECK(data.columns.next_observations == Floats{1, 2, 2, 11});
  CHECK(data.columns.actions == Floats{0, 0, 1, 1, 0.5f, 0.5f, -1, -1});
  CHECK(data.columns.costs == Floats{0, 1, 0, 3});
  CHECK(data.columns.terminals == Flags{0, 0, 1, 0});
  CHECK(data.columns.timeouts == Flags{0, 0, 0, 1});
  REQUIRE(data.notes.size() == 3);
  CHECK_THAT(data.notes[1], Catch::Contains("dropped the last row of 1 episode "));
  CHECK_THAT(data.notes[2], Catch::Contains("1 genuine end "));
  for (const Fault& fault : check_columns(data.columns, 1)) CHECK(fault.severity == Fault::Severity::warning);
}

TEST_CASE("where there are no timeouts a jump of the observation is a cut") {
  const ScratchFolder folder;
  const std::string path = folder / "jump.hdf5";
  make_file(path, [](hid_t file) {
    put_flat(file, true);
    H5Ldelete(file, "timeouts", H5P_DEFAULT);
    H5Ldelete(file, "terminals", H5P_DEFAULT);
    put(file, "terminals", {5}, {0, 0, 0, 0, 0});
  });
  const OtherData data = read_layout(path, {});
  CHECK(data.columns.timeouts == Flags{0, 0, 1, 0, 1});
  REQUIRE(data.notes.size() == 2);
  CHECK_THAT(data.notes[0], Catch::Contains("1 row whose next observation is not the next row's"));
  CHECK_THAT(data.notes[1], Catch::Contains("the last episode has no end"));
}

TEST_CASE("OmniSafe's names are known, and its `done` may be a step limit") {
  const ScratchFolder folder;
  const std::string path = folder / "omnisafe.npz";
  const auto archive = [&](const Floats& done) {
    write_npz(path, {{"obs", npy_array<float>("<f4", "(5, 1)", {0, 1, 10, 11, 20})},
                     {"next_obs", npy_array<float>("<f4", "(5, 1)", {1, 2, 11, 12, 21})},
                     {"action", npy_array<float>("<f4", "(5, 1)", {0, 0, 0, 0, 0})},
                     {"reward", npy_array<float>("<f4", "(5, 1)", {1, 1, 1, 1, 1})},
                     {"cost", npy_array<float>("<f4", "(5, 1)", {0, 1, 0, 1, 0})},
                     {"done", npy_array<float>("<f4", "(5, 1)", done)}});
    return read_layout(path, {});
  };
  const OtherData limit = archive({0, 1, 0, 1, 1});  // two of the greatest length, a shorter one
  CHECK(limit.columns.timeouts == Flags{0, 1, 0, 1, 0});
  CHECK(limit.columns.terminals == Flags{0, 0, 0, 0, 1});
  REQUIRE(limit.notes.size() == 1);
  CHECK_THAT(limit.notes[0], Catch::Contains("2 ends of the longest episodes count as cut"));
}

TEST_CASE("episodes in groups become the seven arrays") {
  const ScratchFolder folder;
  const std::string path = folder / "main_data.hdf5";
  make_file(path, [](hid_t file) {
    put_episode(file, 0, 0, {0, 1, 2}, true, false);
    put_episode(file, 1, 10, {9, 3, 4, 5}, false, true);  // the first cost belongs to the reset
    put_episode(file, 2, 20, {0}, false, false, 1);
  });
  const OtherData data = read_layout(path, {});
  CHECK(data.layout == Layout::minari);
  CHECK(data.columns.observations == Floats{0, 1, 2, 10, 11, 12, 20});
  CHECK(data.columns.next_observations == Floats{1, 2, 3, 11, 12, 13, 21});
  CHECK(data.columns.costs == Floats{0, 1, 2, 3, 4, 5, 0});
  CHECK(data.columns.terminals == Flags{0, 0, 1, 0, 0, 0, 0});
  CHECK(data.columns.timeouts == Flags{0, 0, 0, 0, 0, 1, 1});
  REQUIRE(data.notes.size() == 1);
  CHECK_THAT(data.notes[0], Catch::Contains("1 episode without an end"));
}

TEST_CASE("episodes of other widths and lengths are named") {
  const ScratchFolder folder;
  const std::string path = folder / "main_data.hdf5";
  make_file(path, [](hid_t file) {
    put_episode(file, 0, 0, {0, 1, 2}, true, false);
    put_episode(file, 1, 10, {0, 1}, true, false);
  });
  CHECK_THAT(refusal_of(path).what,
             Catch::Contains("array `episode_1/infos/cost` has 2 rows where 3 are expected"));
  make_file(path, [](hid_t file) {
    in_group(file, "episode_0", [](hid_t episode) {
      put(episode, "observations", {3, 1}, {0, 1, 2});
      put(episode, "actions", {3, 1}, {0, 0, 0});
    });
  });
  CHECK_THAT(refusal_of(path).what, Catch::Contains("episode_0/observations` has 3 rows where 4"));
}

TEST_CASE("costs are asked for, named, or made zero") {
  const ScratchFolder folder;
  const std::string path = folder / "d4rl.hdf5";
  make_file(path, [](hid_t file) { put_flat(file, true, ""); });
  CHECK_THAT(refusal_of(path).what, Catch::Contains("holds no costs"));
  CHECK_THAT(refusal_of(path).todo, Catch::Contains("--cost-key") && Catch::Contains("--no-costs"));
  CHECK_THAT(refusal_of(path, {.layout = Layout::automatic, .cost_key = "danger"}).what,
             Catch::Contains("`danger` is missing"));
  CHECK(read_layout(path, {.layout = Layout::automatic, .cost_key = "", .no_costs = true}).columns.costs ==
        Floats(5));
  make_file(path, [](hid_t file) {
    put_flat(file, true, "costs");
    put(file, "danger", {5}, {1, 1, 1, 1, 1});
  });
  CHECK(read_layout(path, {.layout = Layout::automatic, .cost_key = "danger"}).columns.costs == Floats(5, 1));
}

TEST_CASE("what cannot be trained on is refused with its name") {
  const ScratchFolder folder;
  const std::string path = folder / "odd.hdf5";
  const auto what = [&](const std::function<void(hid_t)>& change) {
    make_file(path, [&](hid_t file) {
      put_flat(file, true);
      change(file);
    });
    return refusal_of(path).what;
  };
  const auto replace = [](const char* name, const std::vector<hsize_t>& size, const Floats& values,
                          hid_t type = H5T_IEEE_F32LE) {
    return [=](hid_t file) {
      H5Ldelete(file, name, H5P_DEFAULT);
      put(file, name, size, values, type);
    };
  };
  CHECK_THAT(what(replace("actions", {5, 1}, Floats(5), H5T_STD_I64LE)), Catch::Contains("discrete actions"));
  CHECK_THAT(what(replace("actions", {4, 1}, Floats(4))), Catch::Contains("`actions` has 4 rows where 5"));
  CHECK_THAT(what(replace("rewards", {5, 2}, Floats(10))), Catch::Contains("`rewards` has 2 columns"));
  CHECK_THAT(what(replace("rewards", {5}, {0, 0, NAN, 0, 0})), Catch::Contains("`rewards` holds NaN"));
  CHECK_THAT(what(replace("terminals", {5}, {0, 0, 2, 0, 0})),
             Catch::Contains("`terminals` has the value 2"));
  CHECK_THAT(what(replace("next_observations", {5, 2}, Floats(10))),
             Catch::Contains("has 2 columns where 1"));
  CHECK_THAT(what([](hid_t file) { H5Ldelete(file, "rewards", H5P_DEFAULT); }),
             Catch::Contains("`rewards` is missing"));
  CHECK_THAT(what([](hid_t file) {
               H5Ldelete(file, "terminals", H5P_DEFAULT);
               H5Ldelete(file, "timeouts", H5P_DEFAULT);
             }),
             Catch::Contains("nothing says where episodes end"));
}

TEST_CASE("nothing outside the file is read") {
  const ScratchFolder folder;
  const std::string path = folder / "links.hdf5", secret = folder / "secret.hdf5";
  make_file(secret, [](hid_t file) {
    put_flat(file, true);
    put_episode(file, 0, 0, {0, 1, 2}, true, false);
  });
  const auto what = [&](const std::function<void(hid_t)>& change) {
    make_file(path, [&](hid_t file) {
      put_flat(file, true);
      change(file);
    });
    return refusal_of(path).what;
  };
  CHECK_THAT(what([&](hid_t file) {
               H5Ldelete(file, "rewards", H5P_DEFAULT);
               H5Lcreate_external(secret.c_str(), "rewards", file, "rewards", H5P_DEFAULT, H5P_DEFAULT);
             }),
             Catch::Contains("external link"));
  CHECK_THAT(what([&](hid_t file) {
               H5Ldelete(file, "infos", H5P_DEFAULT);
               H5Lcreate_external(secret.c_str(), "infos", file, "infos", H5P_DEFAULT, H5P_DEFAULT);
             }),
             Catch::Contains("`infos/cost` is an external link"));
  CHECK_THAT(what([&](hid_t file) {
               H5Ldelete(file, "rewards", H5P_DEFAULT);
               H5Lcreate_soft("/actions", file, "rewards", H5P_DEFAULT, H5P_DEFAULT);
             }),
             Catch::Contains("soft link"));
  CHECK_THAT(what([&](hid_t file) {
               H5Lcreate_external(secret.c_str(), "episode_0", file, "episode_0", H5P_DEFAULT, H5P_DEFAULT);
             }),
             Catch::Contains("`episode_0` is an external link"));
  CHECK(no_child_left());
}

TEST_CASE("only episodes within a cost are kept") {
  const DsrlColumns all = make_columns({{4, false}, {6, true}, {3, false}});
  DsrlColumns costs = all;
  costs.costs = {0, 0, 1, 0, /**/ 5, 0, 0, 0, 0, 1, /**/ 2, 0, 0};
  const DsrlColumns kept = episodes_within(costs, 2);
  CHECK(kept.rows == 7);
  CHECK(kept.costs == Floats{0, 0, 1, 0, 2, 0, 0});
  CHECK(std::equal(kept.actions.begin(), kept.actions.begin() + 8, all.actions.begin()));
  CHECK(std::equal(kept.observations.end() - 9, kept.observations.end(), all.observations.end() - 9));
  CHECK(episodes_within(costs, 100).observations == all.observations);
  CHECK_THROWS_WITH(episodes_within(costs, 0.5), Catch::Contains("no episode costs at most"));
}

TEST_CASE("the command converts, filters and says what it did") {
  const ScratchFolder folder;
  const std::string in = folder / "main_data.hdf5", out = folder / "SafetyBallRun-v0-80-3.hdf5";
  make_file(in, [](hid_t file) {
    put_episode(file, 0, 0, {0, 0, 1}, true, false);
    put_episode(file, 1, 10, {3, 4, 5}, false, true);
  });
  ProgramResult result = run_program({"data", "convert", in, "-o", out, "--max-cost", "2"});
  INFO(result.err);
  CHECK(result.status == 0);
  CHECK_THAT(result.out,
             Catch::Contains("minari, 2 episodes, 6 rows") && Catch::Contains("dsrl, 1 episode, 3 rows"));
  CHECK(read_dsrl(out).rewards == Floats{0, 1, 2});

  const std::string safe = folder / "safe.hdf5";
  result = run_program({"data", "convert", out, "-o", safe, "--from", "dsrl", "--max-cost", "5"});
  CHECK(result.status == 0);
  CHECK_THAT(result.out, Catch::Contains("tells no task"));
  CHECK(bytes_of_file(safe) == bytes_of_file(out));

  result = run_program({"data", "convert", out, "-o", safe, "--from", "npz"});
  CHECK(result.status == static_cast<int>(ExitCode::data));
  CHECK_THAT(result.err, Catch::Contains("not a zip archive"));
  result = run_program({"data", "convert", in, "-o", safe, "--no-costs", "--cost-key", "x"});
  CHECK(result.status == static_cast<int>(ExitCode::usage));
}
