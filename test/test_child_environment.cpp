// Environments in child processes: the protocol, and that no process is left. test_simulator_zoo.cpp has what
// may go wrong with a child.
#include <cmath>
#include <limits>

#include "envs/evaluate.h"
#include "fake_children.h"

using namespace r2pac;

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

TEST_CASE("the policy's actions become the environment's") {
  const Nothing remains;
  const auto sum_after_a_step = [](const std::string& modes, bool rescale, const std::vector<float>& action) {
    ChildEnvironmentOptions options = fake(modes, 1);
    options.rescale_actions = rescale;
    ChildEnvironment environment(options);
    environment.reset(0, 0);
    environment.step(action);
    return environment.observations()[2];
  };
  const std::vector<float> action{0.5f, 0.25f};
  CHECK(sum_after_a_step("plain", false, action) == 0.75f);
  CHECK(sum_after_a_step("plain", true, action) == 0.75f);
  CHECK(sum_after_a_step("large-box", true, action) == 1.5f);
  CHECK(sum_after_a_step("large-box", true, {-7.0f, 1.0f}) == 0.0f);
  CHECK(sum_after_a_step("odd-box", true, {0.0f, 0.5f}) == 0.55f);  // [0, 0.1] and [-1, 1]
  CHECK(sum_after_a_step("infinite-box", false, action) == 0.75f);
  CHECK(sum_after_a_step("infinite-box", true, action) == 0.75f);
  CHECK(sum_after_a_step("unknown-box", false, action) == 0.75f);
  CHECK(sum_after_a_step("old", false, action) == 0.75f);
}

TEST_CASE("rescaled actions stay within their bounds, and both ends are met") {
  for (const auto& [low, high] :
       {std::pair{-2.0, 2.0}, {0.0, 0.1}, {-0.3, 0.7}, {5.0, 5.0}, {-1e300, 1e300}, {-1.0 / 3, 1e6 / 3}}) {
    CAPTURE(low, high);
    const ActionMap map({{low}, {high}}, true, "");
    double before = low;
    for (int i = -1000; i <= 1000; ++i) {
      const double now = static_cast<double>(map(0, static_cast<float>(i) / 1000));
      CHECK(now >= std::min(low, before));
      CHECK(now <= high);
      CHECK(now >= before);  // monotone
      before = std::max(now, low);
    }
    if (std::abs(low) < 1e30 && std::abs(low) > 1e-30) {
      // Half a unit in the last place of 32 bits, and one where rounding led outside.
      CHECK(std::abs(static_cast<double>(map(0, -1.0f)) - low) <= std::abs(low) * 1.2e-7);
      CHECK(std::abs(static_cast<double>(map(0, 1.0f)) - high) <= std::abs(high) * 1.2e-7);
    }
  }
}

TEST_CASE("bounds are told, and what is not known of them") {
  CHECK(to_text({{-0.1f}, {0.1f}}) == "[-0.1, 0.1]");  // as numbers of 32 bits are written
  CHECK(to_text({{-1.0}, {1.0000001}}) == "[-1, 1.0000001]");
  const Nothing remains;
  struct Case {
    const char *modes, *text, *warning;
  };
  const Case c = GENERATE(values<Case>({{"plain", "[-1, 1]", ""},
                                        {"old", "unknown bounds", "bounds unknown"},
                                        {"unknown-box", "unknown bounds", "bounds unknown"},
                                        {"infinite-box", "[-inf, inf]", "within [-inf, inf]"}}));
  const ChildEnvironment environment(fake(c.modes, 1));
  CHECK(to_text(environment.action_box()) == c.text);
  CHECK(environment.warnings().size() == (*c.warning == 0 ? 0 : 1));
  for (const std::string& warning : environment.warnings()) CHECK_THAT(warning, Catch::Contains(c.warning));
}

