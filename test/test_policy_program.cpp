// `r2pac eval cmd:PROGRAM`: policies of other programs, by the built-in robot and without NumPy.
#include <nlohmann/json.hpp>

#include "fake_children.h"
#include "program.h"

using namespace r2pac;
using Catch::Contains;

namespace {

std::string policy(const std::string& mode) {
  return "cmd:exec " R2PAC_PYTHON " -S -E " R2PAC_SOURCE_DIR "/test/fake_policy.py " + mode;
}

ProgramResult eval(const std::string& mode, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"eval", policy(mode), "--env", "reach-avoid", "--episodes", "3"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_program(arguments);
}

}  // namespace
CATCH_REGISTER_LISTENER(PythonOrSkip)

TEST_CASE("a program's policy gets scores with its own account of itself") {
  const Nothing remains;
  const ScratchFolder folder;
  const std::string file = folder / "eval.json";
  const ProgramResult result = eval("plain", {"-o", file, "--seed", "2"});
  CHECK(result.err == "");
  REQUIRE(result.status == 0);
  CHECK_THAT(result.out, Contains("3 episodes, seed 2, fake 1"));
  const nlohmann::json scores = nlohmann::json::parse(content(file));
  CHECK(scores["method"] == "fake");
  CHECK(scores["program"] == "fake 1");
  CHECK(scores["step"] == 7);
  CHECK(scores["train_seed"] == 3);
  CHECK(scores["data_fingerprint"] == "abc");
  CHECK(scores["cost_limit"] == 5);  // the task's
  CHECK(scores["rows"].size() == 3);
  CHECK(scores["candidates"].is_null());

  // What an episode does depends on the seed, and not on its neighbours.
  const ProgramResult one = run_program(
      {"eval", policy("plain"), "--env", "reach-avoid", "--episodes", "1", "--seed", "2", "--json"});
  CHECK(nlohmann::json::parse(one.out)["rows"][0] == scores["rows"][0]);

  const ProgramResult report = run_program({"report", file, "-o", folder / "report"});
  CHECK(report.status == 0);
  CHECK_THAT(report.out, Contains("ReachAvoid"));
}

TEST_CASE("the limit is what the command line says, else the program, else the task") {
  CHECK(nlohmann::json::parse(eval("limit", {"--json"}).out)["cost_limit"] == 2);
  CHECK(nlohmann::json::parse(eval("limit", {"--json", "--cost-limit", "9"}).out)["cost_limit"] == 9);
}

TEST_CASE("a report tells the policies of programs from each other and from ours") {
  const ScratchFolder folder;
  const std::string data = folder / "data.hdf5", run = folder / "run", file = folder / "fake.json";
  REQUIRE(run_program({"data", "make", "reach-avoid", "-o", data, "--episodes", "10"}).status == 0);
  REQUIRE(run_program({"train", "--data", data, "--task", "reach-avoid", "--preset", "tiny", "--out", run})
              .status == 0);
  REQUIRE(run_program({"eval", run, "--episodes", "3"}).status == 0);
  REQUIRE(eval("plain", {"-o", file}).status == 0);
  const ProgramResult result = run_program({"report", run, file, "-o", folder / "report"});
  CHECK(result.err == "");
  REQUIRE(result.status == 0);
  CHECK_THAT(result.out, Contains("method=fake") && Contains("program=fake 1"));
}

TEST_CASE("scores of a program whose task and limit no setting can hold are reported") {
  const Nothing remains;
  const ScratchFolder folder;
  const std::string file = folder / "eval.json";
  const std::string environment = "cmd:exec " + fake_command("plain");
  REQUIRE(
      run_program({"eval", policy("odd-task"), "--env", environment, "--episodes", "2", "-o", file}).status ==
      0);
  CHECK_THAT(content(file),
             Contains(R"("task": "Lift \"x\"")") && Contains(R"("cost_limit": 100000000000.0)"));
  const ProgramResult result = run_program({"report", file, "-o", folder / "report"});
  INFO(result.err);
  CHECK(result.status == 0);
}

TEST_CASE("what a program does wrong is said, and nothing of it remains") {
  const Nothing remains;
  const auto [mode, text] = GENERATE(table<const char*, const char*>({
      {"hello-exit", "the policy's program ended with status 1 instead of answering `hello`"},
      {"exit", "the arm fell off"},
      {"nan", "action 1 in episode 1 at step 2 is nan, not a finite number"},
      {"outside", "action 1 in episode 1 at step 2 is -1.25, outside [-1, 1]"},
      {"short", "the answer to `decide` has 24 bytes, expected 28"},
      {"old-number", "it answers another request"},
      {"error", "the policy raised ValueError: no"},
      {"no-json", "its description"},
      {"list", "its description is no JSON object"},
      {"negative-step", "`step` of its description must be a whole number"},
      {"number-method", "`method` of its description must be a text"},
      {"negative-limit", "`cost_limit` of its description must be a number"},
  }));
  CAPTURE(mode);
  const ScratchFolder folder;
  const std::string file = folder / "eval.json";
  const ProgramResult result = eval(mode, {"-o", file});
  CHECK(result.status == 9);
  CHECK_THAT(result.err, Contains(text));
  CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("a program that hangs is given up") {
  const Nothing remains;
  const ProgramResult result = eval("hang", {"--env-timeout", "0.5"});
  CHECK(result.status == 9);
  CHECK_THAT(result.err, Contains("no answer to `decide` within 0.5 s"));
}

TEST_CASE("Ctrl-C ends the wait for a program, and its process") {
  const Nothing remains;
  Process program({"eval", policy("hang"), "--env", "reach-avoid", "--episodes", "3"});
  const auto start = std::chrono::steady_clock::now();
  while (remains.children().empty() && seconds_since(start) < 30) sleep_ms(5);
  sleep_ms(500);
  program.signal(SIGINT);
  const ProgramResult result = program.wait();
  CHECK(result.status == -SIGINT);
  CHECK_THAT(result.err, Contains("nothing was written"));
}

TEST_CASE("what is not for programs is refused before one is started") {
  const Nothing remains;
  CHECK(eval("plain", {"--candidates", "4"}).status == 2);
  CHECK(eval("plain", {"--set", "flow_steps=4"}).status == 2);
  CHECK(eval("plain", {"--cost-limit", "2,5"}).status == 2);
  CHECK(eval("plain", {"--checkpoint", "safe-best"}).status == 2);
  CHECK(run_program({"eval", policy("plain")}).status == 2);
  CHECK(run_program({"eval", "cmd:", "--env", "reach-avoid"}).status == 2);
  CHECK(remains.children().empty());
  const ProgramResult other = eval("other-task");
  CHECK(other.status == 2);
  CHECK_THAT(other.err, Contains("the policy was trained for BallRun"));
}
