// A run folder belongs to one training at a time, keeps to itself, and is not written over; outputs are
// judged before the work.
#include <nlohmann/json.hpp>

#include "folder_state.h"
#include "resource_limit.h"
#include "small_run.h"

using namespace r2pac;
namespace fs = std::filesystem;

namespace {

/// A training that goes on until it is stopped.
std::vector<std::string> endless(const SmallRun& f, std::vector<std::string> more = {}) {
  for (const char* word : {"--set", "log_every=10", "--set", "checkpoint_every=20"}) more.emplace_back(word);
  std::vector<std::string> arguments = f.train(more);
  *(std::find(arguments.begin(), arguments.end(), "--steps") + 1) = "1000000";
  return arguments;
}

void check_refusal(const ProgramResult& result, int status, const std::string& beginning) {
  INFO(beginning << " expected, not " << result.err);
  CHECK(result.status == status);
  CHECK(result.err.rfind("error: " + beginning, 0) == 0);
}

}  // namespace

TEST_CASE("a second training in a folder ends with 4, names the first, and touches nothing") {
  const SmallRun f;
  Process first(endless(f));
  REQUIRE(first.prints("critics 40/"));
  first.signal(SIGSTOP);
  const auto before = state_of(f.run);
  for (const auto& more : {std::vector<std::string>{}, {"--seed", "2"}, {"--resume", "never"}})
    check_refusal(run_program(endless(f, more)), 4,
                  "the folder is in use by process " + std::to_string(first.id()) + " on ");
  CHECK(state_of(f.run) == before);
  first.signal(SIGCONT);
  // Readers go on: the newest checkpoint can be scored and looked at while the run goes on.
  REQUIRE(run_program({"inspect", f.run}).status == 0);
  first.signal(SIGKILL);
  first.wait();
  // The lock of a killed process means nothing.
  CHECK(fs::exists(f.run + "/lock"));
  Process next(endless(f));
  REQUIRE(next.prints("continuing at step "));
  next.signal(SIGTERM);
  CHECK(next.wait().status == 75);
  CHECK_FALSE(fs::exists(f.run + "/lock"));
}

TEST_CASE("of trainings that begin together in one new folder one trains, and its result is its own") {
  const SmallRun f;
  REQUIRE(run_program(f.train({"--out", f.path("alone"), "--seed", "0"})).status == 0);
  REQUIRE(run_program(f.train({"--out", f.path("alone-1"), "--seed", "1"})).status == 0);
  for (int round = 0; round < 5; ++round) {
    fs::remove_all(f.run);
    std::vector<std::unique_ptr<Process>> all;
    for (int i = 0; i < 4; ++i)
      all.push_back(std::make_unique<Process>(f.train({"--seed", std::to_string(i % 2)})));
    int refused = 0, finished = 0;
    for (auto& one : all) {
      const int status = one->wait().status;
      CHECK((status == 0 || status == 4));
      (status == 0 ? finished : refused) += 1;
    }
    CHECK(finished >= 1);
    const std::string policy = content(f.run + "/policy.safetensors");
    const bool first = policy == content(f.path("alone/policy.safetensors"));
    CHECK((first || policy == content(f.path("alone-1/policy.safetensors"))));
    const std::string alone = f.path(first ? "alone" : "alone-1");
    CHECK(content(f.run + "/metrics.jsonl") == content(alone + "/metrics.jsonl"));
    CHECK(content(f.run + "/config.toml") == content(alone + "/config.toml"));
  }
}

