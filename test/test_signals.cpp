// Training under signals: stopped, killed and told to save at arbitrary instants, it ends in the same bytes.
#include <catch2/catch.hpp>

#include "base/philox.h"
#include "program.h"
#include "storage/generations.h"

using namespace r2pac;
namespace fs = std::filesystem;

namespace {

/// A data set of the built-in robot and the arguments of a run on it that takes a second or two.
class Fixture {
 public:
  Fixture() {
    REQUIRE(run_program({"data", "make", "reach-avoid", "-o", data(), "--episodes", "20"}).status == 0);
  }
  std::string data() const { return (folder_.path / "reach-avoid.hdf5").string(); }
  fs::path out(const std::string& name) const { return folder_.path / name; }

  std::vector<std::string> train(const std::string& name, const std::string& schedule, int threads = 1,
                                 int steps = 8000) const {
    return {"train",
            "--data",
            data(),
            "--out",
            out(name).string(),
            "--schedule",
            schedule,
            "--hidden",
            "24,24",
            "--batch",
            "64",
            "--steps",
            std::to_string(steps),
            "--threads",
            std::to_string(threads),
            "--set",
            "checkpoint_every=100",
            "--set",
            "log_every=50"};
  }

 private:
  ScratchFolder folder_;
};

/// Milliseconds in [0, bound), the same in every run of the test.
int instant(std::uint32_t which, std::uint32_t bound) {
  return static_cast<int>(random_below(5, Purpose::test, 0, which, bound));
}

void require_same_run(const fs::path& a, const fs::path& b) {
  CHECK(content(a / "metrics.jsonl") == content(b / "metrics.jsonl"));
  const bool same_policy = content(a / "policy.safetensors") == content(b / "policy.safetensors");
  CHECK(same_policy);
  const auto newest = [](const fs::path& run) { return list_generations(run / "checkpoints").at(0).path; };
  const bool same_checkpoint = content(newest(a)) == content(newest(b));
  CHECK(same_checkpoint);
}

/// Waits until the run has printed `text`, at most ten seconds.
bool wait_for(Program& program, const std::string& text) {
  for (int i = 0; i < 1000 && program.running(); ++i) {
    if (program.out().find(text) != std::string::npos) return true;
    sleep_ms(10);
  }
  return program.out().find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("SIGTERM and SIGINT save within two seconds, exit with 75, and leave no trace in the result") {
  const Fixture fixture;
  for (const std::string schedule : {"joint", "sequential"}) {
    REQUIRE(run_program(fixture.train(schedule, schedule)).status == 0);
    const std::string name = schedule + "-stopped";
    int stops = 0, status = 75;
    for (std::uint32_t attempt = 0; attempt < 60 && status == 75; ++attempt) {
      Program program(fixture.train(name, schedule, 1 + static_cast<int>(attempt % 3)));
      sleep_ms(80 + instant(attempt, 400));
      const auto sent = std::chrono::steady_clock::now();
      program.signal(attempt % 2 == 0 ? SIGTERM : SIGINT);
      status = program.wait().status;
      CHECK(std::chrono::steady_clock::now() - sent < std::chrono::seconds(2));
      // A signal before the handlers are there ends the process as it always does; nothing is lost then.
      if (status == -SIGTERM || status == -SIGINT) status = 75;
      stops += status == 75;
    }
    if (status == 75) status = run_program(fixture.train(name, schedule)).status;
    REQUIRE(status == 0);
    CHECK(stops > 0);
    require_same_run(fixture.out(schedule), fixture.out(name));
  }
}

TEST_CASE("SIGKILL at any instant loses nothing but time") {
  const Fixture fixture;
  REQUIRE(run_program(fixture.train("straight", "sequential")).status == 0);
  int kills = 0;
  for (std::uint32_t attempt = 0; attempt < 40; ++attempt) {
    Program program(fixture.train("killed", "sequential", 1 + static_cast<int>(attempt % 2)));
    sleep_ms(60 + instant(1000 + attempt, 200));
    if (!program.running()) break;
    program.signal(SIGKILL);
    CHECK(program.wait().status == -SIGKILL);
    ++kills;
  }
  REQUIRE(run_program(fixture.train("killed", "sequential")).status == 0);
  CHECK(kills >= 3);
  require_same_run(fixture.out("straight"), fixture.out("killed"));
}

TEST_CASE("SIGUSR1 writes a checkpoint at once, and a second SIGTERM ends the program") {
  const Fixture fixture;
  std::vector<std::string> arguments = fixture.train("long", "joint", 1, 1000000);
  arguments.insert(arguments.end(), {"--set", "checkpoint_every=1000000"});
  Program program(arguments);
  REQUIRE(wait_for(program, "joint 50/"));
  CHECK(list_generations(fixture.out("long") / "checkpoints").empty());
  program.signal(SIGUSR1);
  for (int i = 0; i < 200 && list_generations(fixture.out("long") / "checkpoints").empty(); ++i) sleep_ms(10);
  CHECK(list_generations(fixture.out("long") / "checkpoints").size() == 1);
  REQUIRE(program.running());
  program.signal(SIGTERM);
  CHECK(program.wait().status == 75);
}

TEST_CASE("a damaged newest checkpoint costs one warning") {
  const Fixture fixture;
  REQUIRE(run_program(fixture.train("whole", "joint")).status == 0);
  Program program(fixture.train("damaged", "joint"));
  REQUIRE(wait_for(program, "joint 300/"));
  program.signal(SIGTERM);
  const ProgramResult stopped = program.wait();
  REQUIRE(stopped.status == 75);
  const auto kept = list_generations(fixture.out("damaged") / "checkpoints");
  REQUIRE(kept.size() == 2);
  fs::resize_file(kept[0].path, fs::file_size(kept[0].path) - 7);
  const ProgramResult resumed = run_program(fixture.train("damaged", "joint", 2));
  CHECK(resumed.status == 0);
  const std::size_t first = resumed.err.find("warning: ");
  CHECK(first != std::string::npos);
  CHECK(resumed.err.find("warning: ", first + 1) == std::string::npos);
  require_same_run(fixture.out("whole"), fixture.out("damaged"));
}
