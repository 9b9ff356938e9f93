// `r2pac eval` and `r2pac train --eval-env` with simulators that take other actions, hang or are stopped.
#include <nlohmann/json.hpp>

#include "fake_children.h"
#include "folder_state.h"
#include "killing.h"
#include "thorough.h"

using namespace r2pac;
namespace fs = std::filesystem;

namespace {

constexpr int kEpisodes = 8;

class Fixture {
 public:
  Fixture() {
    REQUIRE(run_program({"data", "make", "reach-avoid", "-o", data(), "--episodes", "10"}).status == 0);
  }

  std::string data() const { return folder_ / "reach-avoid.hdf5"; }
  std::string run() const { return folder_ / "run"; }
  fs::path eval_json() const { return fs::path(run()) / "eval.json"; }

  /// modes  of the fake environment; empty: without scores
  std::vector<std::string> train(const std::string& modes) const {
    std::vector<std::string> arguments = {"train",    "--data",     data(),    "--out", run(),
                                          "--hidden", "8,8",        "--batch", "16",    "--steps",
                                          "40",       "--schedule", "joint",   "--set", "log_every=10"};
    if (!modes.empty())
      arguments.insert(arguments.end(),
                       {"--eval-env", env(modes), "--eval-every", "20", "--eval-episodes", "2"});
    return arguments;
  }
  std::vector<std::string> eval(const std::string& modes, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {
        "eval", run(), "--env", env(modes), "--episodes", std::to_string(kEpisodes), "--env-processes", "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  nlohmann::json scores() const { return nlohmann::json::parse(content(eval_json())); }

 private:
  /// As wide as the robot; behind a shell, which a plain kill would leave to itself.
  static std::string env(const std::string& modes) {
    return "cmd:" + fake_command("robot " + modes) + "; true";
  }

  ScratchFolder folder_;
};

/// Sends the signal when the simulators have come to where they hang, and checks that the end takes two
/// seconds. everyone  sends it to the simulators, too, as schedulers do
ProgramResult stop(Process& program, const Nothing& processes, std::size_t simulators, int signal,
                   bool everyone = false) {
  const auto start = std::chrono::steady_clock::now();
  while (processes.children().size() < simulators && seconds_since(start) < 30) sleep_ms(5);
  sleep_ms(700);
  CHECK(program.running());
  const auto sent = std::chrono::steady_clock::now();
  program.signal(signal);
  if (everyone)
    for (const pid_t simulator : processes.children()) ::kill(simulator, signal);
  ProgramResult result = program.wait();
  CHECK(seconds_since(sent) < 2);
  return result;
}

}  // namespace
CATCH_REGISTER_LISTENER(PythonOrSkip)

TEST_CASE("eval.json tells the bounds of actions, which are [-1, 1] or asked for") {
  const Nothing remains;
  const Fixture f;
  REQUIRE(run_program(f.train("")).status == 0);
  ProgramResult result = run_program(f.eval("plain"));
  CHECK(result.status == 0);
  CHECK(result.err == "");
  nlohmann::json scores = f.scores();
  CHECK(scores["action_low"] == nlohmann::json({-1, -1}));
  CHECK(scores["action_high"] == nlohmann::json({1, 1}));
  CHECK(scores["rescale_actions"] == false);
  const double plain = scores["return_mean"];

  const std::string before = content(f.eval_json());
  result = run_program(f.eval("large-box"));
  CHECK(result.status == 2);
  CHECK_THAT(result.err, Catch::Contains("within [-2, 2]") && Catch::Contains("within [-1, 1]") &&
                             Catch::Contains("--rescale-actions"));
  CHECK(content(f.eval_json()) == before);
  CHECK(run_program(f.eval("large-box", {"--rescale-actions"})).status == 0);
  scores = f.scores();
  CHECK(scores["action_low"] == nlohmann::json({-2, -2}));
  CHECK(scores["rescale_actions"] == true);
  CHECK(scores["return_mean"] != plain);

  result = run_program(f.eval("old"));
  CHECK(result.status == 0);
  CHECK_THAT(result.err, Catch::StartsWith("warning: bounds unknown"));
  scores = f.scores();
  CHECK(scores["action_low"] == nlohmann::json({nullptr, nullptr}));
  CHECK(scores["return_mean"] == plain);
  result = run_program(f.eval("infinite-box"));
  CHECK(result.status == 0);
  CHECK_THAT(result.err, Catch::StartsWith("warning: the environment takes actions within [-inf, inf]"));
  CHECK(f.scores()["return_mean"] == plain);
  CHECK(run_program(f.eval("twice")).status == 9);
}

TEST_CASE("eval says how far it was when it is stopped, and ends by the signal") {
  const Nothing remains;
  const Fixture f;
  REQUIRE(run_program(f.train("")).status == 0);
  const auto [modes, signal, text] = GENERATE(table<const char*, int, const char*>({
      {"hello-deaf", SIGINT, "stopped after no step"},
      {"step-deaf", SIGTERM, "stopped after 0 of 8 episodes, 16 steps; so far return"},
      {"fourth-hang", SIGINT, "stopped after 2 of 8 episodes, 24 steps; so far return"},
      {"step-spin", SIGHUP, "nothing was written"},
  }));
  CAPTURE(modes);
  Process program(f.eval(modes));
  const ProgramResult result = stop(program, remains, 2, signal);
  CHECK(result.status == -signal);
  CHECK_THAT(result.err, Catch::Contains(text));
  CHECK(result.out.empty());
  CHECK_FALSE(fs::exists(f.eval_json()));
  if (std::string(modes) == "fourth-hang") CHECK_THAT(result.err, Catch::Contains("P(cost <= kappa)"));
}

TEST_CASE("a training that waits for a simulator saves, ends within two seconds, and goes on") {
  const Nothing remains;
  const Fixture f;
  const auto [modes, signal, everyone] =
      GENERATE(table<const char*, int, bool>({{"hello-hang", SIGTERM, false},
                                              {"hello-deaf", SIGINT, false},
                                              {"reset-deaf", SIGTERM, false},
                                              {"step-deaf", SIGTERM, false},
                                              {"step-stop", SIGINT, false},
                                              {"step-hang", SIGTERM, true}}));
  CAPTURE(modes);
  Process program(f.train(modes));
  const ProgramResult result = stop(program, remains, 1, signal, everyone);
  CHECK(result.status == 75);
  CHECK_THAT(result.out, Catch::Contains("stopped "));
  const bool trained = std::string(modes).rfind("hello-", 0) != 0;
  CHECK(fs::exists(fs::path(f.run()) / "checkpoints") == trained);
  const ProgramResult again = run_program(f.train("plain"));
  CHECK(again.status == 0);
  CHECK((again.out.find("continuing at step 20") != std::string::npos) == trained);
}

TEST_CASE("simulators that were suspended with the program are not taken for hung ones") {
  const Nothing remains;
  const Fixture f;
  REQUIRE(run_program(f.train("")).status == 0);
  Process program(f.eval("slow", {"--env-timeout", "1.5"}));
  const auto start = std::chrono::steady_clock::now();
  while (remains.children().size() < 2 && seconds_since(start) < 30) sleep_ms(5);
  sleep_ms(1000);
  std::vector<pid_t> all = remains.children();
  all.push_back(program.id());
  for (const pid_t process : all) ::kill(process, SIGSTOP);
  sleep_ms(3000);
  for (const pid_t process : all) ::kill(process, SIGCONT);
  CHECK(program.wait().status == 0);
}

TEST_CASE("killed at any instant, scoring in simulators leaves the file old or new, and no simulator") {
  const Nothing remains;
  const Fixture f;
  REQUIRE(run_program(f.train("")).status == 0);
  const double length = seconds_of(f.eval("plain"));
  const std::string whole = content(f.eval_json());
  int kills = 0;
  for (int round = 0; round < 8 * thorough(); ++round) {
    std::ofstream(f.eval_json()) << "old";
    kills += kill_at_random(f.eval("plain"), length, static_cast<std::uint32_t>(round));
    const std::string now = content(f.eval_json());
    CHECK((now == "old" || now == whole));
    CHECK(all_gone(remains.children()));
  }
  CHECK(kills > 0);
  CHECK(run_program(f.eval("plain")).status == 0);
  CHECK(content(f.eval_json()) == whole);
  CHECK_FALSE(has_temporary(f.run()));
}

TEST_CASE("killed at any instant, a training that scores in simulators ends in the same bytes") {
  const Nothing remains;
  const Fixture f;
  const double length = seconds_of(f.train("plain"));
  std::map<std::string, std::string> whole;
  for (const char* name : {"metrics.jsonl", "evaluations.jsonl", "policy.safetensors", "config.toml"})
    whole[name] = content(fs::path(f.run()) / name);
  int kills = 0;
  for (int round = 0; round < 3 * thorough(); ++round) {
    fs::remove_all(f.run());
    for (int i = 0; i < 3; ++i) {
      kills += kill_at_random(f.train("plain"), length, static_cast<std::uint32_t>(1000 + 3 * round + i));
      CHECK(all_gone(remains.children()));
    }
    REQUIRE(run_program(f.train("plain")).status == 0);
    for (const auto& [name, text] : whole) {
      INFO(name);
      CHECK((content(fs::path(f.run()) / name) == text));
    }
    CHECK_FALSE(has_temporary(f.run()));
  }
  CHECK(kills > 0);
}

TEST_CASE("an interpreter that a stranger put above the program is not run") {
  if (::geteuid() != 0) {
    std::printf("skipped: only root can give a file to somebody else\n");
    std::exit(77);
  }
  const Fixture f;
  REQUIRE(run_program(f.train("")).status == 0);
  const ScratchFolder shared;
  const fs::path program = shared / "bin/r2pac", bin = shared / ".simulators/bin", marker = shared / "was run";
  fs::create_directories(program.parent_path());
  fs::create_directories(bin);
  fs::copy_file(program_path(), program);
  std::ofstream(bin / "python3") << "#!/bin/sh\n: >'" << marker.string() << "'\n";
  fs::permissions(bin / "python3", fs::perms::owner_all | fs::perms::others_exec | fs::perms::others_read);

  const auto runs_it = [&] {
    fs::remove(marker);
    const std::string command = "env -u R2PAC_SIMULATORS_PYTHON '" + program.string() + "' eval '" + f.run() +
                                "' --env Pendulum-v1 --episodes 1 >/dev/null 2>&1";
    CHECK(std::system(command.c_str()) != 0);
    return fs::exists(marker);
  };
  CHECK(runs_it());
  constexpr uid_t kStranger = 65534;
  for (const fs::path& path : {bin / "python3", bin, bin.parent_path()}) {
    INFO(path);
    REQUIRE(::lchown(path.c_str(), kStranger, kStranger) == 0);
    CHECK_FALSE(runs_it());
    REQUIRE(::lchown(path.c_str(), 0, 0) == 0);
  }
}