TEST_CASE("a refused start leaves a folder as it was, and makes none") {
  const SmallRun f;
  REQUIRE(run_program(f.train({"--set", "checkpoint_every=20"})).status == 0);
  std::ofstream(f.run + "/metrics.jsonl", std::ios::app) << "a line that is torn";
  std::ofstream(f.run + "/config.toml.writing-1-0") << "left";
  const auto before = state_of(f.run);
  CHECK(run_program(f.train({"--seed", "9"})).status == 4);
  CHECK(run_program(f.train({"--resume", "never"})).status == 4);
  CHECK(run_program(f.train({"--critics", f.path("none")})).status == 4);
  CHECK(state_of(f.run) == before);
  CHECK(run_program(f.train({"--out", f.path("a/b/c"), "--resume", f.path("none")})).status == 5);
  CHECK_FALSE(fs::exists(f.path("a")));
  // Where nothing speaks against the start, what killed programs left goes.
  CHECK(run_program(f.train({"--set", "checkpoint_every=20"})).status == 0);
  CHECK_FALSE(has_temporary(f.run));
}

TEST_CASE("links in a run folder are not followed out of it") {
  const SmallRun f;
  const std::string victim = f.path("victim");
  const std::vector<std::string> files = {
      "metrics.jsonl", "timing.jsonl",       "evaluations.jsonl",           "config.toml",
      "manifest.json", "policy.safetensors", "policy-safe-best.safetensors"};
  const auto train = f.train({"--eval-env", "reach-avoid", "--eval-every", "20", "--eval-episodes", "1",
                              "--set", "flow_steps=2", "--set", "num_candidates=2"});
  for (const bool symbolic : {true, false})
    for (const std::string& name : files) {
      INFO(name << (symbolic ? ", symbolic" : ", hard"));
      fs::remove_all(f.run);
      fs::create_directories(f.run);
      std::ofstream(victim) << "line one\nprecious";
      const fs::path link = f.run + "/" + name;
      symbolic ? fs::create_symlink("../victim", link) : fs::create_hard_link(victim, link);
      const ProgramResult result = run_program(train);
      const bool log = name.ends_with(".jsonl");
      if (name == "policy.safetensors")
        check_refusal(result, 4, "the folder holds a run whose checkpoints are gone");
      else if (symbolic && log)
        check_refusal(result, 8, "the log is a symbolic link");
      else
        CHECK(result.status == 0);
      CHECK(content(victim) == "line one\nprecious");
      if (result.status == 0) CHECK_FALSE(fs::is_symlink(link));
    }
  // A policy that became a link while the run was stopped.
  fs::remove_all(f.run);
  REQUIRE(run_program(train).status == 0);
  fs::remove(f.run + "/policy.safetensors");
  fs::create_symlink("../victim", f.run + "/policy.safetensors");
  REQUIRE(run_program(train).status == 0);
  CHECK(content(victim) == "line one\nprecious");
  // The scores of the folder, too; but a link that the user names is followed.
  for (const char* name : {"/eval.json", "/../named.json"}) fs::create_symlink(victim, f.run + name);
  REQUIRE(run_program({"eval", f.run, "--env", "reach-avoid", "--episodes", "1"}).status == 0);
  CHECK(content(victim) == "line one\nprecious");
  REQUIRE(run_program({"eval", f.run, "--env", "reach-avoid", "--episodes", "1", "-o", f.path("named.json")})
              .status == 0);
  CHECK(fs::is_symlink(f.path("named.json")));
  CHECK(content(victim) != "line one\nprecious");
  // Checkpoints elsewhere.
  fs::remove_all(f.run);
  fs::create_directories(f.run);
  fs::create_directories(f.path("elsewhere"));
  fs::create_symlink("../elsewhere", f.run + "/checkpoints");
  check_refusal(run_program(train), 8, "the folder of the checkpoints is a symbolic link");
  CHECK(fs::is_empty(f.path("elsewhere")));
}