TEST_CASE("other bounds are refused, unless actions shall be rescaled") {
  const Nothing remains;
  const auto refusal = [](const std::string& modes, bool rescale) {
    ChildEnvironmentOptions options = fake(modes, 1);
    options.rescale_actions = rescale;
    return error_of([&] { ChildEnvironment unused(options); }, ExitCode::usage);
  };
  CHECK_THAT(refusal("large-box", false), Catch::Contains("actions within [-2, 2]") &&
                                              Catch::Contains("acts within [-1, 1]") &&
                                              Catch::Contains("--rescale-actions"));
  CHECK_THAT(refusal("odd-box", false), Catch::Contains("within [0, 0.1] x [-1, 1]"));
  for (const bool rescale : {false, true})
    CHECK_THAT(refusal("half-box", rescale), Catch::Contains("[0, inf]") && Catch::Contains("infinite"));
  CHECK_THAT(refusal("old", true), Catch::Contains("cannot be rescaled"));
}

TEST_CASE("a call that waits for a child stops within the stated time") {
  const Nothing remains;
  const std::string mode =
      GENERATE("start-hang", "hello-deaf", "reset-deaf", "step-deaf", "step-spin", "step-stop");
  CAPTURE(mode);
  const auto start = std::chrono::steady_clock::now();
  double asked = -1;
  ChildEnvironmentOptions options = fake(mode, 8, 4);
  options.stop = [&] {  // a second after the start, when all have come to where they hang
    if (asked < 0 && seconds_since(start) > 1) asked = seconds_since(start);
    return asked >= 0;
  };
  CHECK_THROWS_AS(run_episode(options), Interrupted);
  REQUIRE(asked >= 0);
  CHECK(seconds_since(start) - asked < 2);
}

TEST_CASE("a child that says that it works has as long again") {
  const Nothing remains;
  ChildEnvironmentOptions options = fake("slow", 4);  // 0.4 s for each copy
  options.step_timeout = 1;
  ChildEnvironment environment(options);
  environment.reset(0, 0);
  const auto start = std::chrono::steady_clock::now();
  CHECK_NOTHROW(environment.step(std::vector<float>(8)));
  CHECK(seconds_since(start) > 1.5);
}

TEST_CASE("pictures show the first episode, two steps to one, and change nothing of it") {
  const Nothing remains;
  const auto episodes = [](ChildEnvironmentOptions options) {
    ChildEnvironment environment(std::move(options));
    std::vector<double> seen;
    for (const int first : {0, 2, 0}) {  // two evaluations; the wave between them is of no first episode
      environment.reset(0, first);
      for (int t = 0; t < 5; ++t) {
        environment.step(std::vector<float>(4, 0.25f));
        seen.insert(seen.end(), environment.rewards().begin(), environment.rewards().end());
        seen.insert(seen.end(), environment.observations().begin(), environment.observations().end());
      }
    }
    environment.close();
    return seen;
  };
  const std::vector<double> plain = episodes(fake("draws"));
  for (const int processes : {1, 2}) {
    std::vector<int> brightness;
    ChildEnvironmentOptions options = fake("draws", 2, processes);
    options.film = [&](const CameraPicture& picture) {
      CHECK(picture.width == 4);
      CHECK(picture.height == 3);
      REQUIRE(picture.pixels.size() == 36);
      brightness.push_back(picture.pixels.back());
      return true;
    };
    CHECK(episodes(options) == plain);
    CHECK(brightness == std::vector{0, 2, 4, 5, 0, 2, 4, 5});

    brightness.clear();
    options.film = [&](const CameraPicture& picture) {
      brightness.push_back(picture.pixels.front());
      return brightness.size() < 2;
    };
    CHECK(episodes(options) == plain);
    CHECK(brightness == std::vector{0, 2, 0});  // enough: not before the next evaluation again
  }
}

