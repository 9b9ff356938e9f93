// Environments in child processes: the protocol, everything that may go wrong with a child, and that none is
// left.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "envs/child_environment.h"
#include "envs/evaluate.h"
#include "python_or_skip.h"
#include "scratch_folder.h"

using namespace r2pac;

namespace {

struct PythonOrSkip : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;
  void testRunStarting(const Catch::TestRunInfo&) override {
    skip_unless_python_runs(R2PAC_PYTHON, "import socket");
  }
};

ChildEnvironmentOptions fake(const std::string& mode, int copies = 2, int processes = 1) {
  // Generous: only cases of a child that hangs wait for it.
  return {.command = "exec " R2PAC_PYTHON " " R2PAC_SOURCE_DIR "/test/fake_environment.py " + mode,
          .copies = copies,
          .processes = processes,
          .start_timeout = 60,
          .step_timeout = 60};
}

std::string content(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::ptrdiff_t open_files() {
  return std::ranges::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                               std::filesystem::directory_iterator());
}

// Ended, whether or not it has been reaped: an orphan's zombie is init's business.
bool gone(pid_t pid) {
  const std::string stat = content("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t name_end = stat.rfind(')');  // "pid (name) state ..."
  return name_end == std::string::npos || stat.compare(name_end, 3, ") Z") == 0;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Where a shell stands between, a killed process is reaped by init, in its own time.
bool all_gone(const std::vector<pid_t>& children) {
  const auto start = std::chrono::steady_clock::now();
  while (!std::ranges::all_of(children, gone) && seconds_since(start) < 30) ::usleep(5000);
  return std::ranges::all_of(children, gone);
}

// Checks at its end that all children that left their number have gone, that none waits to be reaped, and
// that as many files are open as before.
class Nothing {
 public:
  Nothing() { ::setenv("R2PAC_TEST_PIDS", folder_.path.c_str(), 1); }
  ~Nothing() {
    CHECK(all_gone(children()));
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
    CHECK(errno == ECHILD);
    CHECK(open_files() == files_);
    ::unsetenv("R2PAC_TEST_PIDS");
  }
  std::vector<pid_t> children() const {
    std::vector<pid_t> out;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path))
      out.push_back(std::stoi(entry.path().filename().string()));
    return out;
  }

 private:
  ScratchFolder folder_;
  std::ptrdiff_t files_ = open_files();
};

// All that an Error says; fails where none is thrown.
std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::environment);
    return std::string(error.what()) + "\nwhere: " + error.where() + "\ntodo: " + error.todo();
  }
  FAIL("nothing was thrown");
  return "";
}

void run_episode(const ChildEnvironmentOptions& options) {
  ChildEnvironment environment(options);
  environment.reset(0, 0);
  const std::vector<float> actions(static_cast<std::size_t>(environment.count()) * 2, 0.25f);
  for (int t = 0; t < 5; ++t) environment.step(actions);
}

}  // namespace
CATCH_REGISTER_LISTENER(PythonOrSkip)

