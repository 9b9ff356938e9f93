// The Python server and the real simulators: step for step what a plain Python loop gives.
#include <sys/wait.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "envs/child_environment.h"
#include "python_or_skip.h"
#include "scratch_folder.h"
#include "shell_output.h"

using namespace r2pac;

namespace {

struct SimulatorsOrSkip : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;
  void testRunStarting(const Catch::TestRunInfo&) override {
    skip_unless_python_runs(simulators_python(), "import numpy, gymnasium, bullet_safety_gym");
    ::setenv("PYTHONPATH", R2PAC_SOURCE_DIR "/python", 1);
  }
};

bool python_runs(const std::string& statement) {
  return std::system((simulators_python() + " -c '" + statement + "' >/dev/null 2>&1").c_str()) == 0;
}

// As in test/plain_loop.py.
void act(std::span<const float> observation, int step, std::span<float> action) {
  for (std::size_t k = 0; k < action.size(); ++k)
    action[k] = 0.25f * std::clamp(observation[k % observation.size()], -1.0f, 1.0f) +
                0.125f * static_cast<float>((7 * step + 3 * static_cast<int>(k)) % 13 - 6);
}

// What the episodes first .. first + copies - 1 look like, in the form of test/plain_loop.py.
std::string records(ChildEnvironment& environment, int first, int steps) {
  const auto n = static_cast<std::size_t>(environment.count());
  const auto width = static_cast<std::size_t>(environment.observation_dim());
  const auto action_width = static_cast<std::size_t>(environment.action_dim());
  std::vector<std::string> out(n);
  std::vector<bool> ended(n);
  std::vector<float> actions(n * action_width);
  const auto append = [](std::string& to, const auto* values, std::size_t count) {
    to.append(reinterpret_cast<const char*>(values), count * sizeof *values);
  };
  environment.reset(0, first);
  for (std::size_t i = 0; i < n; ++i) append(out[i], &environment.observations()[i * width], width);
  for (int t = 0; t < steps; ++t) {
    for (std::size_t i = 0; i < n; ++i)
      act(environment.observations().subspan(i * width, width), t,
          std::span(actions).subspan(i * action_width, action_width));
    environment.step(actions);
    for (std::size_t i = 0; i < n; ++i) {
      if (ended[i]) continue;
      append(out[i], &actions[i * action_width], action_width);
      append(out[i], &environment.observations()[i * width], width);
      append(out[i], &environment.rewards()[i], 1);
      append(out[i], &environment.costs()[i], 1);
      append(out[i], &environment.terminals()[i], 1);
      append(out[i], &environment.timeouts()[i], 1);
      ended[i] = environment.terminals()[i] != 0 || environment.timeouts()[i] != 0;
    }
  }
  std::string all;
  for (const std::string& one : out) all += one;
  return all;
}

ChildEnvironmentOptions robot(const std::string& form, int copies, int processes) {
  return {.command = simulators_python() + " " R2PAC_SOURCE_DIR "/test/fake_env.py " + form,
          .copies = copies,
          .processes = processes};
}

}  // namespace
CATCH_REGISTER_LISTENER(SimulatorsOrSkip)

TEST_CASE("simulators give what a plain Python loop gives, bit for bit") {
  struct Case {
    const char* id;
    int episodes, steps;
  };
  // Car and Drone carry state over a reset, so wave after wave of episodes tells whether simulators are
  // fresh; the Drone ends by a terminal, BallRun by its length.
  const Case c = GENERATE(values<Case>({{"SafetyBallRun-v0", 6, 100},
                                        {"SafetyCarRun-v0", 4, 60},
                                        {"SafetyCarCircle-v0", 4, 60},
                                        {"SafetyDroneCircle-v0", 4, 120},
                                        {"SafetyAntRun-v0", 4, 60},
                                        {"SafetyCarGoal1Gymnasium-v0", 2, 60},
                                        {"SafetyHalfCheetahVelocityGymnasium-v1", 4, 60}}));
  CAPTURE(c.id);
  if (std::string(c.id).find("Gymnasium") != std::string::npos && !python_runs("import mujoco")) {
    WARN("safety-gymnasium is not installed");
    return;
  }
  const std::string expected =
      output_of(simulators_python() + " " R2PAC_SOURCE_DIR "/test/plain_loop.py " + c.id + " 0 " +
                std::to_string(c.episodes) + " " + std::to_string(c.steps));
  REQUIRE(!expected.empty());
  for (const int processes : {1, 2}) {
    ChildEnvironment environment({.id = c.id, .copies = c.episodes / 2, .processes = processes});
    CHECK(environment.name() == c.id);
    const std::string first = records(environment, 0, c.steps);
    const std::string second = records(environment, c.episodes / 2, c.steps);
    CHECK((first + second == expected));  // in parentheses, or Catch prints the bytes
  }
}

