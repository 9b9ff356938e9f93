// `r2pac inspect`: figures of each tensor, what a folder stands for, and files of another kind.
#include <catch2/catch.hpp>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "storage/atomic_file.h"
#include "storage/generations.h"
#include "test/put_number.h"
#include "test/scratch_folder.h"
#include "tools/inspect.h"

using namespace r2pac;
using Catch::Matchers::Contains;

namespace {

/// What the command prints.
std::string output_of(const std::filesystem::path& path, bool json) {
  std::ostringstream text;
  std::streambuf* terminal = std::cout.rdbuf(text.rdbuf());
  int status = -1;
  try {
    status = run_inspect({path.string(), json});
  } catch (...) {
    std::cout.rdbuf(terminal);
    throw;
  }
  std::cout.rdbuf(terminal);
  CHECK(status == 0);
  return text.str();
}

SafetensorsWriter example(const std::string& kind) {
  static const float weights[] = {1, -3, 0, 8, 0, 2};
  static const bool flags[] = {true, false, false, true};
  static const double large[] = {std::numeric_limits<double>::max(), std::numeric_limits<double>::max()};
  SafetensorsWriter writer;
  writer.metadata("kind", kind);
  writer.metadata("long", std::string(300, 'x') + "end");
  writer.add<float>("weights", {2, 3}, weights);
  writer.add<bool>("flags", {4}, flags);
  writer.add<double>("large", {2}, large);
  writer.add<float>("none", {0}, {});
  writer.add("half", StoredType::f16, {1}, "ab", 2);
  return writer;
}

}  // namespace

TEST_CASE("inspect states type, shape and figures of every tensor") {
  const ScratchFolder scratch;
  const auto path = scratch.path / "file";
  example("policy").write(path);
  put_number(path, "weights", 2, std::numeric_limits<float>::quiet_NaN());
  put_number(path, "weights", 4, std::numeric_limits<float>::infinity());
  const auto json = nlohmann::json::parse(output_of(path, true));
  CHECK(json.at("checksum") == "verified");
  CHECK(json.at("metadata").at("long").get<std::string>().size() == 303);
  std::map<std::string, nlohmann::json> rows;
  for (const auto& row : json.at("tensors")) rows[row.at("name")] = row;
  CHECK(rows.size() == 5);
  const auto& weights = rows.at("weights");
  CHECK(weights.at("dtype") == "F32");
  CHECK(weights.at("shape") == std::vector<int>{2, 3});
  CHECK(weights.at("min") == -3);
  CHECK(weights.at("max") == 8);
  CHECK(weights.at("mean").get<double>() == Approx(2).epsilon(1e-12));  // (1 - 3 + 8 + 2) / 4, rounding only
  CHECK(weights.at("non_finite") == 2);
  CHECK(rows.at("flags").at("mean") == 0.5);
  CHECK(rows.at("large").at("mean") == std::numeric_limits<double>::max());
  CHECK(rows.at("none").at("min").is_null());
  CHECK(rows.at("half").at("non_finite").is_null());

  const std::string text = output_of(path, false);
  CHECK_THAT(text, Contains("5 tensors, 13 numbers") && Contains("kind = policy") && Contains("303 bytes"));
  CHECK_THAT(text, !Contains("xend") && Contains("weights  F32    [2, 3]"));
}

TEST_CASE("inspect shows settings line by line, and nothing without end") {
  const ScratchFolder scratch;
  const auto path = scratch.path / "file";
  SafetensorsWriter writer = example("policy");
  writer.metadata("settings", "alpha = 1\n# a comment\nhidden = [8]\n" + std::string(20000, 'x'));
  writer.write(path);
  const std::string text = output_of(path, false);
  CHECK_THAT(text, Contains("settings = \n  alpha = 1\n  hidden = [8]\n  xxxx"));
  CHECK_THAT(text, Contains("... (20035 bytes; `--json` shows all)"));
}

TEST_CASE("a run folder stands for its policy, else its newest whole checkpoint") {
  const ScratchFolder scratch;
  const auto checkpoints = scratch.path / "checkpoints";
  CHECK_THROWS_WITH(output_of(scratch.path, false), Contains("neither policy.safetensors nor checkpoints"));
  save_generation(checkpoints, 5, example("checkpoint"));
  CHECK_THAT(output_of(scratch.path, false), Contains("step-000000005") && Contains("kind = checkpoint"));
  CHECK_THAT(output_of(checkpoints, false), Contains("kind = checkpoint"));
  example("policy").write(scratch.path / "policy.safetensors");
  CHECK_THAT(output_of(scratch.path, false), Contains("kind = policy"));
}

TEST_CASE("a data set is sent to the verb for data") {
  const ScratchFolder scratch;
  const auto path = scratch.path / "data.hdf5";
  write_file_atomically(path, "\x89HDF\r\n\x1a\n and so on");
  try {
    output_of(path, false);
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::checkpoint);
    CHECK_THAT(error.todo(), Contains("r2pac data info"));
  }
}