TEST_CASE("copies in one or several children go through their episodes") {
  const Nothing remains;
  const int processes = GENERATE(1, 2, 3, 7);
  ChildEnvironment environment(fake("plain", 3, processes));
  CHECK(environment.processes() == std::min(processes, 3));
  CHECK(environment.name() == "fake ??plain");
  CHECK(environment.count() == 3);
  CHECK(environment.observation_dim() == 3);
  CHECK(environment.action_dim() == 2);
  CHECK(environment.episode_steps() == 5);
  for (const int first : {4, 7}) {
    environment.reset(2, first);
    for (int i = 0; i < 3; ++i) {
      const auto copy = static_cast<std::size_t>(i);
      CHECK(environment.episode_seed(2, first + i) == 200'000u + static_cast<unsigned>(first + i));
      CHECK(environment.observations()[3 * copy] == static_cast<float>(first + i));
      CHECK(environment.observations()[3 * copy + 1] == 0.0f);
      CHECK(environment.rewards()[copy] == 0.0);
      CHECK(environment.timeouts()[copy] == 0);
    }
    for (int t = 1; t <= 6; ++t) {
      environment.step(std::vector<float>{0.5f, 0.25f, -3.0f, 0.125f, 1.0f, 7.0f});  // -3 and 7 are clipped
      const double rewards[3] = {0.75, -0.875, 2.0};
      for (std::size_t i = 0; i < 3; ++i) {
        const bool ends = (first + static_cast<int>(i)) % 4 == 1;
        const int last = ends ? 3 : 5, taken = std::min(t, last);
        CHECK(environment.rewards()[i] == (t <= last ? rewards[i] : 0.0));
        CHECK(environment.costs()[i] == (t <= last ? t % 2 : 0));
        CHECK(environment.observations()[3 * i + 1] == static_cast<float>(taken));
        CHECK(environment.observations()[3 * i + 2] == static_cast<float>(taken * rewards[i]));
        CHECK(environment.terminals()[i] == (ends && t >= 3));
        CHECK(environment.timeouts()[i] == (!ends && t >= 5));
      }
    }
  }
}

TEST_CASE("evaluation gives the same episodes for any number of copies and children") {
  const Nothing remains;
  const BatchPolicy policy = [](std::span<const float> observations, auto, auto, auto,
                                std::span<float> actions) {
    for (std::size_t i = 0; i < actions.size(); ++i) actions[i] = 0.1f * observations[3 * (i / 2) + 1] - 0.2f;
  };
  std::vector<double> returns;
  for (const auto& [copies, processes] : {std::pair{1, 1}, {3, 2}, {8, 1}}) {
    ChildEnvironment environment(fake("plain", copies, processes));
    const EvaluationResult result = evaluate(environment, 7, 5, policy);
    if (returns.empty())
      for (const EpisodeResult& episode : result.episodes) returns.push_back(episode.episode_return);
    for (std::size_t e = 0; e < 7; ++e) {
      CHECK(result.episodes[e].episode_return == returns[e]);
      CHECK(result.episodes[e].length == (e % 4 == 1 ? 3 : 5));
      CHECK(result.episodes[e].terminated == (e % 4 == 1));
    }
  }
}

TEST_CASE("a thousand steps, and a child that prints without end") {
  const Nothing remains;
  SECTION("steps") {
    ChildEnvironment environment(fake("thousand", 4, 2));
    environment.reset(1, 0);
    const std::vector<float> actions(8, 0.5f);
    double sum = 0;
    for (int t = 0; t < 1000; ++t) {
      environment.step(actions);
      sum += environment.rewards()[3];
      REQUIRE(environment.timeouts()[3] == (t == 999));
    }
    CHECK(sum == 1000.0);
  }
  SECTION("prints") { CHECK_NOTHROW(run_episode(fake("chatty"))); }  // 400 kB a step, more than a pipe holds
}

TEST_CASE("a step limit that the environment does not state is the caller's") {
  const Nothing remains;
  ChildEnvironmentOptions options = fake("endless", 1);
  SECTION("stated") {
    options.episode_steps = 3;
    ChildEnvironment environment(options);
    environment.reset(0, 0);
    CHECK(environment.episode_steps() == 3);
    for (int t = 1; t <= 3; ++t) {
      environment.step(std::vector<float>{0, 0});
      CHECK(environment.timeouts()[0] == (t == 3));
    }
  }
  SECTION("unknown") { CHECK(ChildEnvironment(options).episode_steps() == -1); }
}

TEST_CASE("a slow start is waited for, up to the stated time") {
  const Nothing remains;
  ChildEnvironmentOptions options = fake("slow-start");
  CHECK_NOTHROW(run_episode(options));
  options.start_timeout = 0.5;
  CHECK_THAT(error_of([&] { run_episode(options); }), Catch::Contains("no answer to `hello` within 0.5 s"));
}

TEST_CASE("what a child does wrong is an error with command, advice and last output") {
  struct Fault {
    const char *mode, *text;
  };
  // Bytes of a transition of two copies: 2 * (3 * 4 + 8 + 8 + 1 + 1) = 60.
  const Fault fault = GENERATE(values<Fault>({
      {"start-exit", "ended with status 3 instead of answering `hello`; its last output:\n    | no licence"},
      {"hello-exit", "ended with status 7 instead of answering `hello`; its last output:\n    | last words"},
      {"hello-crash", "was killed by signal 11 (Segmentation fault) instead of answering `hello`"},
      {"hello-garbage", "does not begin with `R2CE`"},
      {"hello-oversized", "has 4294967295 bytes, expected 16 to 65536"},
      {"hello-wrong-type", "a message of type 7, expected 2"},
      {"hello-error", "raised ValueError: no wheels:\n    | File robot.py, line 3\n    | ?[2Jroll()\nwhere"},
      {"version", "its protocol is of version 2, expected 1"},
      {"no-width", "its observation width is 0, expected 1 to 1048576"},
      {"reset-nan", "observation 0 of copy 0 is nan after step 0, expected a finite 32-bit number"},
      {"step-exit", "ended with status 7 instead of answering `step`; its last output:\n    | last words"},
      {"step-crash", "was killed by signal 11 (Segmentation fault) instead of answering `step`"},
      {"step-garbage", "does not begin with `R2CE`"},
      {"step-oversized", "has 4294967295 bytes, expected 60"},
      {"step-wrong-type", "a message of type 7, expected 6"},
      {"step-error", "raised ValueError: no wheels"},
      {"short", "the answer to `step` has 56 bytes, expected 60"},
      {"long", "the answer to `step` has 64 bytes, expected 60"},
      {"nan-observation", "observation 1 of copy 0 is nan after step 3, expected a finite 32-bit number"},
      {"infinite-reward", "reward of copy 0 is inf after step 3, expected a finite number"},
      {"negative-cost", "cost of copy 0 is -1 after step 3, expected a finite number of at least 0"},
      {"odd-flag", "truncated of copy 0 is 2 after step 3, expected 0 or 1"},
  }));
  const Nothing remains;
  const std::string text = error_of([&] { run_episode(fake(fault.mode)); });
  CAPTURE(fault.mode);
  CHECK_THAT(text, Catch::Contains(fault.text));
  CHECK_THAT(text, Catch::Contains(std::string("fake_environment.py ") + fault.mode));
  CHECK_THAT(text, !Catch::EndsWith("todo: "));
}

TEST_CASE("a child that hangs is ended within the stated time") {
  const std::string mode =
      GENERATE("hello-hang", "hello-deaf", "hello-half", "step-hang", "step-deaf", "step-half");
  CAPTURE(mode);
  const Nothing remains;
  ChildEnvironmentOptions options = fake(mode);
  if (mode.ends_with("-deaf")) options.command.erase(0, options.command.find(' '));  // a shell in between
  const bool starting = mode.starts_with("hello");
  // Python itself needs a part of a second to start; 2 s on a busy machine are not a bound on anything else.
  (starting ? options.start_timeout : options.step_timeout) = 2;
  const auto start = std::chrono::steady_clock::now();
  const std::string text = error_of([&] { run_episode(options); });
  CHECK(seconds_since(start) < 20);  // a child sleeps for 1000 s
  CHECK_THAT(
      text, Catch::Contains(starting ? "no answer to `hello` within 2 s" : "no answer to `step` within 2 s"));
  if (mode.ends_with("-hang")) CHECK_THAT(text, Catch::Contains("its last output:\n    | waiting for Godot"));
}

TEST_CASE("one failing child ends all, and the environment stays failed") {
  const Nothing remains;
  ChildEnvironment environment(fake("step-exit", 4, 2));
  environment.reset(0, 0);
  const std::vector<float> actions(8);
  environment.step(actions);
  environment.step(actions);
  CHECK_THAT(error_of([&] { environment.step(actions); }), Catch::Contains("status 7"));
  CHECK(all_gone(remains.children()));
  CHECK_THAT(error_of([&] { environment.step(actions); }), Catch::Contains("failed before"));
  CHECK_THAT(error_of([&] { environment.reset(0, 0); }), Catch::Contains("failed before"));
}

TEST_CASE("children of one command that differ are refused") {
  const Nothing remains;
  CHECK_THAT(error_of([] { run_episode(fake("differ", 3, 2)); }),
             Catch::Contains("describe different environments"));
}

TEST_CASE("an interpreter that is missing or lacks the server says what to install") {
  const Nothing remains;
  ChildEnvironmentOptions options{.id = "SafetyBallRun-v0", .python = "/no/such/python", .start_timeout = 60};
  std::string text = error_of([&] { ChildEnvironment unused(options); });
  CHECK_THAT(text, Catch::Contains("cannot start `/no/such/python`: No such file or directory"));
  CHECK_THAT(text, Catch::Contains("where: /no/such/python -m r2pac.env_server --id SafetyBallRun-v0"));
  CHECK_THAT(text, Catch::Contains("./setup.sh --simulators"));
  options.python = "/bin/false";
  text = error_of([&] { ChildEnvironment unused(options); });
  CHECK_THAT(text, Catch::Contains("ended with status 1 instead of answering `hello`"));
  CHECK_THAT(text, Catch::Contains("./setup.sh --simulators"));
}

TEST_CASE("a program that is no server is told from one") {
  const Nothing remains;
  ChildEnvironmentOptions options{.command = "echo hello; exec 3>&-; exit 0", .start_timeout = 60};
  CHECK_THAT(
      error_of([&] { ChildEnvironment unused(options); }),
      Catch::Contains("ended with status 0 instead of answering `hello`; its last output:\n    | hello") &&
          Catch::Contains("docs/environments.md"));
}

TEST_CASE("a child leads its own group, has no other file of ours, and goes with a killed parent") {
  Nothing remains;
  const int leaked = ::dup(STDERR_FILENO);  // open across exec, as a careless library leaves it
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    ChildEnvironment environment(fake("plain", 2, 2));
    static_cast<void>(!::write(ready[1], "!", 1));
    ::pause();
  }
  char byte = 0;
  ::close(ready[1]);
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  ::close(ready[0]);
  const std::vector<pid_t> children = remains.children();
  CHECK(children.size() == 2);
  for (const pid_t child : children) {
    CHECK(::getpgid(child) != ::getpgid(0));
    std::vector<int> files;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(child) + "/fd"))
      files.push_back(std::stoi(entry.path().filename().string()));
    std::ranges::sort(files);
    CHECK(files == std::vector<int>{0, 1, 2, 3});
  }
  ::close(leaked);
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  CHECK(all_gone(children));
}

