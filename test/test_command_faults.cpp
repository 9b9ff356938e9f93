// What goes wrong with a command: each class of failure has its exit status and says where, and nothing that
// was there before is lost.
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "resource_limit.h"
#include "small_run.h"
#include "storage/atomic_file.h"
#include "storage/generations.h"

using namespace r2pac;
namespace fs = std::filesystem;

namespace {

void flip_a_bit(const fs::path& path) {
  std::string bytes = content(path);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 8);
  std::ofstream(path, std::ios::binary) << bytes;
}

void check_failure(const std::vector<std::string>& arguments, int status, const std::string& beginning) {
  const ProgramResult result = run_program(arguments);
  INFO(beginning << " expected, not " << result.err);
  CHECK(result.status == status);
  CHECK(result.err.rfind("error: " + beginning, 0) == 0);
}

bool same_end(const std::string& a, const std::string& b) {
  return content(a + "/metrics.jsonl") == content(b + "/metrics.jsonl") &&
         content(a + "/policy.safetensors") == content(b + "/policy.safetensors");
}

}  // namespace

TEST_CASE("bad data end with 3, before anything is written") {
  const SmallRun f;
  std::ofstream(f.path("text.hdf5")) << "no data";
  fs::copy_file(f.data, f.path("half.hdf5"));
  fs::resize_file(f.path("half.hdf5"), fs::file_size(f.data) / 2);
  for (const std::string name : {"text.hdf5", "half.hdf5", "missing.hdf5"}) {
    INFO(name);
    for (const char* verb : {"info", "check"}) CHECK(run_program({"data", verb, f.path(name)}).status == 3);
    const ProgramResult trained = run_program({"train", "--data", f.path(name), "--out", f.run});
    CHECK(trained.status == 3);
    CHECK(trained.err.find("\n  where: " + f.path(name)) != std::string::npos);
    CHECK(trained.err.find("\n  to do: ") != std::string::npos);
    CHECK_FALSE(fs::exists(f.run));
  }
  check_failure(f.train({"--set", "chunk_length=101"}), 3, "zero valid windows");
}

TEST_CASE("bad settings, and a resume with others or with other data, end with 4") {
  const SmallRun f;
  check_failure(f.train({"--set", "alhpa=0.5"}), 4, "unknown key `alhpa`\n  where: --set\n");
  CHECK_FALSE(fs::exists(f.run));
  REQUIRE(run_program(f.train()).status == 0);
  const std::string policy = content(f.run + "/policy.safetensors");
  check_failure(f.train({"--set", "alpha=0.25"}), 4,
                "the checkpoint belongs to other settings: alpha was 0.85 and is now 0.25");
  check_failure(f.train({"--seed", "1"}), 4,
                "the checkpoint belongs to other settings: seed was 0 and is now 1");
  check_failure(f.train({"--resume", "never"}), 4, "the folder already holds a run");
  REQUIRE(
      run_program({"data", "make", "reach-avoid", "-o", f.data, "--episodes", "30", "--seed", "4"}).status ==
      0);
  check_failure(f.train(), 4, "the checkpoint belongs to other data: fingerprint ");
  CHECK(content(f.run + "/policy.safetensors") == policy);
  for (const char* name : {"R2PAC_ISA=avx3", "R2PAC_GEMM=onedn"}) {
    const ProgramResult result = run_program(f.train({"--out", f.path("x")}), {name});
    CHECK(result.status == 4);
    CHECK(result.err.find("did you mean `") != std::string::npos);
  }
}

