// Every verb that writes, killed at random instants: each output is old or new and whole, and what the killed
// programs left goes with the next run. A sample; R2PAC_THOROUGH=N takes N times as many kills.
#include <iostream>
#include <map>

#include "folder_state.h"
#include "killing.h"
#include "thorough.h"
#include "verbs_that_write.h"

using namespace r2pac;
namespace fs = std::filesystem;

namespace {

constexpr int kKills = 8;

}  // namespace

TEST_CASE("killed at any instant, a command leaves each output old or new") {
  const SmallRun f;
  REQUIRE(run_program(f.train()).status == 0);
  REQUIRE(
      run_program({"eval", f.run, "--env", "reach-avoid", "--episodes", "2", "--flow-steps", "2"}).status ==
      0);
  const std::string out = f.path("out");
  std::uint32_t draws = 0;
  int kills = 0;
  for (const WritingVerb& verb : writing_verbs(f, f.run, out)) {
    INFO(verb.name);
    fs::create_directories(out);
    const double length = seconds_of(verb.arguments);
    std::map<std::string, std::string> whole;
    for (const std::string& file : verb.outputs) whole[file] = content(file);
    for (int round = 0; round < kKills * thorough(); ++round) {
      for (const std::string& file : verb.outputs) std::ofstream(file) << "old";
      kills += kill_at_random(verb.arguments, length, draws++);
      for (const std::string& file : verb.outputs) {
        const std::string now = content(file);
        CHECK((now == "old" || now == whole[file]));
      }
    }
    // A file as a program leaves it that is killed while it writes.
    for (const std::string& file : verb.outputs) std::ofstream(file + ".writing-999999-0") << "half";
    REQUIRE(run_program(verb.arguments).status == 0);
    for (const std::string& file : verb.outputs) CHECK(content(file) == whole[file]);
    CHECK_FALSE(has_temporary(out));
  }
  CHECK(kills > 0);
  std::cout << "commands killed: " << kills << "\n";
}

TEST_CASE("a training that scores on the way, killed at any instant, ends in the same bytes") {
  const SmallRun f;
  const auto train = [&](const std::string& name) {
    std::vector<std::string> arguments =
        f.train({"--out", f.path(name), "--set", "log_every=5", "--set", "checkpoint_every=10", "--set",
                 "num_candidates=2", "--set", "flow_steps=2", "--eval-env", "reach-avoid", "--eval-every",
                 "15", "--eval-episodes", "1"});
    *(std::find(arguments.begin(), arguments.end(), "--steps") + 1) = "150";
    return arguments;
  };
  const double length = seconds_of(train("straight"));
  std::uint32_t draws = 1000;
  int kills = 0;
  for (int round = 0; round < kKills * thorough(); ++round) {
    if (!kill_at_random(train("killed"), length, draws++))
      fs::remove_all(f.path("killed"));
    else
      ++kills;
    if (round % 4 < 3) continue;
    REQUIRE(run_program(train("killed")).status == 0);
    for (const char* name : {"metrics.jsonl", "evaluations.jsonl", "policy.safetensors",
                             "policy-safe-best.safetensors", "config.toml"}) {
      INFO(name);
      const bool same = content(f.path("killed") + "/" + name) == content(f.path("straight") + "/" + name);
      CHECK(same);
    }
    CHECK_FALSE(has_temporary(f.path("killed")));
    CHECK_FALSE(fs::exists(f.path("killed/lock")));
    fs::remove_all(f.path("killed"));
  }
  CHECK(kills > 0);
  std::cout << "trainings killed: " << kills << "\n";
}
