// Training under signals: stopped, killed and told to save at arbitrary instants, it ends in the same bytes.
#include <algorithm>
#include <catch2/catch.hpp>

#include "base/philox.h"
#include "program.h"
#include "storage/generations.h"

using namespace r2pac;
namespace fs = std::filesystem;

namespace {

/// Sizes of a run: the second or two that signals need to meet it at different instants.
struct Shape {
  const char *hidden, *batch;
  int steps, checkpoint_every;
};
constexpr Shape kSteady = {"24,24", "64", 4000, 100};
constexpr Shape kOftenSaved = {"8,8", "16", 3000, 20};  // most of its time goes into checkpoints

class Fixture {
 public:
  Fixture() {
    REQUIRE(run_program({"data", "make", "reach-avoid", "-o", data(), "--episodes", "20"}).status == 0);
  }
  std::string data() const { return folder_ / "reach-avoid.hdf5"; }
  fs::path out(const std::string& name) const { return folder_.path / name; }

  /// Arguments of a run that takes `shape.steps` in all, in either schedule.
  std::vector<std::string> train(const std::string& name, const std::string& schedule, const Shape& shape,
                                 int threads = 1) const {
    const int steps = schedule == "joint" ? shape.steps : shape.steps / 2;
    return {"train",
            "--data",
            data(),
            "--out",
            out(name).string(),
            "--hidden",
            shape.hidden,
            "--batch",
            shape.batch,
            "--steps",
            std::to_string(steps),
            "--schedule",
            schedule,
            "--threads",
            std::to_string(threads),
            "--set",
            "log_every=50",
            "--set",
            "checkpoint_every=" + std::to_string(shape.checkpoint_every)};
  }

 private:
  ScratchFolder folder_;
};

/// A number in [0, bound), the same in every run of the test.
int drawn(std::uint32_t which, std::uint32_t bound) {
  return static_cast<int>(random_below(5, Purpose::test, 0, which, bound));
}

void require_same_run(const fs::path& a, const fs::path& b) {
  CHECK(content(a / "metrics.jsonl") == content(b / "metrics.jsonl"));
  const bool same_policy = content(a / "policy.safetensors") == content(b / "policy.safetensors");
  CHECK(same_policy);
  const auto newest = [](const fs::path& run) { return list_generations(run / "checkpoints").at(0).path; };
  CHECK(newest(a).filename() == newest(b).filename());
  const bool same_checkpoint = content(newest(a)) == content(newest(b));
  CHECK(same_checkpoint);
}

}  // namespace

TEST_CASE("SIGTERM and SIGINT save within two seconds, exit with 75, and leave no trace in the result") {
  const Fixture fixture;
  std::uint32_t draws = 0;
  for (const std::string schedule : {"joint", "sequential"}) {
    REQUIRE(run_program(fixture.train(schedule, schedule, kSteady)).status == 0);
    const std::string name = schedule + "-stopped";
    int stops = 0, status = 75;
    for (int attempt = 0; attempt < 10 && status == 75; ++attempt) {
      Process program(fixture.train(name, schedule, kSteady, 1 + attempt % 3));
      sleep_ms(20 + drawn(draws++, 250));
      const auto sent = std::chrono::steady_clock::now();
      program.signal(attempt % 2 == 0 ? SIGTERM : SIGINT);
      status = program.wait().status;
      CHECK(std::chrono::steady_clock::now() - sent < std::chrono::seconds(2));
      stops += status == 75;
      // A signal before the handlers are there ends the process as it always does; nothing is lost then.
      if (status == -SIGTERM || status == -SIGINT) status = 75;
    }
    if (status == 75) status = run_program(fixture.train(name, schedule, kSteady)).status;
    REQUIRE(status == 0);
    CHECK(stops >= 1);  // a machine that finishes within 270 ms would miss them all
    require_same_run(fixture.out(schedule), fixture.out(name));
  }
}

TEST_CASE("several seeds are the runs of each, also when they are stopped") {
  const Fixture fixture;
  const auto train = [&](const std::string& name, const std::string& flag, const std::string& value) {
    auto arguments = fixture.train(name, "joint", kSteady);
    arguments.insert(arguments.end(), {flag, value});
    return arguments;
  };
  const std::vector<std::string> both = train("both", "--seeds", "3,0");
  {
    Process program(both);
    REQUIRE(program.prints("joint 50/"));
    program.signal(SIGINT);
    CHECK(program.wait().status == 75);
    CHECK(!fs::exists(fixture.out("both") / "seed0"));  // the first is seed 3
  }
  {
    Process program(both);
    REQUIRE(program.prints("finished in"));
    program.signal(SIGTERM);
    CHECK(program.wait().status == 75);
  }
  REQUIRE(run_program(both).status == 0);
  for (const std::string seed : {"3", "0"}) {
    REQUIRE(run_program(train(seed, "--seed", seed)).status == 0);
    require_same_run(fixture.out(seed), fixture.out("both") / ("seed" + seed));
  }
}