TEST_CASE("who cannot draw is found out before the first step, and a wrong picture when it comes") {
  const Nothing remains;
  int pictures = 0;
  const auto filmed = [&](const std::string& modes) {
    ChildEnvironmentOptions options = fake(modes);
    options.film = [&](const CameraPicture&) { return ++pictures > 0; };
    return options;
  };
  for (const char* modes : {"plain", "old"})
    CHECK_THAT(error_of([&] { ChildEnvironment unused(filmed(modes)); }, ExitCode::usage),
               Catch::Contains("draws no pictures") && Catch::Contains("--gif"));
  const auto at_reset = [&](const std::string& modes, ExitCode code) {
    ChildEnvironment environment(filmed("draws " + modes));
    return error_of([&] { environment.reset(0, 0); }, code);
  };
  CHECK_THAT(at_reset("paints-nothing", ExitCode::usage),
             Catch::Contains("there is no paint") && Catch::Contains("todo: buy some"));
  CHECK_THAT(at_reset("paints-little", ExitCode::environment), Catch::Contains("4 x 3 pixels has 35 bytes"));
  CHECK_THAT(at_reset("paints-wide", ExitCode::environment), Catch::Contains("2049 x 1 pixels"));
  CHECK_THAT(at_reset("paints-no-pixel", ExitCode::environment), Catch::Contains("0 x 3 pixels"));
  CHECK_THAT(at_reset("paints-no-size", ExitCode::environment), Catch::Contains("has 4 bytes, expected 12"));
  CHECK_THAT(at_reset("paints-old-number", ExitCode::environment), Catch::Contains("another request"));
  CHECK(pictures == 0);
  CHECK_THAT(error_of([&] { run_episode(filmed("draws late paints-nothing")); }),
             Catch::Contains("there is no paint"));
  CHECK(pictures == 1);
}

TEST_CASE("an answer too many is found out when a server of version 1 is closed, too") {
  const Nothing remains;
  CHECK_THAT(error_of([] { run_episode(fake("answers-close")); }),
             Catch::Contains("a message of type 6 came after the last request"));
  CHECK_THAT(error_of([] { run_episode(fake("old delayed-twice", 1)); }),
             Catch::Contains("a message of type 6 came"));
}

TEST_CASE("nothing of a program is left, whatever stands between and however it ends") {
  struct Case {
    const char* name;
    std::string command;
  };
  const Case c =
      GENERATE(Case{"a shell between", fake_command("step-deaf") + "; true"},
               Case{"a shell in the background", fake_command("step-deaf") + " & wait"},
               Case{"a daemon", fake_command("daemon step-deaf")},
               Case{"a session", "setsid " + fake_command("step-deaf")},
               Case{"a daemon of a shell", "(setsid " + fake_command("step-deaf") + " &); exec sleep 1000"},
               Case{"orphans", fake_command("reset-orphan step-deaf")},
               Case{"orphans of their own sessions", fake_command("reset-many-orphans")});
  CAPTURE(c.name);
  SECTION("killed") {
    Nothing remains;
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t parent = ::fork();
    if (parent == 0) {
      ChildEnvironment environment({.command = c.command, .copies = 2, .processes = 2});
      static_cast<void>(!::write(ready[1], "!", 1));
      try {
        environment.reset(0, 0);
        for (int t = 0; t < 3; ++t) environment.step(std::vector<float>(4));
      } catch (const Error&) {
      }
      ::pause();
    }
    char byte = 0;
    ::close(ready[1]);
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    ::close(ready[0]);
    ::usleep(300'000);  // at any instant of it
    CHECK(!remains.children().empty());
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
  }
  SECTION("timed out") {
    const Nothing remains;
    ChildEnvironmentOptions options{.command = c.command, .copies = 2, .processes = 2};
    options.start_timeout = 10;
    options.step_timeout = 1;
    if (c.command.find("reset-") != std::string::npos) options.start_timeout = 1;
    CHECK_FALSE(error_of([&] { run_episode(options); }).empty());
  }
}

TEST_CASE("what a healthy program leaves behind is ended, too") {
  const Nothing remains;
  const std::string mode = GENERATE("daemon", "reset-orphan", "step-orphan", "hangs-at-close");
  CAPTURE(mode);
  CHECK_NOTHROW(run_episode(fake(mode)));
  CHECK(remains.children().size() >= 1);
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