TEST_CASE("a run whose checkpoints are gone is not trained over") {
  const SmallRun f;
  REQUIRE(run_program(f.train({"--set", "checkpoint_every=20"})).status == 0);
  fs::remove_all(f.run + "/checkpoints");
  const auto refused = [&] {
    const auto before = state_of(f.run);
    check_refusal(run_program(f.train({"--set", "checkpoint_every=20"})), 4,
                  "the folder holds a run whose checkpoints are gone");
    check_refusal(run_program(f.train({"--resume", "never"})), 4, "the folder already holds a run");
    CHECK(state_of(f.run) == before);
  };
  refused();
  fs::remove(f.run + "/policy.safetensors");  // the manifest still says that it finished
  refused();
  fs::remove(f.run + "/manifest.json");  // the metrics still go on after a checkpoint
  refused();
  // A run that was killed before its first checkpoint begins anew.
  fs::remove_all(f.run);
  std::vector<std::string> arguments = endless(f);
  *std::find(arguments.begin(), arguments.end(), "checkpoint_every=20") = "checkpoint_every=1000000";
  Process killed(arguments);
  REQUIRE(killed.prints("critics 20/"));
  killed.signal(SIGKILL);
  killed.wait();
  CHECK(run_program(f.train()).status == 0);
}

TEST_CASE("scores of another policy are called stale") {
  const SmallRun f;
  const auto score = [&] {
    return run_program({"eval", f.run, "--env", "reach-avoid", "--episodes", "2", "--flow-steps", "2"})
        .status;
  };
  const auto report = [&] { return run_program({"report", f.run, "--no-pictures", "-o", f.path("report")}); };
  REQUIRE(run_program(f.train()).status == 0);
  REQUIRE(score() == 0);
  CHECK(report().err.empty());
  REQUIRE(run_program(f.train({"--out", f.path("other"), "--seed", "5"})).status == 0);
  fs::copy_file(f.path("other/policy.safetensors"), f.run + "/policy.safetensors",
                fs::copy_options::overwrite_existing);
  const ProgramResult stale = report();
  CHECK(stale.status == 0);
  CHECK(stale.err.find("eval.json is stale") != std::string::npos);
  CHECK(stale.out.find("(stale)") != std::string::npos);
  CHECK(content(f.path("report/table.csv")).find("(stale)") != std::string::npos);
  REQUIRE(score() == 0);
  CHECK(report().err.empty());
}

TEST_CASE("an output that is an input, or cannot be written, is refused before the work") {
  const SmallRun f;
  REQUIRE(run_program(f.train()).status == 0);
  const std::string policy = f.run + "/policy.safetensors";
  fs::create_symlink(f.data, f.path("same.hdf5"));
  fs::create_hard_link(f.data, f.path("hard.hdf5"));
  fs::create_symlink(policy, f.path("same.safetensors"));
  const auto before = state_of(f.folder.path);
  for (const std::string& out :
       {f.data, f.path("same.hdf5"), f.path("hard.hdf5"), f.path("run/../reach-avoid.hdf5")})
    for (const std::vector<std::string>& arguments :
         {std::vector<std::string>{"data", "convert", f.data, "--max-cost", "0", "-o", out},
          {"values", f.run, "--data", f.data, "-o", out},
          {"trace", "--data", f.data, "--steps", "1", "-o", out},
          {"diagnose", f.run, "--data", f.data, "-o", out},
          {"calibrate", f.run, "--data", f.data, "-o", out},
          {"ope", f.run, "--data", f.data, "-o", out}})
      check_refusal(run_program(arguments), 2, "the output would replace a file that is read, ");
  for (const std::string& out : {policy, f.path("same.safetensors")})
    check_refusal(run_program({"eval", f.run, "--env", "reach-avoid", "-o", out}), 2,
                  "the output would replace a file that is read, ");
  // The episodes of these would take minutes.
  for (const std::string& out : {f.path("none/e.json"), f.folder.path.string(), std::string("/dev/full")}) {
    const auto begin = std::chrono::steady_clock::now();
    const ProgramResult result =
        run_program({"eval", f.run, "--env", "reach-avoid", "--episodes", "100000", "-o", out});
    CHECK(result.status == 8);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20));
  }
  check_refusal(run_program({"eval", f.run, "--env", "reach-avoid", "-o", ""}), 2, "");
  check_refusal(run_program(f.train({"--out", ""})), 2, "");
  CHECK(state_of(f.folder.path) == before);
  // A place in the folder that would be found out at the end of the training only.
  fs::create_directories(f.path("blocked/policy.safetensors"));
  check_refusal(run_program(endless(f, {"--out", f.path("blocked")})), 4, "the folder holds a run");
  fs::remove_all(f.path("blocked"));
  fs::create_directories(f.path("blocked/policy-safe-best.safetensors"));
  check_refusal(run_program(endless(f, {"--out", f.path("blocked")})), 8,
                "cannot replace what is not a regular");
}

