// Text tables, and types of number beside single precision.
#include "test/layout_support.h"
#include "test/npz_support.h"
#include "test/program.h"

using namespace r2pac;

TEST_CASE("half precision of NumPy is read") {
  const ScratchFolder folder;
  const std::string path = folder / "half.npz";
  // 1.5, -0.25, 65504 (the greatest), 2^-24 (the least)
  const std::vector<std::uint16_t> half = {0x3E00, 0xB400, 0x7BFF, 0x0001};
  write_npz(path,
            {{"observations", npy_array<std::uint16_t>("<f2", "(4, 1)", half)},
             {"next_observations", npy_array<std::uint16_t>("<f2", "(4, 1)", {0xB400, 0x7BFF, 0x0001, 0})},
             {"actions", npy_array<std::uint16_t>("<f2", "(4,)", {0, 0, 0, 0x3800})},
             {"rewards", npy_array<std::uint16_t>("<f2", "(4,)", half)},
             {"costs", npy_array<float>("<f4", "(4,)", Floats(4))},
             {"terminals", npy_array<float>("<f4", "(4,)", Floats(4))},
             {"timeouts", npy_array<float>("<f4", "(4,)", {0, 0, 0, 1})}});
  const OtherData data = read_layout(path, {});
  CHECK(data.columns.observations == Floats{1.5f, -0.25f, 65504.0f, 0x1p-24f});
  CHECK(data.columns.actions == Floats{0, 0, 0, 0.5f});
}

TEST_CASE("what 32 bits cannot hold is said") {
  const ScratchFolder folder;
  const std::string path = folder / "clock.hdf5";
  std::vector<double> seen(200), next(200);
  for (std::size_t i = 0; i < 100; ++i)
    for (std::size_t k = 0; k < 2; ++k) {
      seen[2 * i + k] = (k == 0 ? 1.7e9 : 0.0) + 0.05 * static_cast<double>(i);
      next[2 * i + k] = seen[2 * i + k] + 0.05;
    }
  make_file(path, [&](hid_t file) {
    const auto wide = [&](const char* name, const std::vector<double>& values) {
      put(file, name, {100, 2}, Floats(200));
      const hid_t array = H5Dopen2(file, name, H5P_DEFAULT);
      REQUIRE(H5Dwrite(array, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
      H5Dclose(array);
    };
    Floats moved(100), end(100);
    for (std::size_t i = 0; i < 100; ++i) moved[i] = static_cast<float>(i) / 100;
    end[49] = end[99] = 1;
    wide("observations", seen);
    wide("next_observations", next);
    put(file, "actions", {100, 1}, moved);
    put(file, "rewards", {100}, moved);
    put(file, "costs", {100}, Floats(100));
    put(file, "terminals", {100}, Floats(100));
    put(file, "timeouts", {100}, end);
  });
  for (const std::string verb : {"check", "info"}) {
    const ProgramResult result = run_program({"data", verb, path});
    CHECK_THAT(result.out + result.err, Catch::Contains("column 0: what it varies by was lost in rounding"));
  }
  const ProgramResult converted =
      run_program({"data", "convert", path, "-o", folder / "out.hdf5", "--map", "costs=costs"});
  CHECK_THAT(converted.out, Catch::Contains("`observations`: column 0: what it varies by was lost"));
}

TEST_CASE("text tables") {
  const ScratchFolder folder;
  const std::string path = folder / "log.csv", out = folder / "out.hdf5";
  const std::string rows =
      "0,0.5,9,0.25,1,0,False,False,a\n1,0.5,9,-0.25,2,1,False,True,b\n\n7,0.5,9,1e-1,3,0,True,False,c\n";
  const auto table = [&](const std::string& text) {
    write_bytes(path, text);
    return refusal_of(path);
  };
  SECTION("columns of one name and a number stand side by side") {
    const std::string header =
        GENERATE("\xEF\xBB\xBFobs_0,obs_1,x,action,reward,cost,terminated,truncated,remark\r\n",
                 "obs[0],obs[1],x,action_0,reward,cost,terminated,truncated,\"a, remark\"\n",
                 "obs.1,obs.2,x,act,reward,cost,terminals,timeouts,remark\n");
    write_bytes(path, header + rows);
    const DsrlColumns c = read_layout(path, {}).columns;
    CHECK(c.observation_dim == 2);
    CHECK(c.observations == Floats{0, 0.5f, 7, 0.5f});  // the cut episode loses its last row
    CHECK(c.actions == Floats{0.25f, 0.1f});
    CHECK(c.terminals == Flags{0, 1});
    CHECK(c.timeouts == Flags{1, 0});
  }
  SECTION("other names and separators") {
    std::string semicolons = "s;t;x;u;r;c;end;cut;remark\n" + rows;
    std::replace(semicolons.begin(), semicolons.end(), ',', ';');
    write_bytes(path, semicolons);
    const ProgramResult result = run_program({"data", "convert", path, "-o", out, "--map", "observations=s,t",
                                              "--map", "actions=u", "--map", "rewards=r", "--map", "costs=c",
                                              "--map", "terminals=end", "--map", "timeouts=cut"});
    INFO(result.err);
    CHECK(result.status == 0);
    CHECK_THAT(result.out, Catch::Contains("csv, 2 episodes, 2 rows"));
  }
  const std::string header = "obs_0,obs_1,x,action,reward,cost,terminated,truncated,remark\n";
  SECTION("what is wrong is said with its line") {
    CHECK_THAT(table(header + "0,0.5,9,left,1,0,0,1,a\n").what,
               Catch::Contains("`action` is no number in line 2"));
    CHECK_THAT(table(header + "0,0.5,9,,1,0,0,1,a\n").what, Catch::Contains("`action` is empty in line 2"));
    CHECK_THAT(table(header + "0,0.5,9,0.1,1,0,0,yes,a\n").what,
               Catch::Contains("`truncated` is no number in line 2"));
    CHECK_THAT(table(header + "0,0.5,9,0.1,1,0,0,2,a\n").what,
               Catch::Contains("`truncated` has the value 2"));
    CHECK_THAT(table(header + "0,0.5,9,0.1,1,0,0\n").what, Catch::Contains("there are 7 cells in line 2"));
    CHECK_THAT(table("1,2,3\n4,5,6\n").what, Catch::Contains("the first line holds no names"));
    CHECK_THAT(table("obs_0,obs_2,action\n1,2,3\n").what, Catch::Contains("`obs` has no column of number 1"));
    CHECK_THAT(table("state,action\n1,2\n").todo, Catch::Contains("`state`, `action`"));
    CHECK_THAT(table(header + std::string(2 << 20, '1') + "\n").what,
               Catch::Contains("line 2 cannot be read"));
  }
}
