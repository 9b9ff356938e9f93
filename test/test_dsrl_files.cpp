// Files of DSRL, or made like them in the simulators: all in the folder that R2PAC_DSRL_DATA names.
// Without the variable this is skipped; the other tests make their own data.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "data/check.h"
#include "data/dataset.h"

using namespace r2pac;

TEST_CASE("files of DSRL are read without a fault and hold what their names say") {
  const char* const folder = std::getenv("R2PAC_DSRL_DATA");
  if (!folder || !*folder) {
    std::printf("skipped: R2PAC_DSRL_DATA names no folder of DSRL files\n");
    std::exit(77);
  }
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    // Safety<task>-v0-<greatest cost>-<episodes>.hdf5
    const std::string name = entry.path().stem().string();
    if (name.rfind("Safety", 0) != 0 || entry.path().extension() != ".hdf5") continue;
    ++files;
    INFO(entry.path().string());
    const DsrlColumns columns = read_dsrl(entry.path().string());
    CHECK(check_columns(columns).empty());
    const DataSummary summary = summarize(columns, 5.0);
    CHECK(summary.episodes == std::stoll(name.substr(name.rfind('-') + 1)));
    const Dataset data = load_dataset(entry.path().string());
    CHECK(data.name == name);
    CHECK(data.fingerprint == summary.fingerprint);
    CHECK(std::ssize(window_starts(data, 5)) == summary.windows);
  }
  CHECK(files > 0);
}