TEST_CASE("damaged policies and checkpoints end with 5") {
  const SmallRun f;
  REQUIRE(run_program(f.train({"--set", "checkpoint_every=30"})).status == 0);
  const std::string policy = f.run + "/policy.safetensors", copy = f.path("copy.safetensors");
  const auto kept = list_generations(f.run + "/checkpoints");
  REQUIRE(kept.size() == 2);
  REQUIRE(run_program({"trace", "--data", f.data, "--hidden", "8", "--batch", "16", "--steps", "1", "-o",
                       f.path("trace.safetensors")})
              .status == 0);
  const std::vector<std::vector<std::string>> readers = {
      {"eval", copy, "--env", "reach-avoid"},
      {"sample", copy, "--obs", "-"},
      {"values", copy, "--data", f.data, "-o", f.path("v.csv")}};
  for (const std::string damage : {"cut", "flipped", "empty", "a trace", "missing"}) {
    INFO(damage);
    fs::remove(copy);
    if (damage != "missing") fs::copy_file(damage == "a trace" ? f.path("trace.safetensors") : policy, copy);
    if (damage == "cut") fs::resize_file(copy, 1000);
    if (damage == "empty") fs::resize_file(copy, 0);
    if (damage == "flipped") flip_a_bit(copy);
    for (const auto& reader : readers) {
      const ProgramResult result = run_program(reader);
      CHECK(result.status == 5);
      CHECK(result.err.find("\n  where: " + copy) != std::string::npos);
      CHECK(result.out.empty());
    }
  }
  CHECK_FALSE(fs::exists(f.path("v.csv")));

  // What --resume names must be a checkpoint; a long name counts, since short ones hide errors of memory.
  const auto resume = [&](const std::string& from) {
    return f.train({"--set", "checkpoint_every=30", "--out", f.path("new"), "--resume", from});
  };
  check_failure(resume(f.path("a-checkpoint-that-is-missing.safetensors")), 5, "cannot read the file");
  check_failure(resume(f.data), 5, "");
  check_failure(resume(policy), 5, "this is not a checkpoint");
  check_failure(resume(f.folder.path.string()), 5, "the folder holds no checkpoint");
  fs::resize_file(kept[1].path, 1000);
  check_failure(resume(kept[1].path.string()), 5, "");
  flip_a_bit(kept[0].path);
  const ProgramResult none = run_program(f.train({"--set", "checkpoint_every=30"}));
  CHECK(none.status == 5);
}

TEST_CASE("a run that diverges ends with 7 and names its last good checkpoint") {
  const SmallRun f;
  check_failure(f.train({"--set", "learning_rate=1e30"}), 7, "");
  const ProgramResult late = run_program(f.train(
      {"--out", f.path("late"), "--set", "learning_rate=1e30", "--set", "checkpoint_every=1", "--quiet"}));
  CHECK(late.status == 7);
  CHECK(late.err.find(" is not finite at step ") != std::string::npos);
  CHECK(late.err.find("checkpoint") != std::string::npos);
  CHECK_FALSE(fs::exists(f.path("late") + "/policy.safetensors"));
}

TEST_CASE("what cannot be written ends with 8, and a run goes on when there is room again") {
  const SmallRun f;
  std::ofstream(f.path("file")) << "in the way";
  for (const std::string& out : {std::string("/proc/nowhere"), f.path("file"), f.path("file") + "/run"})
    check_failure(f.train({"--out", out}), 8, "the folder cannot be made: ");
  check_failure({"data", "make", "reach-avoid", "-o", f.path("none/x.hdf5"), "--episodes", "2"}, 8,
                "cannot write the file: No such file or directory");
  // Nets whose checkpoints are larger than the data in memory, which counts as a file too.
  const auto train = [&](const std::string& out) {
    std::vector<std::string> arguments = f.train({"--out", out, "--set", "checkpoint_every=30"});
    *std::find(arguments.begin(), arguments.end(), "24,24") = "64,64";
    return arguments;
  };
  REQUIRE(run_program(train(f.path("straight"))).status == 0);
  check_failure({"values", f.path("straight"), "--data", f.data, "-o", "/dev/full"}, 8,
                "cannot replace what is not a regular file");
  const auto size = fs::file_size(f.data);
  REQUIRE(fs::file_size(list_generations(f.path("straight") + "/checkpoints").at(0).path) > 2 * size);
  {
    const ResourceLimit limit(RLIMIT_FSIZE, 2 * size);
    check_failure(train(f.run), 8, "cannot write the file: File too large (writing; ");
    check_failure({"data", "make", "reach-avoid", "-o", f.data, "--episodes", "100"}, 8,
                  "cannot write the file: File too large (writing; ");
  }
  CHECK(fs::file_size(f.data) == size);
  for (const auto& entry : fs::recursive_directory_iterator(f.folder.path))
    CHECK_FALSE(is_temporary(entry.path()));
  REQUIRE(run_program(train(f.run)).status == 0);
  CHECK(same_end(f.run, f.path("straight")));
}