TEST_CASE("a real simulator that dies or stops is told and leaves nothing") {
  struct Case {
    int signal;
    const char* text;
  };
  const Case c =
      GENERATE(values<Case>({{SIGKILL, "was killed by signal 9 (Killed) instead of answering `step`"},
                             {SIGSEGV, "was killed by signal 11 (Segmentation fault)"},
                             {SIGTERM, "was killed by signal 15 (Terminated)"},
                             {SIGSTOP, "no answer to `step` within 2 s"}}));
  const ScratchFolder folder;
  const std::string file = folder / "pid";
  ChildEnvironmentOptions options{.command = "echo $$ > " + file + "; exec " + simulators_python() +
                                             " -m r2pac.env_server --id SafetyBallRun-v0"};
  options.step_timeout = 2;
  ChildEnvironment environment(options);
  environment.reset(0, 0);
  environment.step(std::vector<float>(2));
  pid_t simulator = 0;
  std::ifstream(file) >> simulator;
  REQUIRE(simulator > 1);
  ::kill(simulator, c.signal);
  try {
    environment.step(std::vector<float>(2));
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK_THAT(error.what(), Catch::Contains(c.text));
  }
  CHECK(::kill(simulator, 0) == -1);
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("environments of every form are served alike") {
  const std::string form = GENERATE("4", "5", "6", "arrays", "both", "infinite", "unknown");
  CAPTURE(form);
  ChildEnvironment environment(robot(form, 2, 1));
  CHECK(environment.warnings().size() == (form == "infinite" || form == "unknown" ? 1 : 0));
  CHECK(environment.name() == "robot");
  CHECK(environment.episode_steps() == 5);
  environment.reset(0, 0);
  const float start = environment.observations()[0];
  for (int t = 1; t <= 5; ++t) {
    environment.step(std::vector<float>{0.5f, 0.0f, 2.0f, -2.0f});
    CHECK(environment.observations()[0] == start);
    CHECK(environment.observations()[1] == static_cast<float>(t));
    CHECK(environment.rewards()[0] == 0.5);
    CHECK(environment.rewards()[1] == 1.0);
    CHECK(environment.costs()[1] == t % 2);
    CHECK(environment.terminals()[0] == 0);
    CHECK(environment.timeouts()[0] == (t == 5));
  }
}

TEST_CASE("an episode depends on its seed alone, whatever the environment draws from or keeps") {
  const std::string form = GENERATE("5", "draws", "carries");
  CAPTURE(form);
  std::string alone;
  ChildEnvironment one(robot(form, 1, 1));
  for (int episode = 0; episode < 4; ++episode) alone += records(one, episode, 5);
  for (const int processes : {1, 2}) {
    ChildEnvironment beside(robot(form, 4, processes));
    CHECK((records(beside, 0, 5) == alone));
    CHECK((records(beside, 0, 5) == alone));
  }
  ChildEnvironment two(robot(form, 2, 1));
  CHECK((records(two, 2, 5) + records(two, 0, 5) != alone));
}

TEST_CASE("bounds of actions are read from the space, and actions mapped onto them where that is asked for") {
  ChildEnvironmentOptions options = robot("large", 1, 1);
  CHECK_THROWS_WITH(ChildEnvironment(options), Catch::Contains("[-2, 2]") && Catch::Contains("[-1, 1]"));
  options.rescale_actions = true;
  ChildEnvironment environment(options);
  CHECK(to_text(environment.action_box()) == "[-2, 2]");
  environment.reset(0, 0);
  for (const float action : {0.5f, -1.0f, 1.0f, 3.0f}) {
    environment.step(std::vector<float>{action, 0.0f});
    CHECK(environment.rewards()[0] == 2.0 * std::min(static_cast<double>(action), 1.0));
  }
}

TEST_CASE("a slow environment is waited for as long as its copies are stepped one after the other") {
  ChildEnvironmentOptions options = robot("slow", 4, 1);  // 0.4 s for each
  options.step_timeout = 1;
  ChildEnvironment environment(options);
  environment.reset(0, 0);
  CHECK_NOTHROW(environment.step(std::vector<float>(8)));
}

TEST_CASE("what an environment does wrong is told by place and type, and what it raises by its traceback") {
  struct Fault {
    const char *form, *text;
    bool traceback = false;
  };
  const Fault fault = GENERATE(values<Fault>({
      {"raises", "the environment raised ZeroDivisionError: the wheel came off:", true},
      {"no-cost", "info has no \"cost\", so there is nothing to keep below a limit; it is empty"},
      {"costs", "its keys are 'costs', 'time'"},
      {"cost-last",
       "position 2 of the 6 that step returned (counted from 0), `cost`, is of type bool (False)"},
      {"cost-fourth",
       "position 2 of the 5 that step returned (counted from 0), `terminated`, is of type float (1.0)"},
      {"two-costs", "`cost`, is 1.0, but info[\"cost\"] is 2.0"},
      {"wide-cost", "info[\"cost\"] is an array of shape (2,) and type float64, expected one number"},
      {"bool-cost", "info[\"cost\"] is of type bool (True), expected one number"},
      {"text-observation", "the observation is of type str ('left'), expected an array of numbers"},
      {"wide", "an observation has 3 numbers, but the environment's space has 2"},
      {"discrete", "the environment's action_space is MultiDiscrete([3 3]); expected a Box of real numbers"},
  }));
  CAPTURE(fault.form);
  try {
    ChildEnvironment environment(robot(fault.form, 2, 2));
    environment.reset(0, 0);
    for (int t = 0; t < 5; ++t) environment.step(std::vector<float>(4));
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::environment);
    CHECK_THAT(error.what(), Catch::Contains(fault.text));
    CHECK((std::string(error.what()).find("env_server.py\", line") != std::string::npos) == fault.traceback);
    CHECK_THAT(error.where(), Catch::Contains("fake_env.py"));
    CHECK(!error.todo().empty());
  }
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
}

TEST_CASE("an unknown simulator names the nearest, and a missing one its package") {
  const auto error_of = [](const std::string& id) {
    try {
      ChildEnvironment unused({.id = id});
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::environment);
      return std::string(error.what()) + "; " + error.todo();
    }
    return std::string();
  };
  CHECK(error_of("SafetyBalRun-v0") ==
        "no simulator is registered as `SafetyBalRun-v0`; did you mean `SafetyBallRun-v0`?");
  if (!python_runs("import metadrive"))
    CHECK_THAT(error_of("OfflineMetadrive-easymean-v0"),
               Catch::Contains("MetaDrive is not installed") && Catch::Contains("pip install gym"));
}
