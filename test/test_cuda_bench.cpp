// `r2pac bench` with the CUDA sources on the CPU: every suite runs, and launches stay few. Times mean nothing
// here and are not looked at.
#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "program.h"

using namespace r2pac;
using Json = nlohmann::json;

namespace {

/// The suite's rows.
Json bench(const std::string& suite, const std::string& precision,
           const std::vector<std::string>& environment = {}) {
  const ProgramResult result =
      run_program({"bench", suite, "--device", "cuda-host", "--precision", precision, "--json"}, environment);
  INFO(suite << ", " << precision << ": " << result.err);
  REQUIRE(result.status == 0);
  const Json json = Json::parse(result.out);
  CHECK(json["suite"] == suite);
  CHECK(json["precision"] == precision);
  CHECK(json["timed"] == false);
  for (const Json& row : json["rows"])
    for (const char* key : {"name", "shape", "threads", "median_ms", "lower_ms", "upper_ms", "trials",
                            "launches", "peak_fraction"}) {
      INFO(key << " in " << row.dump());
      CHECK(row.contains(key));
    }
  return json["rows"];
}

Json row_named(const Json& rows, const std::string& name) {
  const auto found =
      std::find_if(rows.begin(), rows.end(), [&](const Json& row) { return row["name"] == name; });
  INFO(name);
  REQUIRE(found != rows.end());
  return *found;
}

}  // namespace

TEST_CASE("every kernel and product is measured") {
  const auto precision = GENERATE(std::string("fp32"), std::string("tf32"), std::string("bf16"));
  const Json rows = bench("kernels", precision, {"R2PAC_CUDA_HOST_SEED=3"});
  for (const char* name :
       {"forward", "forward, first layer", "input gradient", "weight gradient", "bias, GELU (erf), slope",
        "bias, GELU (tanh), slope", "slope times gradient", "heads", "heads, input gradient",
        "column sums of a step", "batch quantile", "gather, noise, copies"})
    CHECK(row_named(rows, name)["launches"] == 1);
  CHECK(row_named(rows, "Adam, Polyak, end of step")["launches"] == 2);
  for (const Json& row : rows) {
    INFO(row.dump());
    CHECK((row["bound"] == "arithmetic" || row["bound"] == "memory" || row["bound"] == "latency"));
    CHECK((row["gflop"] > 0 || row["gigabytes"] > 0));
    CHECK(row.contains("gigabytes") == row.contains("bandwidth_fraction"));
  }
  if (precision == "fp32") {  // without tensor cores the fused sampler cannot run
    CHECK(rows.back()["name"] != "fused action");
  } else {
    CHECK(row_named(rows, "fused action")["launches"] == 1);
  }
}

TEST_CASE("a joint step of the full depth has at most 80 launches") {
  const Json rows = bench("step", GENERATE(std::string("fp32"), std::string("tf32"), std::string("bf16")));
  const int joint = row_named(rows, "joint step")["launches"],
            critics = row_named(rows, "critics step")["launches"],
            flow = row_named(rows, "actor step")["launches"];
  CHECK(joint <= 80);
  CHECK(joint > 20);
  CHECK(row_named(rows, "joint step, pipelined")["launches"] == joint);
  CHECK(critics < joint);
  CHECK(flow < critics);
}

TEST_CASE("an action by the fused kernel has at most 3 launches") {
  const auto precision = GENERATE(std::string("tf32"), std::string("bf16"));
  for (const Json& row : bench("action", precision, {"R2PAC_CUDA_SAMPLER=fused"})) {
    INFO(row.dump());
    CHECK(row["method"] == "one fused kernel, " + precision);
    CHECK(row["launches"] >= 1);
    CHECK(row["launches"] <= 3);
  }
}

TEST_CASE("an action by library products says so") {
  const Json rows = bench("action", "fp32");
  const Json action = row_named(rows, "action"), shorter = row_named(rows, "action, 8 flow steps");
  CHECK(action["method"].get<std::string>().find("library products") != std::string::npos);
  CHECK(action["launches"] > shorter["launches"]);
}