TEST_CASE("calls with wrong sizes or numbers are refused and leave the children running") {
  const Nothing remains;
  CHECK_THROWS_AS(ChildEnvironment(fake("plain", 0)), InvalidArgument);
  CHECK_THROWS_AS(ChildEnvironment(fake("plain", 1, -1)), InvalidArgument);
  CHECK_THROWS_AS(ChildEnvironment(ChildEnvironmentOptions{}), InvalidArgument);
  ChildEnvironmentOptions options = fake("plain");
  options.step_timeout = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(ChildEnvironment(options), InvalidArgument);

  ChildEnvironment environment(fake("plain"));
  CHECK_THROWS_AS(environment.step(std::vector<float>(4)), InvalidArgument);  // before a reset
  CHECK_THROWS_AS(environment.reset(0, -1), InvalidArgument);
  environment.reset(0, 0);
  CHECK_THROWS_AS(environment.step(std::vector<float>(3)), InvalidArgument);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(environment.step(std::vector<float>{0, 0, 0, nan}), InvalidArgument);
  for (int t = 0; t < 3; ++t) environment.step(std::vector<float>(4));
  CHECK(environment.terminals()[1] == 1);
  CHECK_NOTHROW(environment.step(std::vector<float>{0, 0, nan, nan}));  // of a finished copy
}

TEST_CASE("the simulator of a task") {
  CHECK(simulator_id("OfflineBallRun-v0") == "SafetyBallRun-v0");
  CHECK(simulator_id("OfflinePointGoal1Gymnasium-v0") == "SafetyPointGoal1Gymnasium-v0");
  CHECK(simulator_id("OfflineAntVelocityGymnasium-v1") == "SafetyAntVelocityGymnasium-v1");
  CHECK(simulator_id("OfflineMetadrive-easymean-v0") == "OfflineMetadrive-easymean-v0");
  CHECK(simulator_id("SafetyBallRun-v0") == "SafetyBallRun-v0");
  ::setenv("R2PAC_SIMULATORS_PYTHON", "/opt/python", 1);
  CHECK(simulators_python() == "/opt/python");
  ::unsetenv("R2PAC_SIMULATORS_PYTHON");
  CHECK(simulators_python().ends_with("python3"));
}
