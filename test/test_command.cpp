// Every command of the README on a small data set: status, the fields that programs rely on, and the errors
// of each class.
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "program.h"

using namespace r2pac;
namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

struct Fixture {
  ScratchFolder folder;
  std::string data = path("reach-avoid.hdf5"), run = path("run");

  Fixture() {
    REQUIRE(
        run_program({"data", "make", "reach-avoid", "-o", data, "--episodes", "30", "--seed", "3"}).status ==
        0);
  }
  std::string path(const std::string& name) const { return (folder.path / name).string(); }
  std::vector<std::string> train(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"train",   "--data", data,      "--hidden", "24,24",
                                          "--batch", "64",     "--steps", "40"};
    if (std::find(more.begin(), more.end(), "--out") == more.end()) more.insert(more.end(), {"--out", run});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
};

std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(Json::parse(text.substr(begin, end - begin)));
    begin = end + 1;
  }
  return lines;
}

void require_keys(const Json& json, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    INFO(key << " in " << json.dump());
    CHECK(json.contains(key));
  }
}

}  // namespace

TEST_CASE("the commands work in the order in which a user meets them") {
  const Fixture f;
  require_keys(Json::parse(run_program({"data", "info", f.data, "--json"}).out), {"fingerprint"});
  CHECK(run_program({"data", "check", f.data}).status == 0);
  CHECK(run_program({"data", "check", f.data, "--json"}).status == 0);

  const ProgramResult trained = run_program(
      f.train({"--seed", "7", "--schedule", "joint", "--threads", "2", "--set", "log_every=10", "--json"}));
  REQUIRE(trained.status == 0);
  const std::vector<Json> lines = json_lines(trained.out);
  REQUIRE(lines.size() >= 6);
  require_keys(lines[1], {"step", "steps_per_second", "eta_seconds", "loss_q_r", "loss_q_c", "loss_v_r",
                          "loss_v_c", "loss_flow", "threshold", "unsafe", "q_r", "v_r", "grad_q_r"});
  CHECK(json_lines(content(fs::path(f.run) / "metrics.jsonl")).size() == 5);  // steps 1, 10, 20, 30, 40
  for (const char* file : {"config.toml", "manifest.json", "policy.safetensors", "timing.jsonl"})
    CHECK(fs::exists(fs::path(f.run) / file));

  const Json score = Json::parse(
      run_program({"eval", f.run, "--env", "reach-avoid", "--episodes", "3", "--seed", "5", "--flow-steps",
                   "4", "--candidates", "2", "--guidance", "1.5", "--label", "null", "--json"})
          .out);
  require_keys(score, {"return_mean", "return_std", "cost_mean", "cost_std", "normalized_return",
                       "normalized_cost", "cost_limit", "episodes", "seed"});
  CHECK(score["episodes"] == 3);
  CHECK(score["seed"] == 5);

  const std::string input = f.path("observations");
  std::ofstream(input) << "[0,0,0,0,0,0,0]\n\n{\"observation\": [0.1,0,0,0,0,0,0]}\n";
  for (const std::string& source : {input, std::string("-")}) {
    const ProgramResult sampled = run_program(
        {"sample", f.run, "--obs", source, "--seed", "1", "--candidates", "3", "--flow-steps", "4"}, {}, -1,
        input);
    const std::vector<Json> answers = json_lines(sampled.out);
    REQUIRE(answers.size() == 2);
    require_keys(answers[0], {"action", "chunk", "q_c", "v_c", "v_r", "safe"});
    CHECK(answers[0]["action"].size() == 2);
    CHECK(answers[0]["chunk"].size() == 5);
  }

  const ProgramResult values = run_program({"values", f.run, "--data", f.data, "-o", f.path("values.csv")});
  REQUIRE(values.status == 0);
  const std::string csv = content(f.path("values.csv"));
  CHECK(csv.rfind("episode,step,v_r,v_c,q_r,q_c,label,safe\n", 0) == 0);
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 1 + 30 * 96);

  CHECK(run_program({"trace", "--data", f.data, "--hidden", "8", "--batch", "16", "--steps", "2", "--double",
                     "-o", f.path("t.safetensors")})
            .status == 0);
  CHECK(run_program({"inspect", f.run}).status == 0);
  CHECK(run_program({"inspect", f.path("t.safetensors"), "--json"}).status == 0);
  CHECK(run_program({"config", "show", "--task", "CarGoal1"}).out.find("reward_scale = 200") !=
        std::string::npos);
}