TEST_CASE("SIGKILL at any instant loses nothing but time") {
  const Fixture fixture;
  std::uint32_t draws = 1000;
  for (const std::string schedule : {"joint", "sequential"}) {
    REQUIRE(run_program(fixture.train(schedule, schedule, kOftenSaved)).status == 0);
    int runs = 0;
    const auto name = [&] { return schedule + "-killed" + std::to_string(runs); };
    const auto finish = [&] {
      require_same_run(fixture.out(schedule), fixture.out(name()));
      ++runs;
    };
    for (int kills = 0; kills < 20;) {  // a run that gets to its end is compared, and another one begins
      Process program(fixture.train(name(), schedule, kOftenSaved, 1 + kills % 2));
      sleep_ms(20 + drawn(draws++, 130));
      program.signal(SIGKILL);
      const int status = program.wait().status;
      REQUIRE((status == -SIGKILL || status == 0));
      if (status == 0) finish();
      kills += status == -SIGKILL;
    }
    REQUIRE(run_program(fixture.train(name(), schedule, kOftenSaved)).status == 0);
    finish();
  }
}

TEST_CASE("SIGUSR1 writes a checkpoint at once, and training goes on") {
  const Fixture fixture;
  Process program(fixture.train("long", "joint", {"24,24", "64", 1000000, 1000000}));
  REQUIRE(program.prints("joint 50/"));
  for (std::size_t saved = 0; saved < 2; ++saved) {
    CHECK(list_generations(fixture.out("long") / "checkpoints").size() == saved);
    program.signal(SIGUSR1);
    for (int i = 0; i < 200 && list_generations(fixture.out("long") / "checkpoints").size() == saved; ++i)
      sleep_ms(10);
    CHECK(list_generations(fixture.out("long") / "checkpoints").size() == saved + 1);
    REQUIRE(program.running());
  }
  program.signal(SIGTERM);
  CHECK(program.wait().status == 75);
}

TEST_CASE("a second signal ends the program at once") {
  const Fixture fixture;
  // The first signal waits for the end of a step of several hundred milliseconds, the second does not. Should
  // the step end between the two, the run has stopped as it should and is tried again.
  int status = 75;
  for (int attempt = 0; attempt < 3 && status == 75; ++attempt) {
    Process program(fixture.train("slow", "joint", {"512,512", "2048", 100, 100}));
    REQUIRE(program.prints("\n"));
    while (program.running() &&
           program.out().find(attempt == 0 ? "joint 1/" : "continuing") == std::string::npos)
      sleep_ms(5);
    program.signal(SIGTERM);
    sleep_ms(20);
    program.signal(SIGINT);
    status = program.wait().status;
  }
  CHECK(status == -SIGINT);
}

TEST_CASE("a damaged newest checkpoint costs one warning") {
  const Fixture fixture;
  REQUIRE(run_program(fixture.train("whole", "joint", kSteady)).status == 0);
  Process program(fixture.train("damaged", "joint", kSteady));
  REQUIRE(program.prints("joint 300/"));
  program.signal(SIGTERM);
  REQUIRE(program.wait().status == 75);
  const auto kept = list_generations(fixture.out("damaged") / "checkpoints");
  REQUIRE(kept.size() == 2);
  fs::resize_file(kept[0].path, fs::file_size(kept[0].path) - 7);
  const ProgramResult resumed = run_program(fixture.train("damaged", "joint", kSteady));
  CHECK(resumed.status == 0);
  CHECK(resumed.err.rfind("warning: ", 0) == 0);
  CHECK(resumed.err.find(kept[0].path.string()) != std::string::npos);
  CHECK(std::count(resumed.err.begin(), resumed.err.end(), '\n') == 1);
  CHECK(resumed.out.find("from " + kept[1].path.string()) != std::string::npos);
  require_same_run(fixture.out("whole"), fixture.out("damaged"));
}

TEST_CASE("a stop while data are read ends the program with 75 and leaves no run folder") {
  const ScratchFolder folder;
  // Large enough that reading outlasts the few milliseconds between the reader's start and the signal.
  REQUIRE(run_program({"data", "make", "reach-avoid", "-o", folder / "large.hdf5", "--episodes", "4000"})
              .status == 0);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    Process program(
        {"train", "--data", folder / "large.hdf5", "--out", folder / "run", "--hidden", "8", "--steps", "1"});
    const std::string children =
        "/proc/" + std::to_string(program.id()) + "/task/" + std::to_string(program.id()) + "/children";
    while (program.running() && content(children).empty()) sleep_ms(1);  // a child process reads the file
    program.signal(signal);
    const ProgramResult result = program.wait();
    INFO(signal << ": " << result.err);
    CHECK(result.status == 75);
    CHECK(result.err.find("stopped before training began; the same command starts again") !=
          std::string::npos);
    CHECK_FALSE(fs::exists(folder / "run"));
  }
}