TEST_CASE("a bad observation ends with 3 and its line's number, after the answers to those before") {
  const SmallRun f;
  REQUIRE(run_program(f.train()).status == 0);
  struct Case {
    std::string line, message;
  };
  for (const auto& [line, message] :
       {Case{"[1,2]", "the observation has 2 numbers, the policy wants 7"},
        Case{"[0,0,0,0,0,0,0", "the line is not JSON"}, Case{"zero", "the line is not JSON"},
        Case{"{\"obs\": [0,0,0,0,0,0,0]}", "the line is no JSON array"},
        Case{"7", "the line is no JSON array"},
        Case{"[0,0,0,0,0,0,\"0\"]", "the observation holds something that is not a number"},
        Case{"[0,0,0,0,0,0,[0]]", "the observation holds something that is not a number"},
        Case{"[0,0,0,0,0,0,null]", "the observation holds something that is not a number"},
        Case{"[0,0,0,0,0,0,1e39]", "the observation holds a number that is not finite"},
        Case{"[0,0,0,0,0,0,NaN]", "the line is not JSON"},
        Case{"[0,0,0,0,0,0,1e400]", "the line holds a number that is out of range"},
        Case{std::string((1 << 20) + 1, '['), "the line is longer than a mebibyte"},
        Case{std::string(1 << 20, '['), "the line is nested too deeply"}}) {
    INFO(message);
    std::ofstream(f.path("lines")) << "[0,0,0,0,0,0,0]\n\n" << line << "\n[0,0,0,0,0,0,0]\n";
    std::vector<std::string> sample = {"sample",       f.run, "--obs",        f.path("lines"),
                                       "--candidates", "2",   "--flow-steps", "2"};
    const ProgramResult going_on = run_program(sample);
    sample.push_back("--strict");
    const ProgramResult strict = run_program(sample);
    const auto lines = [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); };
    CHECK(strict.status == 3);
    CHECK(strict.err == "error: " + message + "\n  where: " + f.path("lines") +
                            ", line 3\n  to do: give one JSON array of 7 numbers a line\n");
    CHECK(lines(strict.out) == 1);
    CHECK(going_on.status == 3);
    if (line.size() > 1 << 20) {  // nobody knows where it ends
      CHECK(going_on.err == strict.err);
      continue;
    }
    CHECK(going_on.err == "error: lines were refused: 1\n  where: " + f.path("lines") +
                              "\n  to do: their answers have an `error`; --strict ends at the first\n");
    REQUIRE(lines(going_on.out) == 3);
    std::istringstream answers(going_on.out);
    for (const bool good : {true, false, true}) {
      std::string answer;
      std::getline(answers, answer);
      const nlohmann::json json = nlohmann::json::parse(answer);
      if (good)
        CHECK(json.contains("action"));
      else
        CHECK(json == nlohmann::json{{"error", message}, {"line", 3}});
    }
  }
  for (const std::string& name : {f.path("missing"), f.folder.path.string()})
    check_failure({"sample", f.run, "--obs", name}, 3, "the file cannot be read\n  where: " + name);
}

TEST_CASE("mistakes of a command's words end with 2") {
  const SmallRun f;
  REQUIRE(run_program(f.train({"--out", f.path("ball"), "--task", "BallRun"})).status == 0);
  // A policy of another task may have the same widths by chance; its score would mean nothing.
  check_failure({"eval", f.path("ball"), "--env", "reach-avoid"}, 2, "the policy was trained for BallRun");
  check_failure({"eval", f.path("ball"), "--env", "reach-avoid", "--seed", "-1"}, 2, "--seed: ");
  check_failure({"eval", f.path("ball"), "--env", "reach-avod"}, 2, "unknown task `reach-avod`");
  for (const char* threads : {"-1", "1025"})
    check_failure(f.train({"--threads", threads}), 2, "--threads must be from 1 to 1024");
  for (const char* episodes : {"0", "-1", "100001"})
    check_failure({"data", "make", "reach-avoid", "-o", f.path("x"), "--episodes", episodes}, 2,
                  "the number of episodes must be from 1 to 100000");
}