TEST_CASE("quiet training prints its last line only, and the same settings come back from config.toml") {
  const Fixture f;
  const ProgramResult first = run_program(f.train({"--quiet"}));
  REQUIRE(first.status == 0);
  CHECK(std::count(first.out.begin(), first.out.end(), '\n') == 1);
  const ProgramResult again =
      run_program({"train", "--data", f.data, "--config", (fs::path(f.run) / "config.toml").string(), "--out",
                   f.path("again"), "--quiet"});
  REQUIRE(again.status == 0);
  const bool same = content(fs::path(f.run) / "policy.safetensors") ==
                    content(fs::path(f.path("again")) / "policy.safetensors");
  CHECK(same);
}

TEST_CASE("each instruction set and oneDNN can be forced, and an unknown one is refused") {
  const Fixture f;
  for (const std::string isa : {"baseline", "avx2"}) {
    if (isa == "avx2" && !__builtin_cpu_supports("avx2")) continue;
    CHECK(run_program(f.train({"--out", f.path(isa)}), {"R2PAC_ISA=" + isa}).status == 0);
  }
  CHECK(run_program(f.train({"--out", f.path("onednn")}), {"R2PAC_GEMM=onednn"}).status == 0);
  CHECK(run_program(f.train({"--out", f.path("x")}), {"R2PAC_ISA=avx3"}).status == 4);
  CHECK(run_program(f.train({"--out", f.path("y")}), {"R2PAC_GEMM=mkl"}).status == 4);
}

TEST_CASE("bench reports rows with the peak's share") {
  const ProgramResult result = run_program({"bench", "kernels", "--json"});
  REQUIRE(result.status == 0);
  const Json json = Json::parse(result.out);
  REQUIRE(json["rows"].size() > 5);
  for (const Json& row : json["rows"])
    require_keys(row, {"name", "shape", "threads", "median_ms", "gflop", "gflops", "peak_fraction"});
}

TEST_CASE("each class of failure has its exit status") {
  const Fixture f;
  std::ofstream(f.path("broken.hdf5")) << "no data";
  CHECK(run_program({"train", "--data", f.path("broken.hdf5")}).status == 3);
  CHECK(run_program({"train", "--data", f.path("missing.hdf5")}).status == 3);
  CHECK(run_program(f.train({"--set", "alhpa=0.5"})).status == 4);
  REQUIRE(run_program(f.train()).status == 0);
  CHECK(run_program(f.train({"--set", "alpha=0.25"})).status == 4);
  CHECK(run_program(f.train({"--resume", "never"})).status == 4);
  fs::resize_file(fs::path(f.run) / "policy.safetensors", 100);
  CHECK(run_program({"eval", f.run, "--env", "reach-avoid"}).status == 5);
  const ProgramResult diverged = run_program(f.train({"--out", f.path("d"), "--set", "learning_rate=1e30"}));
  CHECK(diverged.status == 7);
  CHECK(diverged.err.find("is not finite at step") != std::string::npos);
  CHECK(run_program(f.train({"--out", "/proc/nowhere"})).status == 8);

  // A policy of another task may have the same widths by chance; its score would mean nothing.
  REQUIRE(run_program(f.train({"--out", f.path("ball"), "--task", "BallRun"})).status == 0);
  CHECK(run_program({"eval", f.path("ball"), "--env", "reach-avoid"}).status == 2);
  CHECK(run_program({"eval", f.path("d"), "--env", "reach-avoid", "--seed", "-1"}).status == 2);

  std::ofstream(f.path("bad")) << "[0,0,0,0,0,0,0]\n[1,2]\n";
  REQUIRE(run_program(f.train({"--out", f.path("good")})).status == 0);
  const ProgramResult sampled = run_program({"sample", f.path("good"), "--obs", f.path("bad")});
  CHECK(sampled.status == 3);
  CHECK(sampled.err.find("line 2") != std::string::npos);
  CHECK(sampled.err.find("has 2 numbers, the policy wants 7") != std::string::npos);
}