TEST_CASE("scores are told before they are written") {
  const SmallRun f;
  REQUIRE(run_program(f.train()).status == 0);
  // More than the printed scores take, less than the file.
  const ResourceLimit limit(RLIMIT_FSIZE, 4096);
  const ProgramResult result =
      run_program({"eval", f.run, "--env", "reach-avoid", "--episodes", "60", "--flow-steps", "1",
                   "--candidates", "1", "-o", f.path("e.json")});
  CHECK(result.status == 8);
  CHECK(result.out.find("return ") != std::string::npos);
  CHECK_FALSE(fs::exists(f.path("e.json")));
}

TEST_CASE("a task that contradicts the name of the data file is said") {
  const SmallRun f;
  const std::string named = f.path("SafetyBallRun-v0-80-940.hdf5");
  fs::copy_file(f.data, named);
  const auto train = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = f.train(std::move(more));
    *(std::find(arguments.begin(), arguments.end(), "--data") + 1) = named;
    return run_program(arguments).err;
  };
  const std::string warning = "the file's name tells the task BallRun, but the task is CarRun";
  CHECK(train({}).find("the file's name tells the task") == std::string::npos);
  CHECK(train({"--task", "CarRun", "--out", f.path("a")}).find(warning) != std::string::npos);
  std::ofstream(f.path("run.toml")) << "task = \"CarRun\"\n";
  CHECK(train({"--config", f.path("run.toml"), "--out", f.path("b")}).find(warning) != std::string::npos);
}

TEST_CASE("a manifest adds up what all starts of a run took") {
  const SmallRun f;
  const auto effort = [&] { return nlohmann::json::parse(content(f.run + "/manifest.json")).at("effort"); };
  Process first(endless(f));
  REQUIRE(first.prints("critics 40/"));
  first.signal(SIGKILL);
  first.wait();
  const nlohmann::json killed = effort();  // as of the last checkpoint
  REQUIRE(killed["steps"] >= 20);
  CHECK(killed["steps"].get<int>() % 20 == 0);
  CHECK(killed["seconds"] > 0);
  Process next(endless(f));
  REQUIRE(next.prints("continuing at step "));
  sleep_ms(100);
  next.signal(SIGTERM);
  REQUIRE(next.wait().status == 75);
  const nlohmann::json stopped = effort();
  CHECK(stopped["steps"] > killed["steps"]);
  CHECK(stopped["seconds"] > killed["seconds"]);
  CHECK(stopped["host_bytes"] > 1 << 20);
  CHECK(stopped["device_bytes"].is_null());
  CHECK(stopped["gflop_per_step"] > 0);
  CHECK(stopped["scoring_seconds"] == 0);
}

TEST_CASE("scores on the way have a time of their own") {
  const SmallRun f;
  REQUIRE(run_program(f.train({"--eval-env", "reach-avoid", "--eval-every", "20", "--eval-episodes", "2",
                               "--set", "flow_steps=2"}))
              .status == 0);
  const nlohmann::json effort = nlohmann::json::parse(content(f.run + "/manifest.json")).at("effort");
  CHECK(effort["steps"] == 80);  // 40 of each stage
  CHECK(effort["scoring_seconds"] > 0);
  CHECK(effort["seconds"] > 0);
}
