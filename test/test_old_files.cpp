// Files of version 0.1 (test/files_0.1): loaded, acted with and gone on from, they give the numbers of that
// version.
#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sstream>

#include "program.h"
#include "storage/safetensors.h"

using namespace r2pac;
namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

const fs::path kOld = fs::path(R2PAC_SOURCE_DIR) / "test" / "files_0.1";
const std::string kData = (kOld / "data.hdf5").string(),
                  kObservations = (kOld / "observations.jsonl").string();

/// The program with the instruction set that made the files: another one groups sums otherwise.
ProgramResult run(const std::vector<std::string>& arguments) {
  ::setenv("R2PAC_ISA", "baseline", 1);
  ::unsetenv("R2PAC_GEMM");
  ProgramResult result = run_program(arguments);
  INFO(result.err);
  REQUIRE(result.status == 0);
  return result;
}

/// The same tensors under the same names, bit for bit.
void require_same_tensors(const fs::path& old_path, const fs::path& new_path) {
  const SafetensorsFile before = SafetensorsFile::read(old_path), now = SafetensorsFile::read(new_path);
  CHECK(now.tensors().size() == before.tensors().size());
  for (const StoredTensor& tensor : before.tensors()) {
    INFO(tensor.name << " of " << new_path);
    REQUIRE(now.tensor(tensor.name).type == tensor.type);
    REQUIRE(now.tensor(tensor.name).shape == tensor.shape);
    const auto a = before.bytes(tensor.name), b = now.bytes(tensor.name);
    CHECK(std::ranges::equal(a, b));
  }
}

std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(Json::parse(line));
  return lines;
}

/// Metrics under the names of today; a resumed run keeps what version 0.1 called otherwise.
std::vector<Json> metrics(const fs::path& path) {
  std::vector<Json> lines = json_lines(content(path));
  for (Json& line : lines) {
    if (line["phase"] == "flow") line["phase"] = "actor";
    if (!line.contains("grad_flow")) continue;
    line["grad_velocity"] = line["grad_flow"];
    line.erase("grad_flow");
  }
  return lines;
}

/// Trains with the settings of the old run, from its checkpoint after `step` steps (0: from the start), and
/// compares the ends.
void require_same_end(const std::string& name, int step) {
  INFO(name << " from step " << step);
  const ScratchFolder folder;
  const fs::path out = folder.path / "run";
  if (step > 0) {
    const std::string file = "checkpoints/step-0000000" + std::to_string(step) + ".safetensors";
    fs::create_directories(out / "checkpoints");
    fs::copy_file(kOld / name / file, out / file);
    fs::copy_file(kOld / name / "metrics.jsonl", out / "metrics.jsonl");
  }
  const ProgramResult trained = run(
      {"train", "--data", kData, "--config", (kOld / name / "config.toml").string(), "--out", out.string()});
  CHECK((trained.out.find("continuing at step " + std::to_string(step)) != std::string::npos) == (step > 0));
  require_same_tensors(kOld / name / "policy.safetensors", out / "policy.safetensors");
  CHECK(metrics(out / "metrics.jsonl") == metrics(kOld / name / "metrics.jsonl"));
}

}  // namespace

TEST_CASE("policies of version 0.1 act as they did") {
  for (const std::string name : {"joint", "sequential", "cloning"}) {
    INFO(name);
    std::vector<std::string> arguments = {"sample", (kOld / name).string(), "--obs", kObservations, "--seed",
                                          "3"};
    if (name == "cloning")
      arguments.insert(arguments.end(), {"--candidates", "1", "--guidance", "1", "--label", "null"});
    const std::string expected = content(kOld / name / "sample.jsonl");
    REQUIRE_FALSE(expected.empty());
    CHECK(run(arguments).out == expected);
    run({"inspect", (kOld / name).string()});
  }
}

TEST_CASE("a policy of version 0.1 has the score that it had") {
  const Json expected = Json::parse(content(kOld / "joint" / "eval.json"));
  const Json score = Json::parse(run({"eval", (kOld / "joint" / "policy.safetensors").string(), "--env",
                                      "reach-avoid", "--episodes", "2", "--seed", "1", "--json"})
                                     .out);
  REQUIRE(expected["rows"].size() == 2);
  for (const auto& [key, value] : expected.items()) {
    INFO(key);
    if (key != "policy" && key != "settings" && key != "version") CHECK(score[key] == value);
  }
}

TEST_CASE("checkpoints of version 0.1 go on to the same end") {
  require_same_end("joint", 20);
  require_same_end("sequential", 20);  // of the critics
  require_same_end("sequential", 60);  // of the flow
}

TEST_CASE("checkpoints of version 0.1 act") {
  for (const char* file : {"joint/checkpoints/step-000000020.safetensors",
                           "sequential/checkpoints/step-000000060.safetensors"}) {
    INFO(file);
    const std::vector<Json> answers =
        json_lines(run({"sample", (kOld / file).string(), "--obs", kObservations}).out);
    REQUIRE(answers.size() == 5);
    CHECK(answers[4]["chunk"].size() == 5);
    run({"inspect", (kOld / file).string()});
  }
}

TEST_CASE("settings of version 0.1 train to the same end") {
  for (const char* name : {"joint", "sequential", "cloning"}) require_same_end(name, 0);
}

TEST_CASE("timeouts_are_terminal of version 0.1 becomes two settings") {
  const ScratchFolder folder;
  run({"train", "--data", kData, "--config", (kOld / "sequential" / "config.toml").string(), "--steps", "2",
       "--out", folder / "run"});
  const std::string settings = content(folder.path / "run" / "config.toml");
  CHECK(settings.find("\ntimeouts = \"terminal\"\n") != std::string::npos);
  CHECK(settings.find("\nthreshold = \"limit\"\n") != std::string::npos);
  CHECK(settings.find("timeouts_are_terminal") == std::string::npos);
}

TEST_CASE("a trace of version 0.1 is shown, and recorded again it is the same") {
  const Json shown = Json::parse(run({"inspect", (kOld / "trace.safetensors").string(), "--json"}).out);
  CHECK(shown["metadata"]["format"] == "r2pac-trace-1");
  CHECK(shown["tensors"].size() == SafetensorsFile::read(kOld / "trace.safetensors").tensors().size());
  const ScratchFolder folder;
  run({"trace", "--data", kData, "--config", (kOld / "joint" / "config.toml").string(), "--steps", "1", "-o",
       folder / "trace.safetensors"});
  require_same_tensors(kOld / "trace.safetensors", folder / "trace.safetensors");
}
